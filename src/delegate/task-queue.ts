// The task queue: first in, first out, from every accept thread to every worker.
//
// Shared by all threads, each with its own TaskQueue over the same memory. Data plane, no locks.
// `head` and `tail` are positions: 32-bit counters that only grow, and wrap. A position has the
// cell `position & mask` and the lap `position >>> shift`.
//
//            cells, N = 8, head = 21 (lap 2), tail = 25
//
//     cell      0     1     2     3     4     5     6     7
//            +-----+-----+-----+-----+-----+-----+-----+-----+
//     lap    |  3  |  2  |  2  |  2  |  2  |  2  |  1  |  2  |
//     holder |  h  |  .  |  .  |  .  |  .  |  h  |  .  |  h  |
//            +-----+-----+-----+-----+-----+-----+-----+-----+
//               ^     ^                       ^     ^
//               |     tail = 25               |     position 22: claimed, not yet published
//               position 24, lap 3            head = 21
//
// Push: claim a position by adding to `tail`, then write {lap, holder} into its cell.
// Take: read `head`, read its cell. If the cell has the lap of `head`, the one who moves `head`
// forward by compare-and-exchange has the entry. Otherwise its producer has not published yet, and
// the queue counts as empty: that producer wakes a worker after it has published.
// The lap is why a cell is never cleared: what an earlier lap left there is of the wrong lap.
//
// No cell is overwritten before it was taken: a holder is in the queue at most once. It becomes
// free after it ran, which is after `head` passed it; or when its task was taken back, and then its
// entry stays, and is that of its next task. So `tail - head` is at most the number of holders H,
// and N >= H: position p is claimed only after `head` passed p - N.
//
// The entry alone does not give the task to a worker: it must then change the holder from QUEUED
// to RUNNING. If that fails, the entry meant nothing, and the worker takes the next one. This makes
// repairs after a death (see `layout.ts`) harmless when they are mistaken: a hole may be
// filled with any holder at all, even when its producer lives: that one finds its cell filled, and
// claims another position. Such an entry comes on top of the H, hence a spare cell per thread.
//
// Limits: a thread that stops inside `take` or `push` while exactly 2^32 tasks pass (an hour at a
// million a second) would take an old `head` for the new one.

import { assert, VERIFY } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import {
  cellHolder,
  cellLap,
  cellOf,
  type DelegateMemory,
  delegateLayout,
  lapOf,
} from './layout.ts';
import type { TaskHolders } from './task-holders.ts';
import { QUEUED } from './task-holders.ts';

export class TaskQueue {
  /** The number of cells. */
  readonly capacity: number;
  readonly #holders: TaskHolders;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #head: number;
  readonly #tail: number;
  readonly #cells: number;
  readonly #shift: number;
  readonly #mask: number;

  constructor(memory: DelegateMemory, holders: TaskHolders) {
    const layout = delegateLayout(memory.options);
    this.capacity = 2 ** layout.cellsShift;
    this.#holders = holders;
    this.#words = new Int32Array(memory.buffer);
    this.#head = layout.head;
    this.#tail = layout.tail;
    this.#cells = layout.cells;
    this.#shift = layout.cellsShift;
    this.#mask = this.capacity - 1;
    assert(this.capacity >= layout.holdersCount, 'there is a cell for every holder');
  }

  /** How many positions are claimed and not taken; too few while others push or take. */
  get size(): number {
    const tail = Atomics.load(this.#words, this.#tail);
    return Math.max(0, (tail - Atomics.load(this.#words, this.#head)) | 0);
  }

  /** Grows by one for each entry that is taken, modulo 2^32. */
  get taken(): number {
    return Atomics.load(this.#words, this.#head);
  }

  /**
   * Queues the holder that `thread` has built. Answers how many workers to wake, if that many
   * sleep: one for this task, and one for each task behind it, because a worker that was woken for
   * those found this position not yet published and went back to sleep.
   */
  push(holder: number, thread: number): number {
    // Seldom: to look at `head` is to wait for the cache line that the workers write.
    if (this.#holders.mayHaveStaleEntry(holder)) {
      this.#holders.setStaleEntry(holder, false);
      const left = this.#holders.queuePosition(holder);
      if (this.#isEntry(left, holder)) return this.#pushAt(left, holder, thread);
    }
    let position = Atomics.add(this.#words, this.#tail, 1);
    // QUEUED comes after the claim, so that the position of a QUEUED holder is always its own.
    this.#holders.markQueued(holder, thread, position);
    position = this.#publishFrom(position, holder);
    return this.#wakeups(position);
  }

  // With the entry that the holder has left in the queue, whose task was taken back. A worker that
  // passes it from here on finds the holder QUEUED; of one that has just passed it, the look of the
  // state tells, or the holder is queued once more, as after a death.
  #pushAt(position: number, holder: number, thread: number): number {
    this.#holders.markQueued(holder, thread, position);
    const isLost = this.hasPassed(holder) && this.#holders.state(holder) === QUEUED;
    return this.#wakeups(isLost ? this.pushAgain(holder) : position);
  }

  // True exactly when `head` has not passed the position, and the holder is what lies there.
  #isEntry(position: number, holder: number): boolean {
    if (((Atomics.load(this.#words, this.#head) - position) | 0) > 0) return false;
    const cell = Atomics.load(this.#words, this.#cells + (position & this.#mask));
    return cell === cellOf(position, this.#shift, holder);
  }

  // How many entries there are from a position on.
  #wakeups(position: number): number {
    const wakeups = (Atomics.load(this.#words, this.#tail) - position) | 0;
    assert(wakeups >= 1, 'the tail is behind every position that was claimed');
    return wakeups;
  }

  /** Takes the oldest task for `thread`, RUNNING from here on; NONE when the queue is empty. */
  take(thread: number): number {
    for (;;) {
      const head = Atomics.load(this.#words, this.#head);
      const cell = Atomics.load(this.#words, this.#cells + (head & this.#mask));
      if (cellLap(cell) !== lapOf(head, this.#shift)) {
        // If `head` moved, the cell may have been of a later lap: that is not "empty".
        if (Atomics.load(this.#words, this.#head) === head) return NONE;
        continue;
      }
      const after = (head + 1) | 0;
      if (Atomics.compareExchange(this.#words, this.#head, head, after) !== head) continue;
      const holder = cellHolder(cell);
      if (this.#holders.tryRun(holder, thread)) return holder;
    }
  }

  /** True exactly when `take` would find an entry now. */
  hasTasks(): boolean {
    for (;;) {
      const head = Atomics.load(this.#words, this.#head);
      const cell = Atomics.load(this.#words, this.#cells + (head & this.#mask));
      if (cellLap(cell) === lapOf(head, this.#shift)) return true;
      if (Atomics.load(this.#words, this.#head) === head) return false;
    }
  }

  /**
   * Fills the holes that a thread left which died between its claim and its publication, with a
   * holder of its share that is not QUEUED: what finds it there takes the next. Answers how many.
   * The caller then wakes all workers. Control plane.
   */
  fillHoles(holder: number): number {
    const tail = Atomics.load(this.#words, this.#tail);
    let count = 0;
    let position = Atomics.load(this.#words, this.#head);
    for (; ((tail - position) | 0) > 0; position = (position + 1) | 0) {
      if (this.#publish(position, holder)) count++;
    }
    return count;
  }

  /** True exactly when the entry of a QUEUED holder was taken, and its task is not running yet. */
  hasPassed(holder: number): boolean {
    const head = Atomics.load(this.#words, this.#head);
    return ((head - this.#holders.queuePosition(holder)) | 0) > 0;
  }

  /**
   * Queues a holder again that `hasPassed`. Answers its position. After a death the caller then
   * wakes all workers.
   */
  pushAgain(holder: number): number {
    const position = Atomics.add(this.#words, this.#tail, 1);
    this.#holders.setQueuePosition(holder, position);
    this.#holders.setStaleEntry(holder, true);
    return this.#publishFrom(position, holder);
  }

  // Publishes at a position that was claimed, or at a later one. Answers which it was.
  #publishFrom(claimed: number, holder: number): number {
    let position = claimed;
    while (!this.#publish(position, holder)) {
      position = Atomics.add(this.#words, this.#tail, 1);
      this.#holders.setQueuePosition(holder, position);
    }
    return position;
  }

  // False when the position is no longer ours to fill. What lies in its cell until it is filled is
  // the entry one lap earlier, and nobody but us and `fillHoles` replaces that.
  #publish(position: number, holder: number): boolean {
    assert(holder >= 0 && holder < this.#holders.count, 'a holder index is in range');
    if (VERIFY) assert(this.size <= this.capacity, 'no more is queued than there are cells');
    const at = this.#cells + (position & this.#mask);
    const before = Atomics.load(this.#words, at);
    if (cellLap(before) !== lapOf((position - this.capacity) | 0, this.#shift)) return false;
    const cell = cellOf(position, this.#shift, holder);
    return Atomics.compareExchange(this.#words, at, before, cell) === before;
  }
}
