// A wheel of timers in typed arrays: one timer for each slot, no memory of its own for any.
//
//     buckets, one for each 100 ms:   [ ][ a-b ][ ][ c ] ... [ ]     1024 of them, about 102 s
//                                          ^ due next
//
// Moving a timer to a later time, which every request does, only stores its deadline; the slot
// moves to its new bucket when the old one comes up. A deadline beyond the wheel waits in the last
// bucket.
//
// Owner: one thread. Data plane.

import { assert, VERIFY } from '../base/assert.ts';
import { msBetween } from '../base/clock.ts';
import { NONE } from '../memory/pool.ts';

export const WHEEL_GRANULARITY_MS = 100;
const BUCKETS = 1024;
const UNSET = -2;

export class TimerWheel {
  readonly #heads = new Int32Array(BUCKETS).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  // The tick a slot is linked at, which is never later than the tick it is due.
  readonly #linkedTick: Int32Array;
  readonly #dueTick: Int32Array;
  #count = 0;
  #tick = 0;
  #tickMs: number;
  // No slot is linked at a tick before this one.
  #sweptTick = 0;

  constructor(capacity: number, nowMs: number) {
    this.#next = new Int32Array(capacity).fill(UNSET);
    this.#previous = new Int32Array(capacity);
    this.#linkedTick = new Int32Array(capacity);
    this.#dueTick = new Int32Array(capacity);
    this.#tickMs = nowMs;
  }

  /** Timers that are set. */
  get count(): number {
    return this.#count;
  }

  isSet(slot: number): boolean {
    return this.#next[slot] !== UNSET;
  }

  /** Sets or moves the timer of a slot: it runs out in `delayMs`, or up to 200 ms later. */
  set(slot: number, nowMs: number, delayMs: number): void {
    assert(delayMs >= 0, 'a timer is set for the future');
    this.#advance(nowMs);
    const due = (this.#tick + 1 + (delayMs + WHEEL_GRANULARITY_MS - 1) / WHEEL_GRANULARITY_MS) | 0;
    this.#dueTick[slot] = due;
    if (this.isSet(slot)) {
      if (((due - this.#linkedTick[slot]!) | 0) >= 0) return;
      this.#unlink(slot);
    }
    this.#link(slot);
  }

  clear(slot: number): void {
    if (this.isSet(slot)) this.#unlink(slot);
  }

  /** Answers a slot whose time has run out, its timer cleared, or NONE. Call until NONE. */
  expire(nowMs: number): number {
    this.#advance(nowMs);
    while (((this.#tick - this.#sweptTick) | 0) >= 0) {
      const slot = this.#count === 0 ? NONE : this.#heads[this.#sweptTick & (BUCKETS - 1)]!;
      if (slot === NONE) {
        this.#sweptTick = this.#count === 0 ? (this.#tick + 1) | 0 : (this.#sweptTick + 1) | 0;
        continue;
      }
      this.#unlink(slot);
      if (((this.#dueTick[slot]! - this.#tick) | 0) <= 0) return slot;
      this.#link(slot);
    }
    return NONE;
  }

  /** Milliseconds until `expire` may have something to answer, or NONE when no timer is set. */
  dueInMs(nowMs: number): number {
    if (this.#count === 0) return NONE;
    let tick = this.#sweptTick;
    while (this.#heads[tick & (BUCKETS - 1)] === NONE) tick = (tick + 1) | 0;
    const dueMs = (this.#tickMs + ((tick - this.#tick) | 0) * WHEEL_GRANULARITY_MS) | 0;
    const delayMs = msBetween(nowMs, dueMs);
    return Math.max(delayMs, 0);
  }

  #advance(nowMs: number): void {
    const ticks = (msBetween(this.#tickMs, nowMs) / WHEEL_GRANULARITY_MS) | 0;
    if (ticks <= 0) return;
    this.#tick = (this.#tick + ticks) | 0;
    this.#tickMs = (this.#tickMs + ticks * WHEEL_GRANULARITY_MS) | 0;
  }

  #link(slot: number): void {
    // A bucket that the sweep has passed is not looked at again for a whole turn of the wheel.
    const last = (this.#sweptTick + BUCKETS - 1) | 0;
    let tick = this.#dueTick[slot]!;
    if (((tick - last) | 0) > 0) tick = last;
    if (((tick - this.#sweptTick) | 0) < 0) tick = this.#sweptTick;
    const bucket = tick & (BUCKETS - 1);
    const head = this.#heads[bucket]!;
    this.#linkedTick[slot] = tick;
    this.#next[slot] = head;
    this.#previous[slot] = NONE;
    if (head !== NONE) this.#previous[head] = slot;
    this.#heads[bucket] = slot;
    this.#count++;
  }

  #unlink(slot: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (VERIFY) assert(next !== UNSET, 'a timer that is unlinked was linked');
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else this.#heads[this.#linkedTick[slot]! & (BUCKETS - 1)] = next;
    this.#next[slot] = UNSET;
    this.#count--;
  }
}
