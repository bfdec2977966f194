// The simulated server: accept threads and workers as the real one starts them, and its main
// thread, which drains it and replaces workers that die.

import { msBetween } from '../../src/base/clock.ts';
import { COUNTERS, COUNTERS_SIZE, Counter } from '../../src/base/counters.ts';
import type { ServerOptions } from '../../src/base/options.ts';
import type { AcceptThreadPlan, PoolSizes, ThreadPlan } from '../../src/base/thread-plan.ts';
import { blocksSize } from '../../src/connection/connection-memory.ts';
import { CONNECTION_CTX_SIZE } from '../../src/connection/connection-table.ts';
import { repairDeadWorker } from '../../src/delegate/dead-thread.ts';
import { createDelegateMemory, type DelegateMemory } from '../../src/delegate/layout.ts';
import { FREE, TaskHolders } from '../../src/delegate/task-holders.ts';
import { TaskQueue } from '../../src/delegate/task-queue.ts';
import { HOLDINGS_SIZE } from '../../src/kernel/holdings.ts';
import { TASKS_MAX } from '../../src/server/crash-budget.ts';
import type { WorkerService } from '../../src/worker/worker-service.ts';
import { ALONE, COMPILED, hooks, idOf } from './app.ts';
import type { Canary } from './canaries.ts';
import type { Client } from './client.ts';
import { ConnectionChecks, type Links } from './connection-checks.ts';
import { HangChecks } from './hang-checks.ts';
import type { Kernel } from './kernel.ts';
import { runMicrotasks } from './node-turn.ts';
import { Ownership } from './ownership.ts';
import type { Offer } from './requests.ts';
import { acceptPools, DRAIN_TIMEOUT_MS, drawOptions, guestPools } from './server-options.ts';
import { SimIo } from './sim-io.ts';
import {
  type AcceptThread,
  acceptThread,
  ThreadDeath,
  unixSeconds,
  type WorkerThread,
  workerThread,
} from './sim-thread.ts';
import { ListeningSocket, type Socket } from './socket.ts';

/** Workers that die in one run, those apart that die in a task. */
const DEATHS_MAX = 10;
/** Spurious wake-ups of one run: as after a death, time does not pass while threads are awake. */
const DISTURBANCES_MAX = 200;

export interface ServerHooks {
  clientOf(socket: Socket): Client;
  fail(message: string): never;
  /** Fails when there were too many. */
  countStep(): void;
  /** What comes next happens, within the step of a thread. Time passes only if it may. */
  advance(mayPass: boolean): void;
}

interface DeadWorker {
  readonly index: number;
  isRepaired: boolean;
}

export class SimServer {
  readonly listeners: ListeningSocket[] = [];
  readonly offer: Offer;
  isDraining = false;
  hasEnded = false;
  deathsCount = 0;
  readonly #kernel: Kernel;
  readonly #canary: Canary;
  readonly #hooks: ServerHooks;
  readonly #options: ServerOptions;
  readonly #memory: DelegateMemory;
  readonly #holders: TaskHolders;
  readonly #queue: TaskQueue;
  readonly #ownership: Ownership;
  readonly #guestPools: PoolSizes;
  readonly #acceptWakeups: number[] = [];
  readonly #workerWakeups: number[] = [];
  readonly #accepts: AcceptThread[] = [];
  readonly #workers: WorkerThread[] = [];
  /** The connections of all threads. */
  readonly #links: Links = new Map();
  readonly #workerChecks: ConnectionChecks[] = [];
  // Rings of dead workers that nobody has closed.
  readonly #deadRings: SimIo[] = [];
  readonly #counters: Float64Array[] = [];
  // By the clock of each thread, which may be late by a jump.
  readonly #drainBegins: (number | undefined)[] = [];
  readonly #forced: boolean[] = [];
  readonly #dead: DeadWorker[] = [];
  readonly #ranTasks = new Set<string>();
  readonly #servedGuests = new Set<string>();
  readonly #diedTasks = new Set<number>();
  readonly #hangChecks: HangChecks;
  #disturbances = 0;
  #workersDrain = false;
  #stepping: AcceptThread | WorkerThread | undefined;
  #inMicrotasks = false;
  // A thread that died in a microtask.
  #dies = false;
  #retiredOperations = 0;

  constructor(kernel: Kernel, canary: Canary, serverHooks: ServerHooks) {
    const { random } = kernel;
    this.#kernel = kernel;
    this.#canary = canary;
    this.#hooks = serverHooks;
    const likes = random.pick<Offer['likes']>(['hand-offs', 'hand-offs', 'tasks', 'everything']);
    this.#options = drawOptions(random, likes);
    const { acceptThreads, workerThreads } = this.#options;
    this.#guestPools = guestPools(random);
    this.#memory = createDelegateMemory({
      handOffsPerAcceptThread:
        workerThreads === 0 ? 0 : random.pick([1, 2, this.#options.acceptCapacity]),
      unreadBlockSize: this.#guestPools.recvBlockSize + 2 * this.#guestPools.recvBufferSize,
      acceptThreads,
      workerThreads,
      holdersPerAcceptThread: random.pick([1, 2, this.#options.acceptCapacity]),
      holderSize: 256,
      queueStart: random.pick([0, -3, 2 ** 31 - 3]),
    });
    this.#holders = new TaskHolders(this.#memory);
    this.#queue = new TaskQueue(this.#memory, this.#holders);
    this.#ownership = new Ownership(this.#memory);
    this.offer = {
      payloadSize: this.#holders.payloadSize,
      hasWorkers: workerThreads > 0,
      likes,
    };
    this.#hangChecks = new HangChecks({
      kernel,
      memory: this.#memory,
      queue: this.#queue,
      ownership: this.#ownership,
      listeners: this.listeners,
      accepts: this.#accepts,
      workers: this.#workers,
      workerChecks: this.#workerChecks,
      links: this.#links,
      workerConcurrency: this.#options.workerConcurrency,
      fail: serverHooks.fail,
    });
    hooks.onTask = (target) => this.#onTask(target);
    hooks.onGuest = (target) => this.#onGuest(target);
    for (let index = 0; index < acceptThreads; index++) {
      this.#acceptWakeups.push(kernel.openEventfd());
    }
    for (let index = 0; index < workerThreads; index++) {
      this.#workerWakeups.push(kernel.openEventfd());
    }
    for (let index = 0; index < acceptThreads; index++) this.#startAccept(index);
    for (let index = 0; index < workerThreads; index++) {
      this.#workers.push(this.#startWorker(index));
    }
  }

  get operationsCount(): number {
    let count = this.#retiredOperations;
    for (const { io } of this.#accepts) count += io.operationsCount;
    return count;
  }

  /** The sum of a counter of the accept threads. */
  count(counter: number): number {
    return this.#counters.reduce((sum, counters) => sum + counters[counter]!, 0);
  }

  /** One step of a thread that can go on; false when none can. */
  stepThread(): boolean {
    const { random, faults } = this.#kernel;
    const living = this.#workers.filter(({ isAlive }) => isAlive);
    if (living.length > 0 && this.#mayDie() && random.chance(faults.workerDies)) {
      this.#die(random.pick(living));
      return true;
    }
    const threads = [...this.#accepts, ...living];
    const runnable = threads.filter(({ isRunnable }) => isRunnable);
    if (this.#isDisturbed()) {
      const thread = random.pick(threads.filter(({ phase }) => phase === 'asleep'));
      if (thread !== undefined) runnable.push(thread);
    }
    if (runnable.length === 0) return false;
    const thread = random.pick(runnable);
    if (thread.phase === 'asleep' && random.chance(faults.lateWakeup)) return true;
    const isWorker = this.#workers.includes(thread as WorkerThread);
    if (isWorker && random.chance(faults.slowWorkers)) return true;
    this.#step(thread);
    return true;
  }

  /** Something that the main thread has to do; false when there is nothing. */
  stepMain(): boolean {
    const { random } = this.#kernel;
    if (this.#isDisturbed()) {
      this.#kernel.writeEventfd(random.pick([...this.#acceptWakeups, ...this.#workerWakeups]));
    }
    const dead = this.#dead[0];
    if (dead !== undefined) {
      this.#replace(dead);
      return true;
    }
    if (this.#deadRings.length > 0) {
      if (random.chance(0.5)) this.#deadRings.shift()!.abandon();
      return true;
    }
    if (!this.isDraining || this.#accepts.some(({ isAlive }) => isAlive)) return false;
    if (!this.#workersDrain) {
      this.#workersDrain = true;
      for (const worker of this.#workers) worker.tell('drain');
      return true;
    }
    if (this.#workers.some(({ isAlive }) => isAlive)) return false;
    for (const fd of [...this.#acceptWakeups, ...this.#workerWakeups]) this.#kernel.close(fd);
    this.hasEnded = true;
    return true;
  }

  /** SIGTERM. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.#kernel.trace?.('the server drains');
    for (const thread of this.#accepts) thread.tell('drain');
    for (const worker of this.#workers) if (worker.isAlive) worker.tell('recall');
  }

  /** Nothing moves: every thread sleeps, and what it was told of was done. */
  assertNothingHangs(): void {
    this.#hangChecks.assertNothingHangs(this.#workersDrain);
  }

  assertNothingLeft(): void {
    const { fail } = this.#hooks;
    const { openDescriptors, ios } = this.#kernel;
    if (openDescriptors.length > 0) fail(`descriptors are left open: ${openDescriptors}`);
    if (ios.length > 0) fail('an Io was not destroyed');
    if (this.count(Counter.connectionsOpen) !== 0) fail('connections are counted as open');
    for (const { turns, name, phase } of this.#workers) {
      if (phase === 'ended' && turns.ids.size > turns.pausedIds.length) {
        fail(`a handler or task of ${name} waits for what will never come`);
      }
    }
    if (this.#links.size > 0) fail('connections are left');
    for (const [index, { service, io }] of this.#accepts.entries()) {
      service.connections.ending.assertAllFree();
      service.handOffs?.assertAllFree();
      if (io.buffersUsed !== 0) fail('receive buffers are not back');
      if (service.loop.timers.count !== 0) fail('timers are set that nobody waits for');
      const { turns } = this.#accepts[index]!;
      if (turns.ids.size > turns.pausedIds.length) fail('a handler waits for what will never come');
      if (!this.#forced[index]) service.delegator.assertAllFree();
    }
    if (this.#forced.some((forced) => forced)) return;
    for (let holder = 0; holder < this.#holders.count; holder++) {
      if (this.#holders.state(holder) !== FREE) fail('a task holder is not free');
    }
    const ended = this.count(Counter.tasksCompleted) + this.count(Counter.tasksCancelled);
    if (this.count(Counter.tasksDelegated) !== ended) {
      fail('not every task that was delegated was completed');
    }
  }

  /**
   * True exactly when code of the app may go on: `runMicrotasks` is called before anything else.
   */
  get hasMicrotasks(): boolean {
    const turns = this.#stepping?.turns;
    return turns !== undefined && (turns.isDirty || turns.ids.size > 0);
  }

  /** Runs what the last step queued. Before, its turn is run to its end, unless it sleeps. */
  runMicrotasks(): void {
    const thread = this.#stepping!;
    while (thread.phase === 'tick') {
      this.#hooks.countStep();
      this.#step(thread);
    }
    const { turns } = thread;
    const { resumes } = turns;
    this.#runQueued();
    this.#stepping = undefined;
    turns.isDirty = false;
    if (thread.phase === 'asleep' && turns.resumes !== resumes) {
      this.#hooks.fail(`${thread.name} sleeps, and code of the app could go on`);
    }
    if (this.#dies) {
      this.#dies = false;
      this.#die(thread as WorkerThread);
    }
  }

  // Behind a tick; the rest of its turn follows.
  #runMicrotasksOfTick(): void {
    if (!this.hasMicrotasks) return;
    this.#runQueued();
    if (!this.#dies) return;
    this.#dies = false;
    throw new ThreadDeath('the worker has died in a microtask');
  }

  #runQueued(): void {
    this.#inMicrotasks = true;
    runMicrotasks();
    this.#inMicrotasks = false;
  }

  #step(thread: AcceptThread | WorkerThread): void {
    this.#stepping = thread;
    hooks.turns = thread.turns;
    this.#kernel.trace?.(`${thread.name}, ${thread.phase}`);
    try {
      thread.step();
    } catch (error) {
      if (!(error instanceof ThreadDeath)) throw error;
      // It died while a blocking handler had it, or it dies now.
      if (thread.phase !== 'dead') this.#die(thread as WorkerThread);
    }
    thread.turns.unblock();
  }

  // A blocking handler runs the loop of its worker, which sleeps if it may: the world goes on
  // within the step, and other workers may do the same within theirs.
  #wait(worker: WorkerThread, mayWait: boolean): void {
    const { random, faults } = this.#kernel;
    const stepping = this.#stepping;
    const isLate = random.pick([0, 0.5, 0.95]);
    worker.phase = 'blocked';
    worker.turns.block();
    this.#kernel.trace?.(`${worker.name} is blocked`);
    for (;;) {
      this.#dieAt(faults.servesDies);
      const goesOn = !mayWait || worker.io.hasCompletion;
      if (goesOn && !random.chance(isLate)) break;
      this.#stepping = undefined;
      this.#hooks.advance(!goesOn);
      if (worker.phase !== 'blocked')
        throw new ThreadDeath('the worker dies in a blocking handler');
    }
    this.#stepping = stepping;
    hooks.turns = worker.turns;
    worker.phase = 'tick';
    this.#kernel.trace?.(`${worker.name} goes on`);
  }

  // The worker whose code runs may die here. In a microtask it would be a rejection.
  #dieAt(probability: number): void {
    if (this.#dies || !this.#mayDie() || !this.#kernel.random.chance(probability)) return;
    if (this.#inMicrotasks) this.#dies = true;
    else throw new ThreadDeath('the worker dies with a connection');
  }

  #isDisturbed(): boolean {
    if (this.#disturbances >= DISTURBANCES_MAX) return false;
    const { random, faults } = this.#kernel;
    if (!random.chance(faults.spuriousWakeup)) return false;
    this.#disturbances++;
    return true;
  }

  // Each death wakes every thread.
  #mayDie(): boolean {
    return this.deathsCount < DEATHS_MAX;
  }

  #die(worker: WorkerThread): void {
    this.#kernel.trace?.(`${worker.name} dies, ${worker.phase}`);
    this.deathsCount++;
    for (const id of worker.turns.ids) this.#diedTasks.add(id);
    worker.die();
    this.#deadRings.push(worker.io);
    const index = this.#workers.indexOf(worker);
    const thread = this.#accepts.length + index;
    for (const link of this.#links.values()) {
      if (this.#ownership.threadOf(link.fd) === thread) link.hasDied = true;
    }
    this.#dead.push({ index, isRepaired: false });
  }

  // First the repair, later the replacement.
  #replace(dead: DeadWorker): void {
    const { index } = dead;
    if (!dead.isRepaired) {
      dead.isRepaired = true;
      if (!this.#canary.repairs) return;
      const kernel = this.#kernel;
      const wakeups = {
        wakeAcceptThread: (thread: number) => kernel.writeEventfd(this.#acceptWakeups[thread]!),
        wakeWorker: (worker: number) => kernel.writeEventfd(this.#workerWakeups[worker]!),
      };
      const repair = repairDeadWorker(this.#memory, index, wakeups, kernel.nowMs | 0);
      this.#kernel.trace?.(`worker-${index} is repaired: ${JSON.stringify(repair)}`);
      return;
    }
    this.#dead.shift();
    if (!this.#workersDrain) this.#workers[index] = this.#startWorker(index);
  }

  #onTask(target: string): void {
    if (this.#ranTasks.has(target)) this.#hooks.fail(`the task of ${target} runs twice`);
    this.#ranTasks.add(target);
    const isWorker = this.#workers.includes(this.#stepping as WorkerThread);
    if (!isWorker || !this.#kernel.random.chance(this.#kernel.faults.taskDies)) return;
    this.#diedTasks.add(idOf(target));
    throw new ThreadDeath('the worker dies in a task');
  }

  #onGuest(target: string): void {
    if (this.#servedGuests.has(target)) this.#hooks.fail(`${target} is served twice`);
    this.#servedGuests.add(target);
  }

  // Only mistakes of the app are news.
  #onLog(error: unknown): void {
    if (error instanceof ThreadDeath) throw error;
    const isExpected =
      error === undefined ||
      /^(thrown by|the result has \d+ bytes)/.test(error instanceof Error ? error.message : '');
    if (!isExpected) this.#hooks.fail(`a mistake in the app: ${(error as Error).stack}`);
  }

  #wake(fd: number): void {
    if (this.#canary.wakes(this.#kernel)) this.#kernel.writeEventfd(fd);
  }

  #plan(index: number, counters: SharedArrayBuffer): ThreadPlan<DelegateMemory> {
    return {
      index,
      options: this.#options,
      app: '',
      delegateMemory: this.#memory,
      acceptWakeups: this.#acceptWakeups,
      workerWakeups: this.#workerWakeups,
      counters,
      backend: 'epoll',
      refusedTasks: new SharedArrayBuffer(TASKS_MAX * 4),
      holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
    };
  }

  #startWorker(index: number): WorkerThread {
    const kernel = this.#kernel;
    const pools = this.#guestPools;
    const { acceptThreads, handOffsPerAcceptThread } = this.#memory.options;
    const checks = new ConnectionChecks(this.#links);
    const io = new SimIo(kernel, { ...pools, blocksSize: blocksSize(pools) }, checks);
    const counters = new SharedArrayBuffer(COUNTERS_SIZE);
    const worker = workerThread(`worker-${index}`, kernel, io, {
      plan: {
        ...this.#plan(index, counters),
        pools,
        guests: acceptThreads * handOffsPerAcceptThread,
      },
      app: COMPILED,
      wakeups: {
        wakeAcceptThread: (thread) => {
          if (this.#dies) return;
          if (kernel.random.chance(kernel.faults.wakeDies)) {
            // There it would be a rejection that nobody handles.
            if (this.#inMicrotasks) {
              this.#dies = true;
              return;
            }
            throw new ThreadDeath('the worker dies before it wakes an accept thread');
          }
          this.#wake(this.#acceptWakeups[thread]!);
        },
        wakeWorker: (other) => this.#wake(this.#workerWakeups[other]!),
      },
      log: (_message, error) => this.#onLog(error),
    });
    const { service } = worker;
    io.onWait = (mayWait) => this.#wait(worker, mayWait);
    worker.onMicrotasks = () => this.#runMicrotasksOfTick();
    this.#workerChecks[index] = checks;
    checks.attach({
      kernel,
      thread: acceptThreads + index,
      ownership: this.#ownership,
      clock: service.loop.clock,
      get connections() {
        return service.guests.connections;
      },
      io,
      counters: new Float64Array(counters, 0, COUNTERS),
      requests: this.#options.requests,
      drainsSinceMs: undefined,
      isRecalled: () => this.isDraining,
      clientOf: (socket) => this.#hooks.clientOf(socket),
      attach: () => this.#hooks.fail('a worker accepts a connection'),
      onGuestOperation: () => this.#dieAt(kernel.faults.servesDies),
      fail: this.#hooks.fail,
    });
    this.#canary.spoilGuests(service, kernel);
    this.#letGuestsDie(service);
    if (this.isDraining) worker.tell('recall');
    return worker;
  }

  // Before and after a connection comes or goes.
  #letGuestsDie({ guests }: WorkerService): void {
    const { adoptDies, returnDies } = this.#kernel.faults;
    const adopt = guests.adopt.bind(guests);
    const depart = guests.depart.bind(guests);
    const end = guests.end.bind(guests);
    guests.adopt = (holder) => {
      this.#dieAt(adoptDies);
      const blocks = adopt(holder);
      this.#dieAt(adoptDies);
      return blocks;
    };
    guests.depart = (slot) => {
      this.#dieAt(returnDies);
      depart(slot);
      this.#dieAt(returnDies);
    };
    guests.end = (slot, reason) => {
      this.#dieAt(returnDies);
      end(slot, reason);
      this.#dieAt(returnDies);
    };
  }

  #startAccept(index: number): void {
    const kernel = this.#kernel;
    const { random } = kernel;
    const { acceptCapacity } = this.#options;
    const listener = new ListeningSocket();
    this.listeners.push(listener);
    const listenerFd = kernel.open(listener);
    const pools = acceptPools(random, acceptCapacity);
    const checks = new ConnectionChecks(this.#links);
    const ioOptions = { ...pools, blocksSize: blocksSize(pools) };
    const io = this.#canary.makeIo(kernel, ioOptions, checks);
    const counters = new SharedArrayBuffer(COUNTERS_SIZE);
    const plan: AcceptThreadPlan<DelegateMemory> = {
      ...this.#plan(index, counters),
      listenerFd,
      pools,
      rows: new SharedArrayBuffer(acceptCapacity * CONNECTION_CTX_SIZE),
    };
    const thread: AcceptThread = acceptThread(`accept-${index}`, kernel, io, {
      plan,
      app: this.#options.workerThreads === 0 ? ALONE : COMPILED,
      wakeWorker: (worker) => this.#wake(this.#workerWakeups[worker]!),
      refuseConnections: () => {
        listener.refusedAtMs = kernel.nowMs;
        this.#drainBegins[index] = thread.service.loop.clock.nowMs;
      },
      log: (_message, error) => this.#onLog(error),
      onEnd: () => {
        const { nowMs } = thread.service.loop.clock;
        const lastedMs = msBetween(this.#drainBegins[index]!, nowMs);
        this.#forced[index] = lastedMs >= DRAIN_TIMEOUT_MS;
        if (listener.backlog.length > 0 && !this.#forced[index]) {
          this.#hooks.fail('a listener is closed, and connections wait for it');
        }
        kernel.close(listenerFd);
      },
    });
    const view = new Float64Array(counters, 0, COUNTERS);
    this.#counters.push(view);
    this.#canary.spoil(thread.service);
    thread.onMicrotasks = () => this.#runMicrotasksOfTick();
    this.#attachChecks(checks, thread, view, index);
    thread.tell('serve');
    this.#accepts.push(thread);
  }

  #attachChecks(
    checks: ConnectionChecks,
    thread: AcceptThread,
    counters: Float64Array,
    index: number,
  ): void {
    const kernel = this.#kernel;
    const drainBegins = this.#drainBegins;
    const circumstances = {
      fail: this.#hooks.fail,
      tasksWereLate: () => counters[Counter.tasksLate]! > 0,
      isDraining: () => drainBegins[index] !== undefined,
      handOffsWereRefused: () => counters[Counter.handOffsRefused]! > 0,
      handOffsWereLate: () => counters[Counter.handOffsLate]! > 0,
      unreadMax: this.#memory.options.unreadBlockSize,
      holdersWereDry: () => counters[Counter.taskHoldersDry]! > 0,
      taskDied: (id: number) => this.#diedTasks.has(id),
      unixSeconds: () => unixSeconds(kernel),
    };
    checks.attach({
      kernel,
      thread: index,
      ownership: this.#ownership,
      clock: thread.service.loop.clock,
      connections: thread.service.connections,
      io: thread.io,
      counters,
      requests: this.#options.requests,
      get drainsSinceMs() {
        return drainBegins[index];
      },
      isRecalled: () => false,
      clientOf: (socket) => this.#hooks.clientOf(socket),
      attach: ({ conversation }, peer) => conversation.attach({ ...circumstances, ...peer }),
      fail: this.#hooks.fail,
    });
  }
}
