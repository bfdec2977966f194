// Requests of tests, and what they are answered with. Types only.

/** A request of a test. */
export interface InjectRequest {
  /** GET unless it is said. */
  readonly method?: string;
  /** Path and query, `/` unless it is said. */
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string | readonly string[]>>;
  /** A string is sent as UTF-8. With several pieces, it is sent in chunks. */
  readonly body?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Ends the connection, as a client does that has gone. */
  readonly signal?: AbortSignal;
}

/**
 * The response to an injected request; all of it has arrived. Behind a 101 the client ends the
 * connection: it speaks no protocol but HTTP.
 */
export interface InjectResponse {
  readonly status: number;
  /** Names in lower case; values of several lines are joined with ", ", of cookies with "; ". */
  readonly fields: Readonly<Record<string, string>>;
  bytes(): Uint8Array;
  /** The body as UTF-8. */
  text(): string;
  /** The body as what it means in JSON. @throws SyntaxError */
  json(): unknown;
}
