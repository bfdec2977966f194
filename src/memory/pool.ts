// A pool of slots: fixed capacity, a free list, a generation per slot, a high-water mark.
//
// Owner: one thread, so it needs no lock. Data plane: acquire and release allocate nothing.
// The free list is a stack: the slot released last is acquired first, while its memory is still
// in the cache. A slot's generation changes at each release, so a token that carries the old one
// is recognised as stale. Generations are 24 bits wide and wrap (see `io/token.ts`): a stale token
// could be mistaken for a fresh one only after 16,777,216 reuses of one slot within its flight.
//
//     free list:  top -> 7 -> 3 -> 0 -> NONE         next[slot] = the slot below
//     in use:     next[slot] = IN_USE

import { assert, VERIFY } from '../base/assert.ts';

/** What `acquire` answers when the pool is dry, and the end of a list of slots. */
export const NONE = -1;
const IN_USE = -2;

export const GENERATION_MASK = 0xff_ffff;

export class Pool {
  readonly name: string;
  readonly capacity: number;
  readonly #next: Int32Array;
  readonly #generations: Int32Array;
  #top: number;
  #used = 0;
  #highWater = 0;

  constructor(name: string, capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'a pool has a positive capacity');
    this.name = name;
    this.capacity = capacity;
    this.#next = new Int32Array(capacity);
    this.#generations = new Int32Array(capacity);
    for (let slot = 0; slot < capacity; slot++) this.#next[slot] = slot + 1;
    this.#next[capacity - 1] = NONE;
    this.#top = 0;
  }

  /** Slots in use now. */
  get used(): number {
    return this.#used;
  }

  get free(): number {
    return this.capacity - this.#used;
  }

  /** The most slots that were ever in use at once. */
  get highWater(): number {
    return this.#highWater;
  }

  /** Answers a slot, or NONE when the pool is dry: the caller has a stated policy for that. */
  acquire(): number {
    const slot = this.#top;
    if (slot === NONE) return NONE;
    this.#top = this.#next[slot]!;
    this.#next[slot] = IN_USE;
    this.#used++;
    if (this.#used > this.#highWater) this.#highWater = this.#used;
    if (VERIFY) this.#invariants();
    return slot;
  }

  /** Gives a slot back. Tokens made with its generation are stale from here on. */
  release(slot: number): void {
    assert(this.isUsed(slot), 'only a slot in use is released');
    this.#generations[slot] = (this.#generations[slot]! + 1) & GENERATION_MASK;
    this.#next[slot] = this.#top;
    this.#top = slot;
    this.#used--;
    if (VERIFY) this.#invariants();
  }

  generation(slot: number): number {
    return this.#generations[slot]!;
  }

  isUsed(slot: number): boolean {
    return slot >= 0 && slot < this.capacity && this.#next[slot] === IN_USE;
  }

  /** True exactly when `slot` is in use and was not released since `generation` was read. */
  isCurrent(slot: number, generation: number): boolean {
    return this.isUsed(slot) && this.#generations[slot] === generation;
  }

  /** Asserts that every slot is back. The assertion names the pool. Control plane. */
  assertAllFree(): void {
    if (this.#used !== 0)
      assert(false, `pool "${this.name}": ${this.#used} slots were not released`);
  }

  // The walk is O(capacity): large pools are checked now and then, small ones each time.
  #invariants(): void {
    assert(this.#used >= 0, 'a pool counts no fewer than zero slots in use');
    assert(this.#used <= this.capacity, 'a pool counts no more slots in use than it has');
    if (this.capacity > 1024) return;
    let free = 0;
    for (let slot = this.#top; slot !== NONE; slot = this.#next[slot]!) {
      free++;
      assert(free <= this.capacity, 'the free list has no cycle');
    }
    assert(free === this.free, 'the free list holds exactly the slots that are free');
  }
}
