// Protocols of an application's own, on ports of their own or by an upgrade from HTTP, and what
// serves their connections in workers. Types only.

import type { PeerAddress } from '../kernel/sockets.ts';

/**
 * A protocol other than HTTP. Its functions are called in the accept thread that has the
 * connection, with the same pools, limits and timeouts: a connection that is silent for
 * `--keep-alive-timeout`, or does not take what it is sent within `--send-timeout`, is ended. One
 * that throws, or whose promise is rejected, costs its connection. `Names` are those of the raw
 * handlers of the application.
 */
export interface Protocol<Names extends string = string> {
  /**
   * Listen port, on the address of the server; 0 picks a free one. Without it there is no way to
   * the protocol but `response.upgrade`, which leads to those with a port too.
   */
  readonly port?: number;
  /**
   * A connection was accepted, or one of HTTP was upgraded: then its `data` is what the handler
   * gave. This comes before all others, also for a connection that is over already.
   */
  onOpen?(connection: RawConnection<Names>): void;
  /** Bytes have arrived. They are overwritten when the function has returned. */
  onData(connection: RawConnection<Names>, bytes: Uint8Array): void;
  /** All that was written is on its way, after a `write` that answered false. */
  onDrain?(connection: RawConnection<Names>): void;
  /** The peer has ended its side. Without it the connection is ended. */
  onEnd?(connection: RawConnection<Names>): void;
  /**
   * A worker has handed the connection back, with these bytes, and none if it said none. It is the
   * object that was handed off, with its `data`, and is not paused. What has arrived meanwhile
   * comes to `onData` next.
   */
  onReturn?(connection: RawConnection<Names>, state: Uint8Array): void;
  /** The connection is over, whoever ended it, here or in a worker. */
  onClose?(connection: RawConnection<Names>): void;
}

/**
 * Serves connections of protocols on the own loop of a worker: `rawOnLoop` makes a connection
 * handler of it. Its functions are called as those of a `Protocol`, with the same timeouts.
 */
export interface RawHandler {
  /** A connection was handed here, with these bytes, and none if the protocol said none. */
  onOpen?(connection: RawGuest, state: Uint8Array): void;
  /** Bytes have arrived. They are overwritten when the function has returned. */
  onData(connection: RawGuest, bytes: Uint8Array): void;
  /** All that was written is on its way, after a `write` that answered false. */
  onDrain?(connection: RawGuest): void;
  /** The peer has ended its side. Without it the connection is ended. */
  onEnd?(connection: RawGuest): void;
  /** The server drains: hand the connection back or end it. Without it, it is ended. */
  onRecall?(connection: RawGuest): void;
  /** The connection is no longer here: it is over, or has gone back. */
  onClose?(connection: RawGuest): void;
}

/** What a connection of a protocol can do, whichever thread has it. */
export interface RawStream {
  /** The address of the peer. */
  readonly peer: PeerAddress | undefined;
  /** True exactly until it is over or goes to another thread, or `end` or `close` was called. */
  readonly open: boolean;
  /** Whatever the application keeps for the connection. It stays in its thread. */
  data: unknown;
  /**
   * Sends bytes, a string as UTF-8; bytes must not change until they were taken. Answers false when
   * they were not taken at once: wait for `onDrain`. @throws RangeError beyond 1 MiB that waits.
   */
  write(bytes: string | Uint8Array): boolean;
  /** Receives nothing until `resume`: the peer is held back. */
  pause(): void;
  resume(): void;
  /** Ends our side when all is sent; what the peer still sends is dropped. */
  end(): void;
  /** Ends the connection at once. */
  close(): void;
}

/**
 * A connection of a protocol, in its accept thread. When it is over, or a worker has it, nothing
 * that it is asked has an effect.
 */
export interface RawConnection<Names extends string = string> extends RawStream {
  /**
   * Hands the connection to a worker, to the raw handler of this name, until it comes back to
   * `onReturn`. What was written is sent first; what `onData` was not called with goes along.
   * `state` is copied, a string as UTF-8, and is what the handler is called with first: bytes
   * that `onData` had and did not use, or whatever the two agree on. Answers false, and changes
   * nothing, when there is no room for it (`handOffsRefused`), when the handler has ended too many
   * workers, when the server drains, when there is no worker for a handler that blocks one, and
   * when the connection is not `open`. A connection that no worker takes within `--task-timeout` is
   * ended. @throws RangeError for more than 16 KiB of state. @throws TypeError when there is no
   * such handler.
   */
  handOff(name: Names, state?: string | Uint8Array): boolean;
}

/**
 * A connection of a protocol, in a worker. When it is over, or has gone back, nothing that it is
 * asked has an effect.
 */
export interface RawGuest extends RawStream {
  /**
   * Gives the connection back to its accept thread, where its protocol goes on: see
   * `Protocol.onReturn`. What was written is sent first; what `onData` was not called with goes
   * along, and `state`, which is copied, a string as UTF-8. @throws RangeError for more than 16 KiB
   * of state.
   */
  handBack(state?: string | Uint8Array): void;
}
