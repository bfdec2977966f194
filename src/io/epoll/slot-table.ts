// Which descriptor the last RECV and the last SEND of a slot were for: a cancellation names the
// slot alone. Doubles when a slot beyond it is first used: slots are below the capacity of their
// pool. Data plane, growing apart. Owner: one thread.

import { type RECV, SEND } from '../token.ts';

const CAPACITY_MIN = 1024;
/** Bytes of a slot: two descriptors. */
export const SLOT_SIZE = 8;

export class SlotTable {
  #fds = new Int32Array(2 * CAPACITY_MIN);

  /** `operation` is RECV or SEND. */
  set(operation: typeof RECV | typeof SEND, slot: number, fd: number): void {
    const index = 2 * slot + (operation === SEND ? 1 : 0);
    if (index >= this.#fds.length) this.#grow(index);
    this.#fds[index] = fd;
  }

  /** The descriptor of the last operation; any other number when there was none. */
  fd(operation: number, slot: number): number {
    const index = 2 * slot + (operation === SEND ? 1 : 0);
    return index < this.#fds.length ? this.#fds[index]! : 0;
  }

  // Control plane.
  #grow(index: number): void {
    let size = this.#fds.length;
    while (size <= index) size *= 2;
    const fds = new Int32Array(size);
    fds.set(this.#fds);
    this.#fds = fds;
  }
}
