// Connections of protocols other than HTTP: gives what arrives to the application, and sends what
// it writes, by the same receives, blocks and sends as HTTP.
//
// Owner: one thread. Control plane: a connection has an object of its own, what waits to be sent is
// the application's memory, and the bytes that arrive are a view.

import type { Protocol, RawConnection } from '../app/protocol.ts';
import { AssertionError } from '../base/assert.ts';
import type { PeerAddress } from '../kernel/sockets.ts';
import { peerAddress } from '../kernel/sockets.ts';
import { NONE } from '../memory/pool.ts';
import { HANDLER_FAILED, NO_MEMORY, SERVED } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import { BODY_PAUSED, CLOSE_AFTER_SEND, LINGER_AFTER_SEND, OPEN, RAW } from './connection-table.ts';
import type { SendSide } from './send-side.ts';

/** The most bytes that wait to be taken when another `write` is allowed. */
export const RAW_QUEUE_SIZE_MAX = 1024 * 1024;

export interface RawSideOptions {
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly sendSide: SendSide;
  readonly protocols: readonly Protocol[];
  readonly onUserCode: () => void;
  readonly log: (message: string, error?: unknown) => void;
  /** The connection ends. */
  readonly onBroken: (slot: number, reason: number) => void;
  /** There is something to send, to receive or to end. */
  readonly onProgress: (slot: number) => void;
}

export class RawSide {
  readonly #options: RawSideOptions;
  readonly #connections: (BoundRawConnection | undefined)[] = [];

  constructor(options: RawSideOptions) {
    this.#options = options;
  }

  /** A connection was accepted on the port of a protocol. */
  open(slot: number): void {
    const { table } = this.#options;
    table.setFlag(slot, RAW);
    // From the first on, its receives repeat.
    table.countRequest(slot);
    const connection = new BoundRawConnection(this, slot, table.fd(slot));
    this.#connections[slot] = connection;
    const protocol = this.#protocol(slot);
    this.#call(slot, () => protocol.onOpen?.(connection));
  }

  onData(slot: number, start: number, end: number): void {
    const connection = this.#connections[slot]!;
    const protocol = this.#protocol(slot);
    const bytes = this.#options.bytes.subarray(start, end);
    this.#call(slot, () => protocol.onData(connection, bytes));
  }

  /** The peer has ended its side. */
  onPeerEnded(slot: number): void {
    const connection = this.#connections[slot]!;
    const protocol = this.#protocol(slot);
    if (protocol.onEnd === undefined) connection.end();
    else this.#call(slot, () => protocol.onEnd!(connection));
  }

  /** Everything that was written to blocks is on its way: more may follow. */
  onSent(slot: number): void {
    const connection = this.#connections[slot]!;
    this.pump(slot, connection);
    if (connection.queued > 0) return;
    const protocol = this.#protocol(slot);
    if (connection.wantsDrain) {
      connection.wantsDrain = false;
      this.#call(slot, () => protocol.onDrain?.(connection));
    }
    this.#endIfSent(slot, connection);
  }

  /** The connection is over. */
  onClosed(slot: number): void {
    const connection = this.#connections[slot]!;
    this.#connections[slot] = undefined;
    connection.over = true;
    const protocol = this.#protocol(slot);
    this.#call(slot, () => protocol.onClose?.(connection));
  }

  // What its connections call.

  /** Moves what waits into the block of the connection, as far as it fits. */
  pump(slot: number, connection: BoundRawConnection): void {
    const { bytes, sendSide, onBroken } = this.#options;
    const { pieces } = connection;
    while (pieces.length > 0) {
      const at = sendSide.reserve(slot, connection.queued);
      if (at === NONE) {
        onBroken(slot, NO_MEMORY);
        return;
      }
      const piece = pieces[0]!;
      const size = Math.min(piece.length, sendSide.limit(slot) - at);
      if (size === 0) return;
      bytes.set(size === piece.length ? piece : piece.subarray(0, size), at);
      sendSide.commit(slot, at + size);
      connection.queued -= size;
      if (size === piece.length) pieces.shift();
      else pieces[0] = piece.subarray(size);
    }
  }

  end(slot: number, connection: BoundRawConnection): void {
    connection.ends = true;
    this.#endIfSent(slot, connection);
  }

  close(slot: number): void {
    this.#options.onBroken(slot, SERVED);
  }

  pause(slot: number): void {
    this.#options.table.setFlag(slot, BODY_PAUSED);
  }

  resume(slot: number): void {
    const { table, onProgress } = this.#options;
    if (table.has(slot, BODY_PAUSED)) onProgress(slot);
  }

  #endIfSent(slot: number, connection: BoundRawConnection): void {
    const { table, onProgress } = this.#options;
    if (!connection.ends || connection.queued > 0 || table.state(slot) !== OPEN) return;
    table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    onProgress(slot);
  }

  #protocol(slot: number): Protocol {
    return this.#options.protocols[this.#options.table.protocol(slot) - 1]!;
  }

  #call(slot: number, code: () => unknown): void {
    const { table, log, onBroken, onUserCode } = this.#options;
    onUserCode();
    try {
      code();
    } catch (error) {
      if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
      log('a protocol failed', error);
      if (table.state(slot) === OPEN) onBroken(slot, HANDLER_FAILED);
    }
  }
}

class BoundRawConnection implements RawConnection {
  data: unknown;
  readonly pieces: Uint8Array[] = [];
  queued = 0;
  wantsDrain = false;
  ends = false;
  over = false;
  readonly #side: RawSide;
  readonly #slot: number;
  readonly #fd: number;

  constructor(side: RawSide, slot: number, fd: number) {
    this.#side = side;
    this.#slot = slot;
    this.#fd = fd;
  }

  get peer(): PeerAddress | undefined {
    return this.over ? undefined : peerAddress(this.#fd);
  }

  get open(): boolean {
    return !this.over && !this.ends;
  }

  write(bytes: string | Uint8Array): boolean {
    if (!this.open) return true;
    const piece = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    if (this.queued > 0 && this.queued + piece.length > RAW_QUEUE_SIZE_MAX) {
      throw new RangeError(
        `more than ${RAW_QUEUE_SIZE_MAX} bytes wait to be taken: wait for onDrain`,
      );
    }
    if (piece.length > 0) this.pieces.push(piece);
    this.queued += piece.length;
    this.#side.pump(this.#slot, this);
    if (this.queued > 0) this.wantsDrain = true;
    return this.queued === 0;
  }

  pause(): void {
    if (!this.over) this.#side.pause(this.#slot);
  }

  resume(): void {
    if (!this.over) this.#side.resume(this.#slot);
  }

  end(): void {
    if (this.open) this.#side.end(this.#slot, this);
  }

  close(): void {
    if (!this.over) this.#side.close(this.#slot);
  }
}
