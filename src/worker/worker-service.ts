// What a worker thread does, phase by phase: the same loop as in an accept thread, with a task
// intake in place of the listener. It is built from parts it is given: it runs on any `Io`, clock
// and outer loop. Control plane at start; the phases are data plane, the tasks are the user's.
//
// Owner: one worker thread.

import type { CompiledApp } from '../app/compiled-app.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Command, WorkerThreadPlan } from '../base/thread-plan.ts';
import { HandOffRecords } from '../delegate/hand-off-records.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import type { Wakeups } from '../delegate/sleepers.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { TaskRunner } from '../delegate/task-runner.ts';
import type { Io } from '../io/io.ts';
import type { LoopClient } from '../loop/loop.ts';
import { Loop } from '../loop/loop.ts';
import type { OuterLoop } from '../loop/node-side.ts';
import { NONE } from '../memory/pool.ts';
import { Guests } from './guests.ts';

/** The most tasks in a tick. */
const TASKS_PER_TICK = 32;

export interface WorkerServiceOptions {
  readonly plan: WorkerThreadPlan<DelegateMemory>;
  readonly app: CompiledApp;
  readonly io: Io;
  readonly clock: Clock;
  readonly nodeLoop: OuterLoop;
  readonly nextTurn: (turn: () => void) => void;
  readonly wakeups: Wakeups;
  readonly log: (message: string, error?: unknown) => void;
  /** The thread was told to end, and its `Io` is destroyed. */
  readonly onEnd: () => void;
}

export class WorkerService implements LoopClient {
  readonly loop: Loop;
  readonly guests: Guests;
  readonly #intake: TaskIntake;
  readonly #runner: TaskRunner;
  readonly #counters: Counters;
  readonly #onEnd: () => void;
  // Async tasks that go on, and the most of them.
  #running = 0;
  readonly #tasks: number;
  // True exactly when a blocking handler has the thread, and runs its loop.
  #blocked = false;
  readonly #concurrency: number;
  // True exactly when the thread has said that it sleeps.
  #isSleeper = false;

  constructor(options: WorkerServiceOptions) {
    const { plan, app, io, log } = options;
    this.#counters = new Float64Array(plan.counters);
    this.#onEnd = options.onEnd;
    this.#intake = new TaskIntake(plan.delegateMemory, plan.index, options.wakeups);
    this.#runner = new TaskRunner(
      this.#intake.holders,
      app.tasks,
      { options: plan.options },
      (task, error) => {
        count(this.#counters, Counter.tasksFailed);
        log(`task "${task}" failed`, error);
      },
      (holder) => {
        this.#running--;
        this.#finish(holder);
      },
    );
    this.#concurrency = plan.options.workerConcurrency;
    this.loop = new Loop({
      io,
      clock: options.clock,
      nodeLoop: options.nodeLoop,
      nextTurn: options.nextTurn,
      counters: this.#counters,
      timers: plan.guests,
    });
    this.#tasks = app.tasks.length;
    this.guests = new Guests({
      loop: this.loop,
      app,
      holders: this.#intake.holders,
      records: new HandOffRecords(plan.delegateMemory, this.#intake.holders),
      counters: this.#counters,
      pools: plan.pools,
      requests: plan.options.requests,
      capacity: plan.guests,
      timeoutMs: plan.options.taskTimeoutMs,
      log,
      onGone: (holder) => this.#intake.finish(holder),
    });
    io.watchWakeups(plan.workerWakeups[plan.index]!);
  }

  run(): void {
    this.loop.run(this);
  }

  onCommand(kind: Command['kind']): void {
    if (kind === 'recall') this.guests.recall();
    else if (kind === 'drain') this.loop.stop();
  }

  beginTick(): void {
    this.guests.connections?.beginTick();
  }

  onCompletion(io: Io): void {
    this.guests.connections!.onCompletion(io);
  }

  // One task, or several within a millisecond of the clock: then Node is asked whether it has
  // something to do. Each is taken when the one before is done, and its result is published
  // at once.
  runMessages(): boolean {
    if (this.#blocked) return false;
    const guests = this.guests;
    if (this.#mayBlock) this.#runBlocking();
    const { clock } = this.loop;
    const begin = clock.nowMs;
    for (let ran = 0; this.#mayTake; ran++) {
      if (ran === TASKS_PER_TICK) return this.#intake.hasTasks();
      if (ran > 0) clock.update();
      if (clock.nowMs !== begin) return this.#intake.hasTasks();
      const holder = this.#intake.take();
      if (holder === NONE) break;
      if (this.#intake.holders.taskIndex(holder) >= this.#tasks) {
        // What is behind one that blocks the thread is left to others.
        if (guests.adopt(holder)) break;
        continue;
      }
      this.loop.userCodeRan();
      if (this.#runner.run(holder)) this.#finish(holder);
      else this.#running++;
    }
    this.#intake.passOn();
    return this.#mayBlock;
  }

  expectsMessages(): boolean {
    return this.#mayTake;
  }

  hasMessages(): boolean {
    return this.#intake.hasTasks();
  }

  hasWork(): boolean {
    return this.guests.connections?.hasWork === true || this.#mayBlock;
  }

  runDeferred(budget: number): boolean {
    const { connections } = this.guests;
    const more = connections?.runDeferred(budget) === true;
    return more || this.#mayBlock;
  }

  runSends(): void {
    this.guests.connections?.runSends();
  }

  onTimer(slot: number): void {
    this.guests.connections!.onTimer(slot);
  }

  runReleases(): void {
    this.guests.connections?.runReleases();
  }

  // What comes next may be a task or a connection: who has no place for either leaves it to others.
  get #mayTake(): boolean {
    if (this.#blocked || this.guests.hasWaiting) return false;
    return this.#running < this.#concurrency && this.guests.hasRoom;
  }

  // Async tasks would stand still while a blocking handler has the thread: they end first.
  get #mayBlock(): boolean {
    return this.guests.hasWaiting && !this.#blocked && this.#running === 0;
  }

  // A worker that may not take what is new sleeps through it.
  prepareSleep(): boolean {
    if (this.hasWork()) return false;
    this.#isSleeper = this.#mayTake;
    return !this.#isSleeper || this.#intake.sleep();
  }

  endSleep(): void {
    if (this.#isSleeper) this.#intake.wake();
  }

  #runBlocking(): void {
    this.#intake.passOn();
    this.#blocked = true;
    this.guests.runWaiting();
    this.#blocked = false;
    this.loop.userCodeRan();
  }

  // Counted before it is published: who has the result finds it counted.
  #finish(holder: number): void {
    count(this.#counters, Counter.tasksRun);
    this.#intake.finish(holder);
  }

  onStopped(): void {
    this.guests.assertAllFree();
    this.loop.io.destroy();
    this.#onEnd();
  }
}
