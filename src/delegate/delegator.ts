// The accept thread's side of delegation: builds tasks in place, queues them, works through their
// completions.
//
// Owner: one accept thread, and with it the thread's share of the holders. Data plane. Policy when
// the share is dry: `delegate` answers NONE and counts, the caller refuses the request or waits for
// a completion. Every holder that `nextCompletion` or `runInline` answered is released by the
// caller, after it read the status and the output; a generation that no longer fits the connection
// only means that nobody waits for the result.

import { assert } from '../base/assert.ts';
import { NONE, Pool } from '../memory/pool.ts';
import { CompletionStack } from './completion-stack.ts';
import type { DelegateMemory } from './layout.ts';
import { acceptSleepers, type Sleepers, workerSleepers } from './sleepers.ts';
import { BUILDING, FREE, NO_DEADLINE, sizeOf, TaskHolders } from './task-holders.ts';
import { TaskQueue } from './task-queue.ts';
import type { TaskRunner } from './task-runner.ts';

/** What `delegate` answers when the input is larger than a holder's payload. */
export const TOO_LARGE = -2;
/** RFC 9110 section 15.6.5; nobody sees it. */
const STATUS_ABANDONED = 504;

export class Delegator {
  readonly acceptThread: number;
  readonly holders: TaskHolders;
  /** Counters of this thread. */
  delegatedCount = 0;
  completedCount = 0;
  dryCount = 0;
  tooLargeCount = 0;
  wakeupsCount = 0;
  readonly #pool: Pool;
  readonly #firstHolder: number;
  readonly #sharedMax: number;
  readonly #queue: TaskQueue;
  readonly #completions: CompletionStack;
  readonly #workers: Sleepers;
  readonly #acceptThreads: Sleepers;
  readonly #wakeWorker: (worker: number) => void;
  // By holder of this thread: 1 when nobody waits for its result.
  readonly #abandoned: Uint8Array;
  // By holder of this thread: 1 when it is used by the thread that died in this one's place.
  readonly #isInherited: Uint8Array;
  // Where `nextLate` goes on.
  #lateCursor = 0;
  // The oldest of the completions that were taken and not yet worked on.
  #oldest = NONE;

  /**
   * `wakeWorker` writes the eventfd of a worker. `spares` holders are kept for tasks that this
   * thread runs because the others are taken. Control plane.
   */
  constructor(
    memory: DelegateMemory,
    acceptThread: number,
    wakeWorker: (worker: number) => void,
    spares = 0,
  ) {
    const share = memory.options.holdersPerAcceptThread;
    this.acceptThread = acceptThread;
    this.holders = new TaskHolders(memory);
    this.#pool = new Pool('task holders', share);
    this.#abandoned = new Uint8Array(share);
    this.#firstHolder = acceptThread * share;
    this.#sharedMax = share - spares;
    this.#queue = new TaskQueue(memory, this.holders);
    this.#completions = new CompletionStack(memory, this.holders, acceptThread);
    this.#workers = workerSleepers(memory);
    this.#acceptThreads = acceptSleepers(memory);
    this.#wakeWorker = wakeWorker;
    this.#isInherited = new Uint8Array(share);
    this.#inherit();
  }

  /** True exactly when the holder was used by the thread that died in this one's place. */
  isInherited(holder: number): boolean {
    return this.#isInherited[holder - this.#firstHolder] === 1;
  }

  /** The first holder of this thread. */
  get firstHolder(): number {
    return this.#firstHolder;
  }

  /** True exactly when the holder is of this thread's share. */
  isOwn(holder: number): boolean {
    const index = holder - this.#firstHolder;
    return index >= 0 && index < this.#pool.capacity;
  }

  /** Holders of this thread that are not free. */
  get holdersUsed(): number {
    return this.#pool.used;
  }

  get holdersHighWater(): number {
    return this.#pool.highWater;
  }

  /**
   * Delegates a task to the workers; its input is copied from `bytes`. Answers its holder, NONE
   * when this thread's share is dry, or TOO_LARGE. The result comes from `nextCompletion`.
   */
  delegate(
    taskIndex: number,
    exchange: number,
    generation: number,
    bytes: Uint8Array,
    offset: number,
    size: number,
    deadlineMs = 0,
  ): number {
    assert(this.#workers.count > 0, 'with no workers, tasks are run inline');
    const holder = this.#build(taskIndex, exchange, generation, bytes, offset, size, deadlineMs);
    if (holder < 0) return holder;
    this.send(holder);
    return holder;
  }

  /**
   * Builds a task with an input of `kind`, a string as UTF-8; `send` or `runHere` follows. Answers
   * its holder, NONE when this thread's share is dry, or TOO_LARGE.
   */
  build(
    taskIndex: number,
    exchange: number,
    generation: number,
    input: string | Uint8Array,
    kind: number,
    deadlineMs: number,
    isSpare = false,
  ): number {
    if (sizeOf(input) > this.holders.payloadSize) {
      this.tooLargeCount++;
      return TOO_LARGE;
    }
    const holder = this.#acquire(isSpare);
    if (holder === NONE) return NONE;
    this.holders.build(holder, this.acceptThread, taskIndex, exchange, generation, deadlineMs);
    this.holders.writeInput(holder, input, kind);
    this.delegatedCount++;
    return holder;
  }

  /** Gives a task that was built to the workers. */
  send(holder: number): void {
    assert(this.#workers.count > 0, 'with no workers, tasks are run inline');
    this.#wake(this.#queue.push(holder, this.acceptThread));
  }

  /** Runs a task that was built in this thread: see `runInline`. */
  runHere(runner: TaskRunner, holder: number): void {
    this.holders.runInline(holder, this.acceptThread);
    if (runner.run(holder)) this.finishInline(holder);
  }

  /**
   * Sets a holder aside for a connection that is going to be handed to a worker: BUILDING until
   * `handOff` or `withdraw`. NONE when this thread's share is dry.
   */
  reserve(index: number, slot: number, generation: number): number {
    const holder = this.#acquire(false);
    if (holder === NONE) return NONE;
    this.holders.build(holder, this.acceptThread, index, slot, generation, NO_DEADLINE);
    this.holders.markConnection(holder);
    return holder;
  }

  /** Queues the holder: what it names is the worker's from here on, until it is a completion. */
  handOff(holder: number, deadlineMs: number): void {
    this.holders.setDeadline(holder, deadlineMs);
    this.delegatedCount++;
    this.#wake(this.#queue.push(holder, this.acceptThread));
  }

  /** Gives a holder back that was reserved. */
  withdraw(holder: number): void {
    this.holders.runInline(holder, this.acceptThread);
    this.discard(holder);
  }

  /**
   * Runs the task in this thread, as without workers. Answers its holder, or NONE, or TOO_LARGE.
   * If the holder is DONE, the result is in it, to be released by the caller as any completion; if
   * not, the task is async, and `finishInline` follows.
   */
  runInline(
    runner: TaskRunner,
    taskIndex: number,
    exchange: number,
    generation: number,
    bytes: Uint8Array,
    offset: number,
    size: number,
    deadlineMs = 0,
    isSpare = false,
  ): number {
    const holder = this.#build(
      taskIndex,
      exchange,
      generation,
      bytes,
      offset,
      size,
      deadlineMs,
      isSpare,
    );
    if (holder < 0) return holder;
    this.runHere(runner, holder);
    return holder;
  }

  /** A task that this thread ran itself is done. */
  finishInline(holder: number): void {
    this.holders.markDone(holder, this.acceptThread);
    this.completedCount++;
  }

  /**
   * Takes what the workers finished, unless completions taken earlier still wait: those are older.
   * Answers true exactly when `nextCompletion` has one.
   */
  takeCompletions(): boolean {
    if (this.#oldest === NONE) this.#oldest = this.#completions.takeAll();
    return this.#oldest !== NONE;
  }

  /** The oldest completion that was taken, or NONE. The caller counts against its budget. */
  nextCompletion(): number {
    const holder = this.#oldest;
    if (holder === NONE) return NONE;
    this.#oldest = this.#completions.next(holder);
    this.completedCount++;
    return holder;
  }

  /**
   * Nobody waits for the result any more. A task that no worker has begun is taken back, one that
   * runs is told (`Task.cancelled`); its result still comes from `nextCompletion`. Answers true
   * when it was taken back.
   */
  abandon(holder: number): boolean {
    const { holders } = this;
    this.#abandoned[holder - this.#firstHolder] = 1;
    holders.cancel(holder);
    if (!this.takeBack(holder)) return false;
    this.discard(holder);
    return true;
  }

  /** A holder that no worker has begun is RUNNING by this thread from here on. False: too late. */
  takeBack(holder: number): boolean {
    return this.holders.tryTakeBack(holder, this.acceptThread);
  }

  /** Gives a holder back that this thread runs, and whose result is of no use. */
  discard(holder: number): void {
    this.holders.setStatus(holder, STATUS_ABANDONED);
    this.holders.markDone(holder, this.acceptThread);
    this.release(holder);
  }

  /** A task whose deadline has passed and whose result is awaited, or NONE. Call until NONE. */
  nextLate(nowMs: number): number {
    const { holders } = this;
    while (this.#lateCursor < this.#pool.capacity) {
      const slot = this.#lateCursor++;
      if (this.#abandoned[slot] === 1 || !this.#pool.isUsed(slot)) continue;
      const holder = this.#firstHolder + slot;
      if (holders.isDone(holder) || holders.state(holder) === BUILDING) continue;
      if (holders.isLate(holder, nowMs)) return holder;
    }
    this.#lateCursor = 0;
    return NONE;
  }

  /** Gives a holder back after its result was read. */
  release(holder: number): void {
    assert(this.holders.acceptThread(holder) === this.acceptThread, 'a holder returns home');
    this.holders.markFree(holder);
    this.#abandoned[holder - this.#firstHolder] = 0;
    this.#isInherited[holder - this.#firstHolder] = 0;
    this.#pool.release(holder - this.#firstHolder);
  }

  /** True exactly when a completion waits, taken or not. */
  hasCompletions(): boolean {
    return this.#oldest !== NONE || !this.#completions.isEmpty();
  }

  /** Before blocking: true when the thread may, false when a completion waits. */
  sleep(): boolean {
    this.#acceptThreads.sleep(this.acceptThread);
    if (!this.hasCompletions()) return true;
    this.#acceptThreads.wake(this.acceptThread);
    return false;
  }

  /** After blocking. */
  wake(): void {
    this.#acceptThreads.wake(this.acceptThread);
  }

  /** Control plane. */
  assertAllFree(): void {
    this.#pool.assertAllFree();
  }

  #build(
    taskIndex: number,
    exchange: number,
    generation: number,
    bytes: Uint8Array,
    offset: number,
    size: number,
    deadlineMs: number,
    isSpare = false,
  ): number {
    if (size > this.holders.payloadSize) {
      this.tooLargeCount++;
      return TOO_LARGE;
    }
    const holder = this.#acquire(isSpare);
    if (holder === NONE) return NONE;
    this.holders.build(holder, this.acceptThread, taskIndex, exchange, generation, deadlineMs);
    this.holders.setInput(holder, bytes, offset, size);
    this.delegatedCount++;
    return holder;
  }

  // What a dead thread has left to workers comes back to this one, which wants nothing of it.
  // Control plane.
  #inherit(): void {
    const { capacity } = this.#pool;
    const isFree = (slot: number): boolean => this.holders.state(this.#firstHolder + slot) === FREE;
    let used = capacity;
    while (used > 0 && isFree(used - 1)) used--;
    for (let slot = 0; slot < used; slot++) this.#pool.acquire();
    for (let slot = used - 1; slot >= 0; slot--) {
      if (isFree(slot)) this.#pool.release(slot);
      else {
        this.#abandoned[slot] = 1;
        this.#isInherited[slot] = 1;
      }
    }
  }

  #acquire(isSpare: boolean): number {
    const isTaken = !isSpare && this.#pool.used >= this.#sharedMax;
    const slot = isTaken ? NONE : this.#pool.acquire();
    if (slot !== NONE) return this.#firstHolder + slot;
    this.dryCount++;
    return NONE;
  }

  #wake(wakeups: number): void {
    for (let i = 0; i < wakeups; i++) {
      const worker = this.#workers.claimAny();
      if (worker === NONE) return;
      this.wakeupsCount++;
      this.#wakeWorker(worker);
    }
  }
}
