// The server as the main thread sees it: binds the listeners, lays the shared memory out, starts
// the threads, tells them to serve and to drain. Control plane.

import { COUNTERS_SIZE, readCounters } from '../base/counters.ts';
import type { ServerOptions } from '../base/options.ts';
import type { AcceptThreadPlan, ThreadPlan } from '../base/thread-plan.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { SMALL_IO } from '../io/io-options.ts';
import type { Listeners } from '../io/listener.ts';
import { bindListeners, closeListeners, startListening } from '../io/listener.ts';
import type { BackendChoice } from '../io/open-io.ts';
import { BackendError, chooseBackend } from '../io/open-io.ts';
import { openEventfd, Wakeup } from '../kernel/eventfd.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { descriptorLimit, memoryLimit } from '../kernel/limits.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { CrashBudget } from './crash-budget.ts';
import { LogLimiter } from './log-limiter.ts';
import type { MemoryPlan } from './memory-plan.ts';
import { formatSize, planMemory } from './memory-plan.ts';
import { backendError, bindError, EXIT_FAILURE, StartError, threadError } from './start-error.ts';
import type { Heap } from './thread.ts';
import { Thread } from './thread.ts';
import { WorkerPool } from './worker-pool.ts';

const ACCEPT_THREAD = new URL('../accept/accept-thread.ts', import.meta.url);

/** With more workers than this the server is ready before all of them are. */
const WORKERS_BEFORE_READY = 16;

export interface ThreadReport {
  readonly name: string;
  readonly counters: Record<string, number>;
  /** Undefined when the thread was too busy to tell. */
  readonly heap: Heap | undefined;
}

export class Server {
  readonly options: ServerOptions;
  readonly plan: MemoryPlan;
  readonly choice: BackendChoice;
  readonly port: number;
  /** What the person who started the server should know, a line each. */
  readonly warnings: readonly string[];
  /** Settles when every thread has ended; throws when one ended that was not told to. */
  readonly ended: Promise<void>;
  readonly #acceptThreads: readonly Thread[];
  readonly #workers: WorkerPool;
  readonly #crashBudget: CrashBudget;
  readonly #failure = Promise.withResolvers<never>();
  readonly #wakeups: readonly number[];
  #draining = false;

  private constructor(
    options: ServerOptions,
    plan: MemoryPlan,
    choice: BackendChoice,
    port: number,
    acceptThreads: readonly Thread[],
    workers: WorkerPool,
    crashBudget: CrashBudget,
    wakeups: readonly number[],
  ) {
    this.options = options;
    this.plan = plan;
    this.choice = choice;
    this.port = port;
    this.warnings = warnings(plan);
    this.#acceptThreads = acceptThreads;
    this.#workers = workers;
    this.#crashBudget = crashBudget;
    this.#wakeups = wakeups;
    for (const thread of acceptThreads) this.#watch(thread);
    workers.watch();
    this.ended = this.#end();
    this.ended.catch(() => {});
  }

  /**
   * Starts a server that runs the application at the URL `app`. When this settles, connections are
   * served. @throws StartError
   */
  static async start(
    options: ServerOptions,
    app: string,
    log: (message: string) => void,
  ): Promise<Server> {
    const choice = choose(options);
    const plan = planMemory(options, choice.backend);
    const { acceptThreads, workerThreads } = options;
    const listeners = bind(options);
    const wakeups = openWakeups(acceptThreads + workerThreads);
    const crashBudget = new CrashBudget(options.taskDeaths);
    const base: Omit<ThreadPlan<DelegateMemory>, 'index' | 'counters' | 'holdings'> = {
      options,
      backend: choice.backend,
      app,
      delegateMemory: createDelegateMemory(plan.delegate),
      refusedTasks: crashBudget.refused,
      acceptWakeups: wakeups.slice(0, acceptThreads),
      workerWakeups: wakeups.slice(acceptThreads),
    };
    const limiter = new LogLimiter(log);
    const logThread = (thread: string, message: string): void => limiter.log(thread, message);
    const accepts = listeners.fds.map((listenerFd, index) => {
      const threadPlan: AcceptThreadPlan<DelegateMemory> = {
        ...base,
        index,
        counters: new SharedArrayBuffer(COUNTERS_SIZE),
        holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
        listenerFd,
        pools: plan.pools,
        rows: new SharedArrayBuffer(plan.rowsSize),
      };
      return new Thread(`accept-${index}`, ACCEPT_THREAD, threadPlan, logThread);
    });
    const wakeup = (fd: number): void => new Wakeup(fd).signal();
    const workers = new WorkerPool({
      count: workerThreads,
      plan: base,
      wakeups: {
        wakeAcceptThread: (index) => wakeup(base.acceptWakeups[index]!),
        wakeWorker: (index) => wakeup(base.workerWakeups[index]!),
      },
      crashBudget,
      log,
      logThread,
    });
    try {
      const ready = accepts.map((thread) => thread.ready);
      await Promise.all([...ready, workers.start(Math.min(workerThreads, WORKERS_BEFORE_READY))]);
    } catch (error) {
      await Promise.all([...accepts.map((thread) => thread.terminate()), workers.terminate()]);
      closeListeners(listeners.fds);
      for (const fd of wakeups) closeDescriptor(fd);
      throw error;
    }
    startListening(listeners.fds);
    for (const thread of accepts) thread.tell('serve');
    const { port } = listeners;
    const server = new Server(options, plan, choice, port, accepts, workers, crashBudget, wakeups);
    void workers.startOthers();
    return server;
  }

  /** Answers what is in flight, then ends: `ended` tells when. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const thread of this.#acceptThreads) thread.tell('drain');
  }

  /** The counters of every thread, by its name; they outlive the threads. */
  counters(): [name: string, counters: Record<string, number>][] {
    return this.#threads().map((thread) => [thread.name, readCounters(thread.counters)]);
  }

  /** Counters and heap of every thread. */
  report(): Promise<ThreadReport[]> {
    return Promise.all(
      this.#threads().map(async (thread) => ({
        name: thread.name,
        counters: readCounters(thread.counters),
        heap: await thread.heap(),
      })),
    );
  }

  #threads(): Thread[] {
    return [...this.#acceptThreads, ...this.#workers.threads];
  }

  // An accept thread that ends without being told to ends the server.
  #watch(thread: Thread): void {
    const { promise, reject } = this.#failure;
    promise.catch(() => {});
    thread.ready.catch(reject);
    void thread.ended.then((error) => {
      if (error === undefined && this.#draining) return;
      const cause = error?.stack ?? 'it ended by itself';
      reject(new StartError(`thread ${thread.name} died: ${cause}`, EXIT_FAILURE));
    });
  }

  // Workers end after the accept threads, which wait for their tasks.
  async #end(): Promise<void> {
    const ended = Promise.all(this.#acceptThreads.map((thread) => thread.ended));
    await Promise.race([ended, this.#failure.promise]);
    await Promise.race([this.#workers.end(), this.#failure.promise]);
    this.#crashBudget.end();
    for (const fd of this.#wakeups) closeDescriptor(fd);
  }
}

function openWakeups(count: number): number[] {
  try {
    return Array.from({ length: count }, openEventfd);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    throw threadError('the server', message, code ?? '');
  }
}

function choose(options: ServerOptions): BackendChoice {
  const { acceptThreads, workerThreads } = options;
  const { pools } = planMemory(options, 'io_uring');
  const rings = [
    ...Array.from({ length: acceptThreads }, () => pools),
    ...Array.from({ length: workerThreads }, () => SMALL_IO),
  ];
  try {
    return chooseBackend(options.backend, rings);
  } catch (error) {
    if (error instanceof BackendError) throw backendError(error.message);
    throw error;
  }
}

function bind({ host, port, acceptThreads }: ServerOptions): Listeners {
  try {
    return bindListeners(host, port, acceptThreads);
  } catch (error) {
    throw bindError(error, host, port);
  }
}

// What the capacity promises and the limits of this process would not keep.
function warnings(plan: MemoryPlan): string[] {
  const lines: string[] = [];
  const descriptors = descriptorLimit();
  if (plan.descriptors > descriptors) {
    lines.push(
      `the descriptor limit is ${descriptors}, but the capacity asks for ${plan.descriptors}: ` +
        'beyond the limit new connections wait; raise it (ulimit -n) or lower --accept-capacity',
    );
  }
  const memory = memoryLimit();
  if (plan.totalSize > memory) {
    lines.push(
      `the memory limit of the control group is ${formatSize(memory)}, but ` +
        `${formatSize(plan.totalSize)} are planned: at full capacity the kernel may end this ` +
        'server; raise it or lower --accept-capacity',
    );
  }
  return lines;
}
