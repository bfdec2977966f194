// Delegation as the connections of an accept thread see it: the task goes to the workers, or is run
// here and now when there are none; either way its result comes back by `onTaskDone`. Data plane.

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Connections } from '../connection/connections.ts';
import type { TaskDelegation } from '../connection/task-delegation.ts';
import type { Delegator } from '../delegate/delegator.ts';
import { TOO_LARGE } from '../delegate/delegator.ts';
import { DONE } from '../delegate/task-holders.ts';
import type { TaskRunner } from '../delegate/task-runner.ts';
import { NONE } from '../memory/pool.ts';
import type { HandOffs } from './hand-offs.ts';

const ACCEPTED = 0;
/** RFC 9110 section 15.5.15: the target does not fit a task holder. */
const URI_TOO_LONG = 414;
/** RFC 9110 section 15.6.4: every holder of the thread is taken, or the task is not safe to run. */
const SERVICE_UNAVAILABLE = 503;

export interface AcceptThreadDelegationOptions {
  readonly delegator: Delegator;
  readonly bytes: Uint8Array;
  readonly counters: Counters;
  /** By task: 1 while it is refused. */
  readonly refused: Int32Array;
  readonly clock: Clock;
  /** From its delegation a task has so many milliseconds. */
  readonly timeoutMs: number;
  /** The most exchanges. */
  readonly exchanges: number;
  /** How many tasks there are: the indexes behind them are those of connection handlers. */
  readonly tasks: number;
  readonly handOffs: HandOffs | undefined;
  /** Set exactly when there are no workers. */
  readonly inlineRunner: TaskRunner | undefined;
  /** Tells the loop that code of the user is going to run. */
  readonly onUserCode: () => void;
}

export class AcceptThreadDelegation implements TaskDelegation {
  readonly #delegator: Delegator;
  readonly #bytes: Uint8Array;
  readonly #counters: Counters;
  readonly #refused: Int32Array;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #inlineRunner: TaskRunner | undefined;
  readonly #tasks: number;
  readonly #handOffs: HandOffs | undefined;
  readonly #onUserCode: () => void;
  // By exchange: the holder of the task it waits for, or NONE.
  readonly #holderOf: Int32Array;
  #connections: Connections | undefined;

  constructor(options: AcceptThreadDelegationOptions) {
    this.#delegator = options.delegator;
    this.#bytes = options.bytes;
    this.#counters = options.counters;
    this.#refused = options.refused;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#inlineRunner = options.inlineRunner;
    this.#tasks = options.tasks;
    this.#handOffs = options.handOffs;
    this.#onUserCode = options.onUserCode;
    this.#holderOf = new Int32Array(options.exchanges).fill(NONE);
  }

  /** The connections, which are made with a reference to this. Control plane. */
  attach(connections: Connections): void {
    this.#connections = connections;
  }

  delegate(
    task: number,
    exchange: number,
    generation: number,
    offset: number,
    size: number,
  ): number {
    // There was no room to hand its connection off, which was counted.
    if (task >= this.#tasks) return SERVICE_UNAVAILABLE;
    if (Atomics.load(this.#refused, task) !== 0) {
      count(this.#counters, Counter.tasksRefused);
      return SERVICE_UNAVAILABLE;
    }
    const runner = this.#inlineRunner;
    const delegator = this.#delegator;
    const bytes = this.#bytes;
    if (runner !== undefined) this.#onUserCode();
    const deadlineMs = (this.#clock.nowMs + this.#timeoutMs) | 0 || 1;
    const holder =
      runner === undefined
        ? delegator.delegate(task, exchange, generation, bytes, offset, size, deadlineMs)
        : delegator.runInline(runner, task, exchange, generation, bytes, offset, size, deadlineMs);
    if (holder === TOO_LARGE) return URI_TOO_LONG;
    if (holder === NONE) {
      count(this.#counters, Counter.taskHoldersDry);
      return SERVICE_UNAVAILABLE;
    }
    if (runner !== undefined && delegator.holders.state(holder) === DONE) this.#onDone(holder);
    else this.#holderOf[exchange] = holder;
    return ACCEPTED;
  }

  /** An async task that this thread runs itself is done. */
  onInlineDone(holder: number): void {
    this.#delegator.finishInline(holder);
    this.#onDone(holder);
  }

  /** Nobody waits for the result of an exchange's task any more. */
  cancel(exchange: number): void {
    const holder = this.#holderOf[exchange]!;
    assert(holder !== NONE, 'a task that is cancelled was delegated');
    this.#holderOf[exchange] = NONE;
    if (this.#delegator.abandon(holder)) count(this.#counters, Counter.tasksCancelled);
  }

  /** Ends the wait for tasks that are late. */
  expire(nowMs: number): void {
    const delegator = this.#delegator;
    for (let late = delegator.nextLate(nowMs); late !== NONE; late = delegator.nextLate(nowMs)) {
      if (delegator.holders.taskIndex(late) >= this.#tasks) {
        this.#handOffs!.expire(late);
        continue;
      }
      const exchange = delegator.holders.exchange(late);
      const generation = delegator.holders.exchangeGeneration(late);
      count(this.#counters, Counter.tasksLate);
      this.cancel(exchange);
      this.#connections!.onTaskLate(exchange, generation);
    }
  }

  /** The message phase of a tick: results of the workers. */
  runCompletions(budget: number): boolean {
    if (!this.#delegator.takeCompletions()) return false;
    for (let done = 0; done < budget; done++) {
      const holder = this.#delegator.nextCompletion();
      if (holder === NONE) return false;
      this.#onDone(holder);
    }
    return this.#delegator.hasCompletions();
  }

  #onDone(holder: number): void {
    assert(this.#connections !== undefined, 'connections are attached at start');
    const holders = this.#delegator.holders;
    if (holders.taskIndex(holder) >= this.#tasks) {
      this.#handOffs!.onDone(holder);
      return;
    }
    const exchange = holders.exchange(holder);
    if (this.#holderOf[exchange] === holder) this.#holderOf[exchange] = NONE;
    count(this.#counters, Counter.tasksCompleted);
    this.#connections.onTaskDone(
      exchange,
      holders.exchangeGeneration(holder),
      holders.status(holder),
      holders.bytes,
      holders.payloadOffset(holder),
      holders.outputSize(holder),
    );
    this.#delegator.release(holder);
  }
}
