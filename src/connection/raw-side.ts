// Connections of protocols other than HTTP: gives what arrives to the application, and sends what
// it writes, by the same receives, blocks and sends as HTTP.
//
// One that is handed to a worker keeps its object here, and has another one there. Where there are
// no workers, both are in this thread, and the connection goes from one to the other.
//
// Owner: one thread. Control plane: a connection has an object of its own, what waits to be sent is
// the application's memory, and the bytes that arrive are a view.

import type { Upgrade } from '../app/bound-response.ts';
import type { IndexedRawHandler } from '../app/compiled-app.ts';
import type { Protocol, RawHandler, RawStream } from '../app/protocol.ts';
import { AssertionError, assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { isThenable } from '../base/thenable.ts';
import { NONE } from '../memory/pool.ts';
import { DRAINING, HANDLER_FAILED, NO_MEMORY, SERVED } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  AWAITED,
  BODY_PAUSED,
  CLOSE_AFTER_SEND,
  LEAVES,
  LINGER_AFTER_SEND,
  OPEN,
  RAW,
  RECEIVES_BODY,
  SUSPENDED,
} from './connection-table.ts';
import type { Departures, UnreadBytes } from './departures.ts';
import type { RawConnectionSide } from './raw-connection.ts';
import { BoundRawConnection } from './raw-connection.ts';
import type { RecvSide } from './recv-side.ts';
import type { SendSide } from './send-side.ts';

export interface RawSideOptions {
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly recvSide: RecvSide;
  readonly sendSide: SendSide;
  readonly protocols: readonly Protocol[];
  /** By name: who serves connections that are handed off. */
  readonly handlers: ReadonlyMap<string, IndexedRawHandler>;
  /** Undefined where there are no workers: what is handed off stays in this thread. */
  readonly departures: Departures | undefined;
  readonly counters: Counters;
  readonly onUserCode: () => void;
  readonly log: (message: string, error?: unknown) => void;
  /** The connection ends. */
  readonly onBroken: (slot: number, reason: number) => void;
  /** There is something to send, to receive or to end. */
  readonly onProgress: (slot: number) => void;
  /** The connection goes somewhere, or has come: `goOn` is called when it is its turn. */
  readonly onArrival: (slot: number) => void;
}

export class RawSide implements RawConnectionSide {
  /** The server drains: nothing is handed off any more. */
  draining = false;
  readonly #options: RawSideOptions;
  readonly #connections: (BoundRawConnection | undefined)[] = [];

  constructor(options: RawSideOptions) {
    this.#options = options;
  }

  /** A connection was accepted on the port of a protocol. */
  open(slot: number): void {
    const { table, protocols } = this.#options;
    table.setFlag(slot, RAW);
    // From the first on, its receives repeat.
    table.countRequest(slot);
    const protocol = protocols[table.protocol(slot) - 1]!;
    const connection = new BoundRawConnection(this, slot, table.fd(slot), protocol, false);
    this.#connections[slot] = connection;
    this.#call(slot, connection, () => protocol.onOpen?.(connection));
  }

  /**
   * A connection of HTTP goes over to a protocol, with what has come behind its last request. The
   * application is told in the deferred phase, because its handler may be what called.
   */
  upgrade(slot: number, { protocol, data }: Upgrade): void {
    const { table, counters, onArrival } = this.#options;
    assert(table.state(slot) === OPEN, 'only an open connection is upgraded');
    assert(!table.has(slot, AWAITED | RECEIVES_BODY | LEAVES), 'nothing of HTTP is left of it');
    table.setFlag(slot, RAW);
    // The peer may have ended its side: the protocol decides what that means.
    table.clearFlag(slot, CLOSE_AFTER_SEND);
    count(counters, Counter.upgraded);
    const connection = new BoundRawConnection(this, slot, table.fd(slot), protocol, false);
    connection.data = data;
    connection.opening = true;
    this.#connections[slot] = connection;
    onArrival(slot);
  }

  /** Another thread has handed a connection to this one; `arrive` follows. */
  adopt(slot: number, handler: RawHandler, recalled: boolean): void {
    const { table } = this.#options;
    table.setFlag(slot, RAW);
    const guest = new BoundRawConnection(this, slot, table.fd(slot), handler, true);
    guest.recalled = recalled;
    this.#connections[slot] = guest;
  }

  /** The connection is here, with what it has brought: `goOn` tells the application. */
  arrive(slot: number, unread: UnreadBytes): void {
    const state = new Uint8Array(unread.stateSize);
    unread.read(state, 0, state.length);
    this.#connections[slot]!.arrive(state);
  }

  /** What goes along comes before the bytes of the peer. */
  pack(slot: number, unread: UnreadBytes): void {
    const { luggage, queued } = this.#connections[slot]!;
    assert(queued === 0, 'what was written is sent before a connection leaves');
    unread.stateSize = luggage.length;
    unread.write(luggage, 0, luggage.length);
  }

  /** The connection is another thread's. That of a protocol is waited for. */
  onDeparted(slot: number): void {
    if (this.#connections[slot]!.isGuest) this.onClosed(slot);
  }

  /** The deferred phase: the connection was paused, or goes on where it was not before. */
  goOn(slot: number): void {
    const { table, recvSide } = this.#options;
    const connection = this.#connections[slot]!;
    this.#tellOpening(slot, connection);
    const state = connection.arrived;
    if (state !== undefined) {
      connection.arrived = undefined;
      this.#tellArrival(slot, connection, state);
    }
    if (connection.over || this.#connections[slot] !== connection) return;
    table.clearFlag(slot, connection.paused ? SUSPENDED : SUSPENDED | BODY_PAUSED);
    if (recvSide.hasUnread(slot) && connection.open && !connection.paused) this.#readKept(slot);
  }

  // Bytes that are kept came with the request that upgraded the connection. It may end or leave
  // when it is given them, and they stay where they are until it has had them.
  #readKept(slot: number): void {
    const { recvSide } = this.#options;
    const start = recvSide.unreadStart(slot);
    const end = recvSide.unreadEnd(slot);
    const block = recvSide.takeUnread(slot);
    this.onData(slot, start, end);
    recvSide.releaseTaken(block);
  }

  /** The server drains: a guest goes home, or ends. */
  recall(slot: number): void {
    const guest = this.#connections[slot]!;
    guest.recalled = true;
    if (guest.arrived === undefined) this.#tellRecall(slot, guest);
  }

  onData(slot: number, start: number, end: number): void {
    const connection = this.#connections[slot]!;
    const bytes = this.#options.bytes.subarray(start, end);
    this.#call(slot, connection, () => connection.functions.onData(connection, bytes));
  }

  /** The peer has ended its side. */
  onPeerEnded(slot: number): void {
    const connection = this.#connections[slot]!;
    if (connection.endTold) return;
    connection.endTold = true;
    const { functions } = connection;
    if (functions.onEnd === undefined) connection.end();
    else this.#call(slot, connection, () => functions.onEnd!(connection));
  }

  /** Everything that was written to blocks is on its way: more may follow. */
  onSent(slot: number): void {
    const connection = this.#connections[slot]!;
    this.pump(slot, connection);
    if (connection.queued > 0 || connection.over) return;
    if (connection.wantsDrain) {
      connection.wantsDrain = false;
      this.#call(slot, connection, () => connection.functions.onDrain?.(connection));
    }
    this.#endIfSent(slot, connection);
  }

  /** The connection is over, or a guest that has gone. */
  onClosed(slot: number): void {
    let connection = this.#connections[slot];
    this.#connections[slot] = undefined;
    for (; connection !== undefined; connection = connection.home) this.#close(slot, connection);
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

  handOff(slot: number, home: BoundRawConnection, name: string, state: Uint8Array): boolean {
    const { departures, handlers, table } = this.#options;
    const handler = handlers.get(name);
    if (handler === undefined) {
      throw new TypeError(`there is no connection handler "${name}" for protocols`);
    }
    if (this.draining) return false;
    if (departures === undefined) {
      // It would block the accept thread.
      if (handler.functions === undefined) return false;
      home.leave(state);
      const guest = new BoundRawConnection(
        this,
        slot,
        table.fd(slot),
        handler.functions,
        true,
        home,
      );
      this.#move(slot, home, guest, state);
      return true;
    }
    if (!departures.reserve(slot, handler.index)) return false;
    this.#leave(slot, home, state);
    return true;
  }

  handBack(slot: number, guest: BoundRawConnection, state: Uint8Array): void {
    const { home } = guest;
    if (home === undefined) {
      this.#leave(slot, guest, state);
      return;
    }
    this.#move(slot, guest, home, state);
    this.#close(slot, guest);
  }

  /** The code of a connection has failed; that may be over, and its place another's. */
  fail(slot: number, connection: RawStream, error: unknown): void {
    this.#fail(this.#connections[slot] === connection ? slot : NONE, error);
  }

  // The connection leaves when what was written is sent, and nothing of it is in flight.
  #leave(slot: number, connection: BoundRawConnection, state: Uint8Array): void {
    connection.leave(state);
    this.#options.table.setFlag(slot, LEAVES);
    this.#options.onArrival(slot);
  }

  // The connection goes on in this thread as another object.
  #move(slot: number, from: BoundRawConnection, to: BoundRawConnection, state: Uint8Array): void {
    to.inherit(from);
    to.arrive(state);
    this.#connections[slot] = to;
    this.#options.onArrival(slot);
  }

  // Control plane.
  #tellOpening(slot: number, connection: BoundRawConnection): void {
    if (!connection.opening) return;
    connection.opening = false;
    this.#call(slot, connection, () => (connection.functions as Protocol).onOpen?.(connection));
  }

  #tellArrival(slot: number, connection: BoundRawConnection, state: Uint8Array): void {
    const { functions } = connection;
    this.#call(slot, connection, () =>
      connection.isGuest
        ? functions.onOpen?.(connection, state)
        : (functions as Protocol).onReturn?.(connection, state),
    );
    if (connection.recalled && connection.open) this.#tellRecall(slot, connection);
  }

  #tellRecall(slot: number, guest: BoundRawConnection): void {
    const functions = guest.functions as RawHandler;
    if (functions.onRecall !== undefined) this.#call(slot, guest, () => functions.onRecall!(guest));
    else if (guest.open) {
      this.#options.table.setReason(slot, DRAINING);
      guest.end();
    }
  }

  #close(slot: number, connection: BoundRawConnection): void {
    connection.over = true;
    this.#tellOpening(slot, connection);
    this.#call(slot, connection, () => connection.functions.onClose?.(connection));
  }

  #endIfSent(slot: number, connection: BoundRawConnection): void {
    const { table, onProgress } = this.#options;
    if (!connection.ends || connection.queued > 0 || table.state(slot) !== OPEN) return;
    table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    onProgress(slot);
  }

  #fail(slot: number, error: unknown): void {
    const { table, log, onBroken } = this.#options;
    log('a protocol failed', error);
    if (slot !== NONE && table.state(slot) === OPEN) onBroken(slot, HANDLER_FAILED);
  }

  #call(slot: number, connection: BoundRawConnection, code: () => unknown): void {
    this.#options.onUserCode();
    try {
      const result = code();
      if (!isThenable(result)) return;
      // Nobody waits for an async function.
      result.then(
        () => {},
        (error) => this.fail(slot, connection, error),
      );
    } catch (error) {
      if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
      this.#fail(slot, error);
    }
  }
}
