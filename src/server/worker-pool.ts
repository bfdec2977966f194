// The worker threads as the main thread sees them: started, replaced when they die, told to end.
//
// When a worker dies, by an uncaught error, `process.exit()`, its heap's limit or because it was
// ended, the task it ran gets an error, what it held of the process is released, and a new thread
// takes its place. Tasks in the queue are not lost: they wait for whichever worker comes.
// Control plane.

import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { msBetween } from '../base/clock.ts';
import { COUNTERS_SIZE } from '../base/counters.ts';
import { MODULE_EXTENSION } from '../base/modules.ts';
import type { WorkerThreadPlan } from '../base/thread-plan.ts';
import { repairDeadWorker } from '../delegate/dead-thread.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import type { Wakeups } from '../delegate/sleepers.ts';
import { NO_DEADLINE, RUNNING, TaskHolders } from '../delegate/task-holders.ts';
import { TaskQueue } from '../delegate/task-queue.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import { NONE } from '../memory/pool.ts';
import type { CrashBudget } from './crash-budget.ts';
import { REFUSED_MS, WINDOW_MS } from './crash-budget.ts';
import { HangLooks, LateRun } from './hang-looks.ts';
import { Deaths, releaseLater } from './replacement.ts';
import { Thread } from './thread.ts';

const WORKER_THREAD = new URL(`../worker/worker-thread${MODULE_EXTENSION}`, import.meta.url);

/** How often it is looked whether workers hang, and how late a task may be before one does. */
const HANG_LOOK_MS = 50;
const HANG_GRACE_MS = 100;
/** A thread that is not stuck answers within this. */
const HANG_ANSWER_MS = 250;

export interface WorkerPoolOptions {
  /** What the plans of all threads have in common. */
  readonly plan: Omit<WorkerThreadPlan<DelegateMemory>, 'index' | 'counters' | 'holdings'>;
  readonly wakeups: Wakeups;
  readonly crashBudget: CrashBudget;
  readonly log: (message: string) => void;
  /** What threads say. */
  readonly logThread: (thread: string, message: string) => void;
}

interface Place {
  thread: Thread;
  readonly counters: SharedArrayBuffer;
  holdings: SharedArrayBuffer;
  readonly deaths: Deaths;
  /** True exactly when it is looked at, or was ended, because its task is late. */
  isSuspect: boolean;
  /** The task for which it was ended though it was not stuck, or NONE. */
  endedFor: number;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #places: Place[] = [];
  readonly #replacing = new Set<Promise<void>>();
  readonly #clock = new SystemClock();
  readonly #holders: TaskHolders;
  readonly #queue: TaskQueue;
  readonly #looks = new HangLooks();
  readonly #hangCheck: NodeJS.Timeout;
  #recalled = false;
  #ending = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#holders = new TaskHolders(options.plan.delegateMemory);
    this.#queue = new TaskQueue(options.plan.delegateMemory, this.#holders);
    this.#hangCheck = setInterval(() => this.#endHanging(), HANG_LOOK_MS);
    this.#hangCheck.unref();
  }

  /** By index; fewer than there will be while `start` runs. */
  get threads(): readonly Thread[] {
    return this.#places.map(({ thread }) => thread);
  }

  /**
   * Starts workers until there are `count`. From now on those that die are replaced, and those that
   * hang are ended. @throws StartError of the first that cannot start.
   */
  async start(count: number): Promise<void> {
    await this.#startUntil(count, (thread) => thread.ready);
  }

  /** As `start`, for a server that serves already: who cannot start is logged, and tried again. */
  async startOthers(count: number): Promise<void> {
    await this.#startUntil(count, (thread) => thread.ready.catch(() => {}));
  }

  /** The server drains: connections go home when they are served, also from workers to come. */
  recall(): void {
    this.#recalled = true;
    for (const thread of this.threads) thread.tell('recall');
  }

  /** Lets every worker return from its task, and end. */
  async end(): Promise<void> {
    this.#ending = true;
    clearInterval(this.#hangCheck);
    await Promise.all(this.#replacing);
    for (const thread of this.threads) thread.tell('drain');
    await Promise.all(this.threads.map((thread) => thread.ended));
  }

  async terminate(): Promise<void> {
    this.#ending = true;
    clearInterval(this.#hangCheck);
    await Promise.all(this.threads.map((thread) => thread.terminate()));
    for (const { holdings } of this.#places) releaseLater(holdings);
  }

  // As many at a time as there are CPUs.
  async #startUntil(count: number, begun: (thread: Thread) => Promise<void>): Promise<void> {
    const lane = async (): Promise<void> => {
      while (this.#places.length < count && !this.#ending) await begun(this.#add().thread);
    };
    await Promise.all(Array.from({ length: availableParallelism() }, lane));
  }

  #add(): Place {
    const index = this.#places.length;
    const counters = new SharedArrayBuffer(COUNTERS_SIZE);
    const holdings = new SharedArrayBuffer(HOLDINGS_SIZE);
    const place = {
      thread: this.#thread(index, counters, holdings),
      counters,
      holdings,
      deaths: new Deaths(),
      isSuspect: false,
      endedFor: NONE,
    };
    this.#places.push(place);
    void this.#watch(place, index);
    return place;
  }

  #thread(index: number, counters: SharedArrayBuffer, holdings: SharedArrayBuffer): Thread {
    const { plan, logThread } = this.#options;
    const thread = new Thread(
      `worker-${index}`,
      WORKER_THREAD,
      { ...plan, index, counters, holdings },
      logThread,
      plan.options.workerHeap,
    );
    if (this.#recalled) thread.tell('recall');
    return thread;
  }

  async #watch(place: Place, index: number): Promise<void> {
    for (;;) {
      const error = await place.thread.ended;
      if (this.#ending) return;
      const replaced = this.#replace(place, index, error);
      this.#replacing.add(replaced);
      await replaced;
      this.#replacing.delete(replaced);
    }
  }

  async #replace(place: Place, index: number, error: Error | undefined): Promise<void> {
    const { plan, wakeups, log } = this.#options;
    this.#clock.update();
    const { nowMs } = this.#clock;
    const { failedTasks, diedOf } = repairDeadWorker(plan.delegateMemory, index, wakeups, nowMs);
    const backoff = place.deaths.add();
    const names = failedTasks.map((task) => place.thread.tasks[task] ?? String(task));
    const ran =
      names.length === 0 ? '' : ` (it ran ${names.map((name) => `"${name}"`).join(', ')})`;
    log(`worker-${index} died and is replaced${ran}: ${error?.stack ?? 'it ended by itself'}`);
    // One that was ended for a task, and was not stuck, may have had anything in hand.
    this.#spend(place, place.endedFor === NONE ? diedOf : place.endedFor);
    releaseLater(place.holdings);
    if (backoff > 0) await delay(backoff);
    place.deaths.begin();
    place.isSuspect = false;
    place.endedFor = NONE;
    place.holdings = new SharedArrayBuffer(HOLDINGS_SIZE);
    place.thread = this.#thread(index, place.counters, place.holdings);
  }

  // Looks for workers with a task that is late by more than the grace in which it could notice.
  #endHanging(): void {
    const { acceptThreads } = this.#options.plan.options;
    const holders = this.#holders;
    if (!this.#looks.begin(this.#queue.taken)) return;
    this.#clock.update();
    for (let holder = 0; holder < holders.count; holder++) {
      if (holders.state(holder) !== RUNNING) continue;
      this.#looks.foundRunning();
      const deadlineMs = holders.deadlineMs(holder);
      if (deadlineMs === NO_DEADLINE) continue;
      const lateMs = msBetween(deadlineMs, this.#clock.nowMs);
      const index = holders.thread(holder) - acceptThreads;
      const place = this.#places[index];
      if (lateMs < HANG_GRACE_MS || place === undefined || place.isSuspect) continue;
      place.isSuspect = true;
      void this.#endIfHanging(place, index, new LateRun(holders, holder), lateMs);
    }
  }

  // A worker that answers is not stuck: its late task is async, and its other tasks go on. Even so
  // it is ended when the task has taken twice its time, because it holds a place for ever.
  async #endIfHanging(place: Place, index: number, run: LateRun, lateMs: number): Promise<void> {
    const { thread } = place;
    const { plan, log } = this.#options;
    const answer = await thread.heap(HANG_ANSWER_MS);
    if (place.thread !== thread) return;
    place.isSuspect = false;
    if (!run.goesOn || (answer !== undefined && lateMs < plan.options.taskTimeoutMs)) return;
    place.isSuspect = true;
    if (answer !== undefined) place.endedFor = run.task;
    log(`worker-${index} is ended: its task is ${lateMs} ms over its deadline`);
    await thread.terminate();
  }

  #spend(place: Place, task: number): void {
    const { crashBudget, log } = this.#options;
    if (task === NONE || !crashBudget.spend(task)) return;
    const name = place.thread.tasks[task] ?? String(task);
    log(
      `task "${name}" ended ${crashBudget.deathsMax} workers within ${WINDOW_MS / 1000} s: ` +
        `it is refused for ${REFUSED_MS / 1000} s`,
    );
  }
}
