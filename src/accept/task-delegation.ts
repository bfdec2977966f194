// Delegation as the connections of an accept thread see it: the task goes to the workers, or is run
// here and now when there are none; either way its result comes back by `TaskSide.onDone`.
// Data plane.

import type { TaskCaller } from '../app/request.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Connections } from '../connection/connections.ts';
import type { TaskDelegation } from '../connection/task-delegation.ts';
import type { Delegator } from '../delegate/delegator.ts';
import { TOO_LARGE } from '../delegate/delegator.ts';
import { BYTES } from '../delegate/payload-kind.ts';
import { tooLarge } from '../delegate/task.ts';
import { DONE, sizeOf } from '../delegate/task-holders.ts';
import type { TaskRunner } from '../delegate/task-runner.ts';
import { NONE } from '../memory/pool.ts';
import type { HandOffs } from './hand-offs.ts';
import { TaskCalls } from './task-calls.ts';

const ACCEPTED = 0;
/** The most results in a tick that handlers wait for: they go on behind it. */
const AWAITED_PER_TICK = 16;
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
  /** By index; the indexes behind them are those of connection handlers. */
  readonly tasks: readonly { readonly name: string }[];
  readonly handOffs: HandOffs | undefined;
  /** Runs tasks in this thread: all, or those that the queue is too full for. */
  readonly inlineRunner: TaskRunner | undefined;
  readonly hasWorkers: boolean;
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
  // Of all tasks, and of those beyond the queue.
  readonly #inlineRunner: TaskRunner | undefined;
  readonly #tasks: number;
  readonly #handOffs: HandOffs | undefined;
  readonly #fullRunner: TaskRunner | undefined;
  // By exchange: the holder of the task it waits for, or NONE.
  readonly #holderOf: Int32Array;
  readonly #calls: TaskCalls;
  readonly #onUserCode: () => void;
  // Results in this tick that handlers wait for.
  #settled = 0;
  #connections: Connections | undefined;

  constructor(options: AcceptThreadDelegationOptions) {
    this.#delegator = options.delegator;
    this.#bytes = options.bytes;
    this.#counters = options.counters;
    this.#refused = options.refused;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#inlineRunner = options.hasWorkers ? undefined : options.inlineRunner;
    this.#fullRunner = options.hasWorkers ? options.inlineRunner : undefined;
    this.#tasks = options.tasks.length;
    this.#handOffs = options.handOffs;
    this.#onUserCode = options.onUserCode;
    this.#calls = new TaskCalls(options.delegator.holders, options.tasks, (holder) =>
      this.#abandon(holder),
    );
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
    if (this.#isRefused(task)) return SERVICE_UNAVAILABLE;
    let runner = this.#inlineRunner;
    const delegator = this.#delegator;
    const bytes = this.#bytes;
    if (runner !== undefined) this.#onUserCode();
    const at = this.#deadlineMs();
    let holder =
      runner === undefined
        ? delegator.delegate(task, exchange, generation, bytes, offset, size, at)
        : delegator.runInline(runner, task, exchange, generation, bytes, offset, size, at);
    if (holder === NONE && this.#fullRunner !== undefined) {
      runner = this.#fullRunner;
      this.#onUserCode();
      holder = delegator.runInline(
        runner,
        task,
        exchange,
        generation,
        bytes,
        offset,
        size,
        at,
        true,
      );
      if (holder !== NONE) count(this.#counters, Counter.tasksRunInline);
    }
    if (holder === TOO_LARGE) return URI_TOO_LONG;
    if (holder === NONE) {
      count(this.#counters, Counter.taskHoldersDry);
      return SERVICE_UNAVAILABLE;
    }
    if (runner !== undefined && delegator.holders.state(holder) === DONE) this.#onDone(holder);
    else this.#holderOf[exchange] = holder;
    return ACCEPTED;
  }

  get inputSizeMax(): number {
    return this.#delegator.holders.payloadSize;
  }

  delegateInput(
    task: number,
    exchange: number,
    generation: number,
    input: string | Uint8Array,
    kind: number,
  ): number {
    if (this.#isRefused(task)) return SERVICE_UNAVAILABLE;
    const delegator = this.#delegator;
    const at = this.#deadlineMs();
    let isSpare = false;
    let holder = delegator.build(task, exchange, generation, input, kind, at);
    assert(holder !== TOO_LARGE, 'the input fits a holder');
    if (holder === NONE && this.#fullRunner !== undefined) {
      isSpare = true;
      holder = delegator.build(task, exchange, generation, input, kind, at, true);
    }
    if (holder === NONE) {
      count(this.#counters, Counter.taskHoldersDry);
      return SERVICE_UNAVAILABLE;
    }
    this.#holderOf[exchange] = holder;
    this.#send(holder, isSpare);
    return ACCEPTED;
  }

  /** Control plane: who awaits a result allocates. */
  call(
    task: number,
    input: string | Uint8Array,
    kind: number,
    caller: TaskCaller,
    into?: Uint8Array,
  ): Promise<unknown> {
    if (this.#isRefused(task)) return this.#calls.fail(task, 'refused');
    const delegator = this.#delegator;
    const at = this.#deadlineMs();
    let isSpare = false;
    let holder = delegator.build(task, NONE, 0, input, kind, at);
    if (holder === NONE && this.#fullRunner !== undefined) {
      isSpare = true;
      holder = delegator.build(task, NONE, 0, input, kind, at, true);
    }
    if (holder === TOO_LARGE) {
      return this.#calls.failAsTooLarge(task, tooLarge('input', sizeOf(input), this.inputSizeMax));
    }
    if (holder === NONE) {
      count(this.#counters, Counter.taskHoldersDry);
      return this.#calls.fail(task, 'full');
    }
    count(this.#counters, Counter.tasksDelegated);
    const result = this.#calls.begin(holder, caller, into);
    this.#send(holder, isSpare);
    return result;
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
    this.#abandon(holder);
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
      this.#onUserCode();
      if (this.#calls.expire(late)) continue;
      if (this.#holderOf[exchange] === late) this.#holderOf[exchange] = NONE;
      this.#abandon(late);
      this.#connections!.tasks.onLate(exchange, generation);
    }
  }

  /** The message phase of a tick: results of the workers. */
  runCompletions(budget: number): boolean {
    if (!this.#delegator.takeCompletions()) return false;
    this.#settled = 0;
    for (let done = 0; done < budget; done++) {
      const holder = this.#delegator.nextCompletion();
      if (holder === NONE) return false;
      this.#onDone(holder);
      // Who has its result may delegate again before the workers run out of tasks.
      if (this.#settled === AWAITED_PER_TICK) break;
    }
    return this.#delegator.hasCompletions();
  }

  #onDone(holder: number): void {
    assert(this.#connections !== undefined, 'connections are attached at start');
    const holders = this.#delegator.holders;
    const isConnection = holders.taskIndex(holder) >= this.#tasks;
    if (this.#delegator.isInherited(holder)) {
      if (isConnection) this.#handOffs!.closeInherited(holder);
      this.#delegator.release(holder);
      return;
    }
    if (isConnection) {
      this.#handOffs!.onDone(holder);
      return;
    }
    const exchange = holders.exchange(holder);
    count(this.#counters, Counter.tasksCompleted);
    if (exchange === NONE) {
      if (this.#calls.settle(holder)) {
        this.#settled++;
        this.#onUserCode();
      } else count(this.#counters, Counter.completionsStale);
    } else {
      if (this.#holderOf[exchange] === holder) this.#holderOf[exchange] = NONE;
      const kind = holders.outputKind(holder);
      const size = holders.outputSize(holder);
      const isBytes = kind === BYTES;
      this.#connections.tasks.onDone(
        exchange,
        holders.exchangeGeneration(holder),
        holders.status(holder),
        isBytes ? holders.view(holder, size) : holders.bytes,
        isBytes ? 0 : holders.payloadOffset(holder),
        size,
        kind,
      );
    }
    this.#delegator.release(holder);
  }

  #isRefused(task: number): boolean {
    if (Atomics.load(this.#refused, task) === 0) return false;
    count(this.#counters, Counter.tasksRefused);
    return true;
  }

  #deadlineMs(): number {
    return (this.#clock.nowMs + this.#timeoutMs) | 0 || 1;
  }

  #send(holder: number, isSpare: boolean): void {
    const delegator = this.#delegator;
    const runner = isSpare ? this.#fullRunner : this.#inlineRunner;
    if (isSpare) count(this.#counters, Counter.tasksRunInline);
    if (runner === undefined) delegator.send(holder);
    else {
      delegator.runHere(runner, holder);
      if (delegator.holders.state(holder) === DONE) this.#onDone(holder);
    }
  }

  #abandon(holder: number): void {
    if (this.#delegator.abandon(holder)) count(this.#counters, Counter.tasksCancelled);
  }
}
