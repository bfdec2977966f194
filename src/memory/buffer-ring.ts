// The ring of provided receive buffers: what io_uring_register_buf_ring(3) calls a buffer ring. The
// kernel takes a buffer from the head when bytes arrive and names it in the completion; the thread
// gives it back at the tail. An idle connection holds none.
//
//     struct io_uring_buf, 16 bytes:  addr u64 | len u32 | bid u16 | (entry 0 only) tail u16
//
//     entries   [ 5 ][ 6 ][ 7 ][ . ][ . ][ 2 ][ 3 ][ 4 ]
//                          ^tail (ours)   ^head (the kernel's)
//
// No more than a window of buffers is offered at a time, the ones released last first: they are
// still in the cache, and one burst cannot take them all.
//
// Data plane: `release` and `publish` allocate nothing. Owner: one thread and the kernel.

import { assert, VERIFY } from '../base/assert.ts';

export const BUFFER_RING_ENTRY_SIZE = 16;
const ENTRY_WORDS = 4;
const TAIL_HALFWORD = 7;
const POISON = 0xdb;

/** Where the ring's parts lie in a mapping whose address has the given halves. */
export interface BufferRingLayout {
  /** A power of two, at most 32768. */
  readonly count: number;
  /** The most buffers that are offered to the kernel at a time. */
  readonly window: number;
  readonly bufferSize: number;
  /** Offset of the entries in the mapping; page aligned, as the kernel asks. */
  readonly entriesOffset: number;
  readonly buffersOffset: number;
  readonly addressLow: number;
  readonly addressHigh: number;
}

export class BufferRing {
  readonly count: number;
  readonly bufferSize: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halfwords: Uint16Array;
  readonly #buffersOffset: number;
  readonly #addressLow: number;
  readonly #addressHigh: number;
  readonly #lent: Uint8Array;
  readonly #window: number;
  // Buffers that are not offered: a stack.
  readonly #spare: Int32Array;
  #spareCount: number;
  #offered = 0;
  #tail = 0;
  #used = 0;
  #highWater = 0;

  constructor(buffer: ArrayBuffer, layout: BufferRingLayout) {
    const { count, bufferSize, entriesOffset } = layout;
    assert((count & (count - 1)) === 0, 'a buffer ring has a power of two of entries');
    assert(count <= 32768, 'a buffer ring has at most 32768 entries');
    this.count = count;
    this.bufferSize = bufferSize;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer, entriesOffset, count * ENTRY_WORDS);
    this.#halfwords = new Uint16Array(buffer, entriesOffset, count * ENTRY_WORDS * 2);
    this.#buffersOffset = layout.buffersOffset;
    this.#addressLow = layout.addressLow;
    this.#addressHigh = layout.addressHigh;
    this.#lent = new Uint8Array(count);
    this.#window = layout.window;
    this.#spare = new Int32Array(count).map((_, index) => count - 1 - index);
    this.#spareCount = count;
    this.publish();
  }

  /** Buffers that hold received bytes now. */
  get used(): number {
    return this.#used;
  }

  get highWater(): number {
    return this.#highWater;
  }

  /** Notes that the kernel took a buffer, and answers where its bytes begin. */
  take(index: number): number {
    assert(index < this.count, 'the kernel names a buffer of this ring');
    assert(this.#lent[index] === 0, 'the kernel takes a buffer that it was given');
    this.#lent[index] = 1;
    this.#offered--;
    this.#used++;
    if (this.#used > this.#highWater) this.#highWater = this.#used;
    return this.offset(index);
  }

  /** Gives a buffer back. It may be offered again at the next `publish`. */
  release(index: number): void {
    assert(this.#lent[index] === 1, 'only a taken buffer is released');
    this.#lent[index] = 0;
    this.#used--;
    if (VERIFY) {
      const offset = this.offset(index);
      this.#bytes.fill(POISON, offset, offset + this.bufferSize);
    }
    this.#spare[this.#spareCount++] = index;
  }

  /**
   * Offers buffers to the kernel, up to the window. A plain store is enough: the kernel reads it
   * within the next system call of this thread.
   */
  publish(): void {
    while (this.#offered < this.#window && this.#spareCount > 0) {
      this.#append(this.#spare[--this.#spareCount]!);
      this.#offered++;
    }
    this.#halfwords[TAIL_HALFWORD] = this.#tail;
  }

  offset(index: number): number {
    return this.#buffersOffset + index * this.bufferSize;
  }

  #append(index: number): void {
    const word = (this.#tail & (this.count - 1)) * ENTRY_WORDS;
    this.#words[word] = (this.#addressLow + this.offset(index)) | 0;
    this.#words[word + 1] = this.#addressHigh;
    this.#words[word + 2] = this.bufferSize;
    // The upper half of this word is the tail in entry 0: write the buffer's name alone.
    this.#halfwords[(word + 3) << 1] = index;
    this.#tail = (this.#tail + 1) & 0xffff;
  }
}
