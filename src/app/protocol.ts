// Protocols of an application's own, on ports of their own. Types only.

import type { PeerAddress } from '../kernel/sockets.ts';

/**
 * A protocol other than HTTP. Its functions are called in the accept thread that has the
 * connection, with the same pools, limits and timeouts: a connection that is silent for
 * `--keep-alive-timeout`, or does not take what it is sent within `--send-timeout`, is ended. One
 * that throws costs its connection.
 */
export interface Protocol {
  /** Listen port, on the address of the server; 0 picks a free one. */
  readonly port: number;
  /** A connection was accepted. */
  onOpen?(connection: RawConnection): void;
  /** Bytes have arrived. They are overwritten when the function has returned. */
  onData(connection: RawConnection, bytes: Uint8Array): void;
  /** All that was written is on its way, after a `write` that answered false. */
  onDrain?(connection: RawConnection): void;
  /** The peer has ended its side. Without it the connection is ended. */
  onEnd?(connection: RawConnection): void;
  /** The connection is over, whoever ended it. */
  onClose?(connection: RawConnection): void;
}

/** A connection of a protocol. When it is over, nothing that it is asked has an effect. */
export interface RawConnection {
  /** The address of the peer. */
  readonly peer: PeerAddress | undefined;
  /** True exactly until `onClose`, or until `end` or `close` was called. */
  readonly open: boolean;
  /** Whatever the application keeps for the connection. */
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
