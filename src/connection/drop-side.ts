// What arrives when no further request is looked at: it is dropped, and never interpreted. It is
// received all the same while a response is formed, because nothing else tells that the peer has
// gone, and whoever forms the response wants to know.
//
// A peer that sends on and on is left alone after DROP_MAX bytes: then nothing is received, what it
// sends fills TCP's window, and its end shows when the response is sent.
//
// Owner: one thread. Data plane.

import type { Io } from '../io/io.ts';
import type { ConnectionTable } from './connection-table.ts';
import { AWAITED, isDropping, LINGER_AFTER_SEND, PEER_ENDED } from './connection-table.ts';
import type { RecvSide } from './recv-side.ts';

/** So many bytes are received of a connection that ends, while its responses are formed. */
export const DROP_MAX = 65_536;

export class DropSide {
  readonly #io: Io;
  readonly #table: ConnectionTable;
  readonly #recvSide: RecvSide;

  constructor(io: Io, table: ConnectionTable, recvSide: RecvSide) {
    this.#io = io;
    this.#table = table;
    this.#recvSide = recvSide;
  }

  /** True exactly when what still arrives is of no interest: the connection ends. */
  isDropping(slot: number): boolean {
    return isDropping(this.#table.flags(slot));
  }

  /** Bytes have arrived; `more` when their receive repeats. */
  drop(slot: number, buffer: number, size: number, more: boolean): void {
    const table = this.#table;
    this.#io.releaseBuffer(buffer);
    // They would make the kernel answer a close with a reset.
    table.setFlag(slot, LINGER_AFTER_SEND);
    table.countDropped(slot, size);
    if (table.dropped(slot) >= DROP_MAX) this.#recvSide.throttle(slot, more);
    else this.watch(slot);
  }

  /** The end of the peer is of interest while a response is formed. */
  watch(slot: number): void {
    const table = this.#table;
    if (!table.has(slot, AWAITED) || table.has(slot, PEER_ENDED)) return;
    if (table.dropped(slot) < DROP_MAX) this.#recvSide.arm(slot);
  }
}
