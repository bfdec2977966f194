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
// Data plane. Owner: one thread and the kernel.

import { assert } from '../base/assert.ts';
import { NONE } from './pool.ts';
import { RecvBuffers } from './recv-buffers.ts';

export const BUFFER_RING_ENTRY_SIZE = 16;
const ENTRY_WORDS = 4;
const TAIL_HALFWORD = 7;

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
  readonly buffers: RecvBuffers;
  readonly #words: Int32Array;
  readonly #halfwords: Uint16Array;
  readonly #addressLow: number;
  readonly #addressHigh: number;
  readonly #window: number;
  #offered = 0;
  #tail = 0;

  constructor(buffer: ArrayBuffer, layout: BufferRingLayout) {
    const { count, bufferSize, entriesOffset, buffersOffset } = layout;
    assert((count & (count - 1)) === 0, 'a buffer ring has a power of two of entries');
    assert(count <= 32768, 'a buffer ring has at most 32768 entries');
    this.buffers = new RecvBuffers(new Uint8Array(buffer), buffersOffset, count, bufferSize);
    this.#words = new Int32Array(buffer, entriesOffset, count * ENTRY_WORDS);
    this.#halfwords = new Uint16Array(buffer, entriesOffset, count * ENTRY_WORDS * 2);
    this.#addressLow = layout.addressLow;
    this.#addressHigh = layout.addressHigh;
    this.#window = layout.window;
    this.publish();
  }

  /** Notes that the kernel took a buffer. */
  take(index: number): void {
    this.buffers.lend(index);
    this.#offered--;
  }

  /**
   * Offers buffers to the kernel, up to the window. A plain store is enough: the kernel reads it
   * within the next system call of this thread.
   */
  publish(): void {
    while (this.#offered < this.#window) {
      const index = this.buffers.takeSpare();
      if (index === NONE) break;
      this.#append(index);
      this.#offered++;
    }
    this.#halfwords[TAIL_HALFWORD] = this.#tail;
  }

  #append(index: number): void {
    const { buffers } = this;
    const word = (this.#tail & (buffers.count - 1)) * ENTRY_WORDS;
    this.#words[word] = (this.#addressLow + buffers.offset(index)) | 0;
    this.#words[word + 1] = this.#addressHigh;
    this.#words[word + 2] = buffers.bufferSize;
    // The upper half of this word is the tail in entry 0: write the buffer's name alone.
    this.#halfwords[(word + 3) << 1] = index;
    this.#tail = (this.#tail + 1) & 0xffff;
  }
}
