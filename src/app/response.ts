// The response as a handler sees it. Types only.

import type { StreamSource } from './stream-source.ts';

/** What `upgrade` may be told. */
export interface UpgradeOptions {
  /**
   * What clients call the protocol, such as `websocket`; a version may be behind it: `chat/2`.
   * The name of the protocol unless it is said.
   */
  readonly token?: string;
  /** Is `data` of the connection when the protocol is told of it. */
  readonly data?: unknown;
}

/**
 * The response to a request. Everything throws when it has ended. `Protocols` are the names of the
 * application's protocols.
 */
export interface Response<Protocols extends string = string> {
  /**
   * The status of the response, 200 if nobody says otherwise. Set before the first byte. It is a
   * final one, 200 to 599; one that is not registered is sent with an empty reason phrase.
   */
  status: number;
  /** True exactly when it has ended or begun, or the peer has gone: then it is what it is. */
  readonly begun: boolean;
  /**
   * Adds a field line, before the first byte. @throws TypeError when name or value are not what
   * RFC 9110 section 5 allows, or the field is the server's own, such as Content-Length.
   */
  field(name: string, value: string): this;
  /**
   * Says how long the body will be, before the first `write`; unsaid, it is sent in chunks. To HEAD
   * it may be that of the body that GET would get, and none be written.
   */
  length(size: number): this;
  /** Adds a field behind a body that is sent in chunks (RFC 9110 section 6.5). */
  trailer(name: string, value: string): this;
  /**
   * Sends a piece of the body: a string as UTF-8. When it could not be taken at once, because the
   * peer does not read as fast, answers a promise of when it was: await it before the next. It is
   * rejected when the peer is gone. Bytes must not change until they were taken.
   */
  write(piece: string | Uint8Array): Promise<void> | undefined;
  /**
   * Ends the response, with a last or only piece of its body. A string that is the whole body makes
   * it `text/plain` unless a Content-Type was set. When the peer is gone, it does nothing.
   */
  end(body?: string | Uint8Array, status?: number): void;
  /** Ends the response with a value as JSON. @throws TypeError for a value that JSON cannot say. */
  json(value: unknown, status?: number): void;
  /**
   * Ends the response with the place of another: RFC 9110 section 15.4. What a URI cannot have,
   * such as a space, is percent-encoded.
   */
  redirect(location: string, status?: 301 | 302 | 303 | 307 | 308): void;
  /**
   * Sends what a stream or an iterable has, piece by piece as the peer takes it, and ends the
   * response. When the peer has gone, the source is cancelled, and the promise is rejected, which a
   * handler may answer with. When the source fails, the response does, whether the promise is
   * awaited or not. When the client has ended its side, each piece has to come
   * within `--handler-timeout`: nobody can know whether it still reads. To HEAD the source
   * is cancelled before it is asked for anything.
   */
  stream(source: StreamSource): Promise<void>;
  /**
   * Ends the response with 101 and the fields that were set, and HTTP on its connection: from there
   * on it speaks the protocol of this name (RFC 9110 section 7.8). Its `onOpen` is called when all
   * responses before this one are written; bytes behind the request come to its `onData`. Only the
   * handler of a route can do so, or the fallback, in an accept thread, and when it has read the
   * body of the request. @throws UpgradeError, which is a 426, when the request does not ask for
   * it: in HTTP/1.1, with `Upgrade` and `Connection: upgrade`, and without `close`. @throws
   * ExchangeError, as a 503, when the server drains, and as a 400 when a body was not read.
   */
  upgrade(protocol: Protocols, options?: UpgradeOptions): void;
}
