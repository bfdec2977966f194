// A connection of a protocol as the application sees it, in the thread that it was accepted in or
// in the one that it was handed to: each has an object of its own, with `data` of its own.
//
// Owner: one thread. Control plane: it is an object for each connection, and what waits to be sent
// is the application's memory.

import type { Protocol, RawConnection, RawGuest, RawHandler } from '../app/protocol.ts';
import type { PeerAddress } from '../kernel/sockets.ts';
import { peerAddress } from '../kernel/sockets.ts';

/** The most bytes that wait to be taken when another `write` is allowed. */
export const RAW_QUEUE_SIZE_MAX = 1024 * 1024;

/** The most bytes of the application that travel with a connection. */
export const RAW_STATE_SIZE_MAX = 16 * 1024;

/** What a connection asks of whoever serves it. */
export interface RawConnectionSide {
  /** Sends what waits, as far as there is space. */
  pump(slot: number, connection: BoundRawConnection): void;
  pause(slot: number): void;
  resume(slot: number): void;
  end(slot: number, connection: BoundRawConnection): void;
  close(slot: number): void;
  handOff(slot: number, connection: BoundRawConnection, name: string, state: Uint8Array): boolean;
  handBack(slot: number, connection: BoundRawConnection, state: Uint8Array): void;
}

export class BoundRawConnection implements RawConnection, RawGuest {
  data: unknown;
  /** Who is told what becomes of it. */
  readonly functions: Protocol | RawHandler;
  /** True exactly when the connection was handed to `functions`. */
  readonly isGuest: boolean;
  /** Where there are no workers: what goes on in this thread when this goes back. */
  readonly home: BoundRawConnection | undefined;
  pieces: Uint8Array[] = [];
  queued = 0;
  wantsDrain = false;
  paused = false;
  ends = false;
  /** The peer has ended its side, and the application knows. */
  endTold = false;
  over = false;
  /** Another thread is to have the connection, or has it. */
  away = false;
  /** What goes along with a connection that leaves. */
  luggage: Uint8Array = NOTHING;
  /** What has come with a connection that has arrived, until the application is told. */
  arrived: Uint8Array | undefined;
  /** The connection was upgraded, and the application is still to be told. */
  opening = false;
  /** The server drains: a guest that arrives is told so. */
  recalled = false;
  readonly #side: RawConnectionSide;
  readonly #slot: number;
  readonly #fd: number;

  constructor(
    side: RawConnectionSide,
    slot: number,
    fd: number,
    functions: Protocol | RawHandler,
    isGuest: boolean,
    home?: BoundRawConnection,
  ) {
    this.#side = side;
    this.#slot = slot;
    this.#fd = fd;
    this.functions = functions;
    this.isGuest = isGuest;
    this.home = home;
  }

  get peer(): PeerAddress | undefined {
    return this.#isHere ? peerAddress(this.#fd) : undefined;
  }

  get open(): boolean {
    return this.#isHere && !this.ends;
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
    if (this.#isHere) this.#side.pause(this.#slot);
    this.paused = this.#isHere;
  }

  resume(): void {
    this.paused = false;
    if (this.#isHere) this.#side.resume(this.#slot);
  }

  end(): void {
    if (this.open) this.#side.end(this.#slot, this);
  }

  close(): void {
    if (this.#isHere) this.#side.close(this.#slot);
  }

  handOff(name: string, state: string | Uint8Array = NOTHING): boolean {
    const luggage = copyOf(state);
    if (!this.open || this.isGuest) return false;
    return this.#side.handOff(this.#slot, this, name, luggage);
  }

  handBack(state: string | Uint8Array = NOTHING): void {
    const luggage = copyOf(state);
    if (this.open && this.isGuest) this.#side.handBack(this.#slot, this, luggage);
  }

  // What the side calls.

  /** From here on the connection is another thread's, with `luggage`. */
  leave(luggage: Uint8Array): void {
    this.away = true;
    this.luggage = luggage;
    this.wantsDrain = false;
  }

  /** The connection is here, and brings `state`. */
  arrive(state: Uint8Array): void {
    this.away = false;
    this.paused = false;
    this.endTold = false;
    this.luggage = NOTHING;
    this.arrived = state;
  }

  /** Takes over what waits to be sent. */
  inherit({ pieces, queued }: BoundRawConnection): void {
    this.pieces = pieces;
    this.queued = queued;
    this.wantsDrain = queued > 0;
  }

  get #isHere(): boolean {
    return !this.over && !this.away;
  }
}

const NOTHING = new Uint8Array(0);

function copyOf(state: string | Uint8Array): Uint8Array {
  const bytes = typeof state === 'string' ? Buffer.from(state) : new Uint8Array(state);
  if (bytes.length <= RAW_STATE_SIZE_MAX) return bytes;
  throw new RangeError(
    `${bytes.length} bytes of state do not travel: ${RAW_STATE_SIZE_MAX} is the most`,
  );
}
