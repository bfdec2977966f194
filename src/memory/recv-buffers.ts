// The receive buffers of a thread: equal pieces of one stretch of memory, which hold bytes that
// arrived until the bytes were looked at. A backend takes spare ones, and lends those that were
// filled.
//
//     spare --takeSpare--> taken --lend--> lent --release--> spare
//                               --putBack--------------------^
//
// The spare ones are a stack: the buffer released last is filled next, while it is in the cache.
//
// Data plane. Owner: one thread.

import { assert, VERIFY } from '../base/assert.ts';
import { NONE } from './pool.ts';

const POISON = 0xdb;

export class RecvBuffers {
  readonly count: number;
  readonly bufferSize: number;
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #lent: Uint8Array;
  readonly #spare: Int32Array;
  #spareCount: number;
  #used = 0;
  #highWater = 0;

  /** Lays `count` buffers of `bufferSize` bytes over `bytes`, from `base` on. */
  constructor(bytes: Uint8Array, base: number, count: number, bufferSize: number) {
    this.count = count;
    this.bufferSize = bufferSize;
    this.#bytes = bytes;
    this.#base = base;
    this.#lent = new Uint8Array(count);
    this.#spare = new Int32Array(count).map((_, index) => count - 1 - index);
    this.#spareCount = count;
  }

  /** Buffers that hold received bytes now. */
  get used(): number {
    return this.#used;
  }

  get highWater(): number {
    return this.#highWater;
  }

  /** Answers a buffer to be filled, or NONE. */
  takeSpare(): number {
    return this.#spareCount === 0 ? NONE : this.#spare[--this.#spareCount]!;
  }

  /** Gives back a buffer that was taken and not filled. */
  putBack(index: number): void {
    assert(this.#lent[index] === 0, 'a buffer with bytes is released');
    this.#spare[this.#spareCount++] = index;
  }

  /** Notes that a buffer was filled: whoever gets its bytes releases it. */
  lend(index: number): void {
    assert(index < this.count, 'a buffer of these is filled');
    assert(this.#lent[index] === 0, 'a buffer is filled once until it is released');
    this.#lent[index] = 1;
    this.#used++;
    if (this.#used > this.#highWater) this.#highWater = this.#used;
  }

  /** Answers a buffer for bytes of the caller's, or NONE: whoever gets them releases it. */
  borrow(): number {
    const index = this.takeSpare();
    if (index !== NONE) this.lend(index);
    return index;
  }

  /** Gives back a buffer whose bytes were looked at. */
  release(index: number): void {
    assert(this.#lent[index] === 1, 'only a lent buffer is released');
    this.#lent[index] = 0;
    this.#used--;
    if (VERIFY) {
      const offset = this.offset(index);
      this.#bytes.fill(POISON, offset, offset + this.bufferSize);
    }
    this.putBack(index);
  }

  /** Where a buffer begins, as an offset into the bytes they were laid over. */
  offset(index: number): number {
    return this.#base + index * this.bufferSize;
  }
}
