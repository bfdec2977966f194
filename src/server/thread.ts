// A thread as the main thread sees it: started from a plan, ready or failed, told what to do, gone.
// Control plane.

import { Worker } from 'node:worker_threads';
import type { Counters } from '../base/counters.ts';
import { MODULE_EXTENSION } from '../base/modules.ts';
import type { Command, ProtocolPort, Report, ThreadPlan } from '../base/thread-plan.ts';
import { threadEnvironment } from './compile-cache.ts';
import { threadError } from './start-error.ts';

const THREAD_ENTRY = new URL(`../base/thread-entry${MODULE_EXTENSION}`, import.meta.url);

/** How long a report waits for a thread that runs a task. */
const HEAP_WAIT_MS = 1000;

/** Exit code of Node: nothing is left that could settle what a module awaits. */
const UNSETTLED_AWAIT = 13;

export interface Heap {
  readonly usedBytes: number;
  readonly allocatedBytes: number;
}

export class Thread {
  readonly name: string;
  readonly counters: Counters;
  /** Settles when the thread is ready, or throws the StartError that says why it is not. */
  readonly ready: Promise<void>;
  /** Settles when the thread, told to retire, accepts nothing more, or has ended. */
  readonly retired: Promise<void>;
  /** Settles when the thread has ended, with the error that ended it if there was one. */
  readonly ended: Promise<Error | undefined>;
  /** The names of the application's tasks, by index, once the thread is ready. */
  tasks: readonly string[] = [];
  /** The protocols of the application, once the thread is ready. */
  protocols: readonly ProtocolPort[] = [];
  readonly #worker: Worker;
  readonly #log: (thread: string, message: string) => void;
  #heapWaiters: ((heap: Heap | undefined) => void)[] = [];

  constructor(
    name: string,
    module: URL,
    plan: ThreadPlan<unknown>,
    log: (thread: string, message: string) => void,
    heapMib = 0,
  ) {
    this.name = name;
    this.counters = new Float64Array(plan.counters);
    this.#log = log;
    this.#worker = new Worker(THREAD_ENTRY, {
      name,
      workerData: { ...plan, module: module.href },
      env: threadEnvironment(),
      ...(heapMib > 0 ? { resourceLimits: { maxOldGenerationSizeMb: heapMib } } : {}),
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (report: Report) => {
        if (report.kind === 'ready') {
          this.tasks = report.tasks;
          this.protocols = report.protocols;
          resolve();
        } else if (report.kind === 'ended') void this.terminate();
        else if (report.kind === 'failed') reject(threadError(name, report.message, report.code));
        else this.#onReport(report);
      });
      this.#worker.once('error', (error) => {
        reject(threadError(name, String(error), (error as NodeJS.ErrnoException).code ?? ''));
      });
      this.#worker.once('exit', (code) => {
        const cause =
          code === UNSETTLED_AWAIT
            ? `a top-level await of ${plan.app} waits for what never comes`
            : 'it ended by itself';
        reject(threadError(name, cause, ''));
      });
    });
    // A failure before anyone waits is not an unhandled rejection; whoever waits still gets it.
    this.ready.catch(() => {});
    this.retired = new Promise((resolve) => {
      this.#worker.on('message', ({ kind }: Report) => {
        if (kind === 'retired') resolve();
      });
      this.#worker.once('exit', () => resolve());
    });
    this.ended = new Promise((resolve) => {
      let failure: Error | undefined;
      this.#worker.once('error', (error) => {
        failure = error as Error;
      });
      this.#worker.once('exit', () => resolve(failure));
    });
  }

  tell(kind: Exclude<Command['kind'], 'serve'>): void {
    this.#worker.postMessage({ kind } satisfies Command);
  }

  /** To an accept thread: accept, also on these listeners of the application's protocols. */
  serve(protocolFds: readonly number[]): void {
    this.#worker.postMessage({ kind: 'serve', protocolFds } satisfies Command);
  }

  /** How the heap of the thread is now, or undefined when the thread is too busy to tell. */
  heap(waitMs: number = HEAP_WAIT_MS): Promise<Heap | undefined> {
    return new Promise((resolve) => {
      this.#heapWaiters.push(resolve);
      this.tell('report');
      setTimeout(() => resolve(undefined), waitMs).unref();
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #onReport(report: Report): void {
    if (report.kind === 'log') this.#log(this.name, report.message);
    else if (report.kind === 'heap') {
      const { usedBytes, allocatedBytes } = report;
      for (const resolve of this.#heapWaiters.splice(0)) resolve({ usedBytes, allocatedBytes });
    }
  }
}
