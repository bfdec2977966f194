// A first-in, first-out queue of slots, as long as there are slots: whoever puts a slot in keeps a
// flag for it, so that none is in it twice, and it can never overflow. Data plane. Owner: one
// thread.

import { assert } from '../base/assert.ts';
import { NONE } from './pool.ts';

export class SlotQueue {
  readonly #slots: Int32Array;
  #head = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#slots = new Int32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  push(slot: number): void {
    assert(this.#count < this.#slots.length, 'a slot is in a queue once');
    const tail = this.#head + this.#count;
    this.#slots[tail < this.#slots.length ? tail : tail - this.#slots.length] = slot;
    this.#count++;
  }

  /** Takes the slot that was put in first, or NONE. */
  shift(): number {
    if (this.#count === 0) return NONE;
    const slot = this.#slots[this.#head]!;
    this.#head = this.#head + 1 < this.#slots.length ? this.#head + 1 : 0;
    this.#count--;
    return slot;
  }
}
