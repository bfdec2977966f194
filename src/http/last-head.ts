// The bytes of the head that was parsed last. Clients repeat themselves, on a connection and from
// one to the next: a head that has the same bytes means the same, and comparing it costs a fraction
// of parsing it.
//
// A head is kept when it is as long as the one before it: where no two heads are alike, none is
// copied for nothing, and a comparison mostly ends at its first bytes.
//
// Owner: a parser. Data plane; only another memory costs an allocation.

import { assert } from '../base/assert.ts';

/** A longer head is not kept. */
export const LAST_HEAD_SIZE_MAX = 1024;

export class LastHead {
  readonly #kept = new DataView(new ArrayBuffer(LAST_HEAD_SIZE_MAX));
  // Of the head that is kept, or 0 when there is none.
  #size = 0;
  // Of the head that was offered last.
  #offeredSize = 0;
  // A view of the memory that heads were last looked for in.
  #memory: Uint8Array | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** True exactly when the kept head is in `bytes` from `start` on, all of it before `end`. */
  isAt(bytes: Uint8Array, start: number, end: number): boolean {
    const size = this.#size;
    if (size === 0 || start + size > end) return false;
    const kept = this.#kept;
    const view = this.#viewOf(bytes);
    let at = 0;
    while (at + 4 <= size && view.getInt32(start + at) === kept.getInt32(at)) at += 4;
    while (at < size && view.getUint8(start + at) === kept.getUint8(at)) at++;
    return at === size;
  }

  /** Offers a head of `size` bytes, from `start` on. */
  offer(bytes: Uint8Array, start: number, size: number): void {
    assert(size > 0, 'a head has bytes');
    const alike = size === this.#offeredSize;
    this.#offeredSize = size;
    if (!alike || size > LAST_HEAD_SIZE_MAX) return;
    this.#size = size;
    const kept = this.#kept;
    const view = this.#viewOf(bytes);
    let at = 0;
    for (; at + 4 <= size; at += 4) kept.setInt32(at, view.getInt32(start + at));
    for (; at < size; at++) kept.setUint8(at, view.getUint8(start + at));
  }

  forget(): void {
    this.#size = 0;
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#memory) {
      this.#memory = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#view;
  }
}
