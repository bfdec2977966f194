// The server as the main thread sees it: binds the listeners, lays the shared memory out, starts
// the threads, tells them to serve and to drain. Control plane.

import { COUNTERS_SIZE, Counter, readCounters } from '../base/counters.ts';
import type { ServerOptions } from '../base/options.ts';
import type { ProtocolPort, ThreadPlan } from '../base/thread-plan.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import type { Wakeups } from '../delegate/sleepers.ts';
import type { Listeners } from '../io/listener.ts';
import {
  bindListeners,
  closeListeners,
  duplicateListeners,
  startListening,
} from '../io/listener.ts';
import type { BackendChoice } from '../io/open-io.ts';
import { BackendError, chooseBackend } from '../io/open-io.ts';
import { openEventfd, Wakeup } from '../kernel/eventfd.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { AcceptPool } from './accept-pool.ts';
import { CrashBudget } from './crash-budget.ts';
import { limitWarnings, processLimits } from './limit-warnings.ts';
import { LogLimiter } from './log-limiter.ts';
import type { MemoryPlan } from './memory-plan.ts';
import { planMemory } from './memory-plan.ts';
import { backendError, bindError, formatAddress, portError, threadError } from './start-error.ts';
import type { Heap, Thread } from './thread.ts';
import { WorkerPool } from './worker-pool.ts';

/** With more workers than this the server is ready before all of them are. */
const WORKERS_BEFORE_READY = 16;

/** What a thread has counted. */
export interface ThreadStats {
  /** `accept-0`, `worker-0` and so on. */
  readonly name: string;
  /** By name: what has happened since the thread was started, and how much there is now. */
  readonly counters: Record<string, number>;
}

/** What a thread has counted, and how its heap is. */
export interface ThreadReport extends ThreadStats {
  /** Undefined when the thread was too busy to tell. */
  readonly heap: Heap | undefined;
}

/** What a server takes over from another one. */
export interface TakeOver {
  readonly listeners: Listeners;
  /** Called when all that `start` awaits is ready; awaited before connections are accepted. */
  readonly before: () => Promise<void>;
}

/** What whoever starts a server has to do with its start. */
export interface StartOptions {
  readonly takeOver?: TakeOver | undefined;
  /** Called when connections are served, which is before the start has settled. */
  readonly onServing?: (server: Server) => void;
}

/** A server that runs, as the thread that started it sees it: see `serve`. */
export class Server {
  readonly options: ServerOptions;
  readonly plan: MemoryPlan;
  readonly choice: BackendChoice;
  readonly port: number;
  /** The ports of the application's protocols, by their names. */
  readonly ports: Record<string, number> = {};
  /** What the person who started the server should know, a line each. */
  readonly warnings: readonly string[];
  /** Settles when every thread has ended; throws when one ended that was not told to. */
  readonly ended: Promise<void>;
  readonly #accepts: AcceptPool;
  readonly #workers: WorkerPool;
  readonly #crashBudget: CrashBudget;
  readonly #wakeups: readonly number[];
  readonly #log: (message: string) => void;
  #draining = false;

  private constructor(
    options: ServerOptions,
    plan: MemoryPlan,
    choice: BackendChoice,
    port: number,
    accepts: AcceptPool,
    workers: WorkerPool,
    crashBudget: CrashBudget,
    wakeups: readonly number[],
    log: (message: string) => void,
  ) {
    this.options = options;
    this.plan = plan;
    this.choice = choice;
    this.port = port;
    this.warnings = limitWarnings(plan, processLimits());
    this.#accepts = accepts;
    this.#workers = workers;
    this.#crashBudget = crashBudget;
    this.#wakeups = wakeups;
    this.#log = log;
    this.ended = this.#untilEnded();
    this.ended.catch(() => {});
  }

  /**
   * Starts a server that runs the application at the URL `app`. Connections are served as soon as
   * there is a worker; when this settles there are all workers, or 16. With `takeOver` it serves
   * listeners that stay those of the caller, and only when as many are there: until then nothing is
   * taken from a server that works. @throws StartError
   */
  static async start(
    options: ServerOptions,
    app: string,
    log: (message: string) => void,
    { takeOver, onServing }: StartOptions = {},
  ): Promise<Server> {
    const choice = choose(options);
    const plan = planMemory(options, choice.backend);
    const { acceptThreads, workerThreads } = options;
    const listeners =
      takeOver === undefined ? bind(options) : duplicateListeners(takeOver.listeners);
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
    const wakeup = (fd: number): void => new Wakeup(fd).signal();
    const signals: Wakeups = {
      wakeAcceptThread: (index) => wakeup(base.acceptWakeups[index]!),
      wakeWorker: (index) => wakeup(base.workerWakeups[index]!),
    };
    const accepts = new AcceptPool({
      plans: listeners.fds.map((listenerFd, index) => ({
        ...base,
        index,
        counters: new SharedArrayBuffer(COUNTERS_SIZE),
        holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
        listenerFd,
        pools: plan.pools,
        rows: new SharedArrayBuffer(plan.rowsSize),
      })),
      wakeups: signals,
      log,
      logThread,
    });
    const workers = new WorkerPool({
      plan: { ...base, pools: plan.guestPools, guests: plan.guests },
      wakeups: signals,
      crashBudget,
      log,
      logThread,
    });
    const bound = [listeners];
    let server: Server | undefined;
    const awaited = Math.min(workerThreads, WORKERS_BEFORE_READY);
    try {
      const first = takeOver === undefined ? Math.min(workerThreads, 1) : awaited;
      await Promise.all([accepts.ready(), workers.start(first)]);
      assertPortsDiffer(listeners.port, accepts.protocols);
      await takeOver?.before();
      for (const { port } of accepts.protocols) bound.push(bindProtocol(options, port, takeOver));
      for (const each of bound) startListening(each);
      accepts.serve(bound.slice(1));
      const { port } = listeners;
      server = new Server(options, plan, choice, port, accepts, workers, crashBudget, wakeups, log);
      for (const [index, { name }] of accepts.protocols.entries()) {
        server.ports[name] = bound[index + 1]!.port;
      }
      onServing?.(server);
      await workers.start(awaited);
    } catch (error) {
      await Promise.all([accepts.terminate(), workers.terminate()]);
      for (const each of bound) closeListeners(each);
      if (server === undefined) for (const fd of wakeups) closeDescriptor(fd);
      else await server.ended.catch(() => {});
      throw error;
    }
    void workers.startOthers(workerThreads);
    return server;
  }

  /** Where it listens, such as `http://127.0.0.1:9000`. */
  get url(): string {
    return `http://${formatAddress(this.options.host, this.port)}`;
  }

  /** True exactly when it ends, or has ended. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** Counters that are read without asking the threads: see `report` for the heap of each. */
  stats(): ThreadStats[] {
    return this.counters().map(([name, counters]) => ({ name, counters }));
  }

  /** Answers what is in flight, then ends. Settles when every thread has ended. */
  async close(): Promise<void> {
    this.drain();
    await this.ended;
  }

  /** Answers what is in flight, then ends: `ended` tells when. */
  drain(): void {
    this.#end('drain');
  }

  /**
   * As `drain`, but leaves the listeners to another server. Settles when nothing more is accepted:
   * only then may others accept, because the kernel tells one of those that wait, and the one it
   * tells may be about to go.
   */
  async retire(): Promise<void> {
    this.#end('retire');
    await Promise.all(this.#accepts.threads.map((thread) => thread.retired));
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

  #end(command: 'drain' | 'retire'): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#accepts.end(command);
    this.#workers.recall();
  }

  #logCutOff(): void {
    const counts = this.#accepts.threads.map(({ counters }) => counters[Counter.drainCutOff]!);
    const cutOff = counts.reduce((sum, each) => sum + each, 0);
    if (cutOff === 0) return;
    const seconds = this.options.drainTimeoutMs / 1000;
    const who = cutOff === 1 ? '1 connection was' : `${cutOff} connections were`;
    this.#log(`${who} cut off: what was in flight took longer than --drain-timeout, ${seconds} s`);
  }

  #threads(): Thread[] {
    return [...this.#accepts.threads, ...this.#workers.threads];
  }

  // Workers end after the accept threads, which wait for their tasks.
  async #untilEnded(): Promise<void> {
    await this.#accepts.watch();
    this.#logCutOff();
    await this.#workers.end();
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
  const { pools, guestPools } = planMemory(options, 'io_uring');
  const rings = [
    ...Array.from({ length: acceptThreads }, () => pools),
    ...Array.from({ length: workerThreads }, () => guestPools),
  ];
  try {
    return chooseBackend(options.backend, rings);
  } catch (error) {
    if (error instanceof BackendError) throw backendError(error.message);
    throw error;
  }
}

// The sockets of one server could share a port: the kernel would give connections to either.
function assertPortsDiffer(port: number, protocols: readonly ProtocolPort[]): void {
  const owners = new Map([[port, 'HTTP']]);
  for (const protocol of protocols) {
    const owner = owners.get(protocol.port);
    if (owner !== undefined) throw portError(protocol.port, owner, `protocol "${protocol.name}"`);
    if (protocol.port !== 0) owners.set(protocol.port, `protocol "${protocol.name}"`);
  }
}

// Where a server is taken over, its predecessor still listens on the ports. They go on accepting.
function bindProtocol(
  { host, acceptThreads }: ServerOptions,
  port: number,
  takeOver: TakeOver | undefined,
): Listeners {
  try {
    return bindListeners(host, port, acceptThreads, takeOver !== undefined);
  } catch (error) {
    throw bindError(error, host, port);
  }
}

/** @throws StartError when the address cannot be listened on. */
export function bind({ host, port, acceptThreads }: ServerOptions): Listeners {
  try {
    return bindListeners(host, port, acceptThreads);
  } catch (error) {
    throw bindError(error, host, port);
  }
}
