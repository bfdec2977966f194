// A response that is the same for many requests but for its date and what it says about its
// connection: laid out once, so that sending it is one copy.
//
// Owner: one thread, whose date it carries. Built at start; data plane from then on. The date
// within is renewed when the thread's has changed: once a second at most, and only if it is sent.

import { assert } from '../base/assert.ts';
import type { DateField } from './date-field.ts';
import {
  CONNECTION_DEFAULT,
  CONNECTIONS,
  CRLF,
  copy,
  LENGTH_UNKNOWN,
  NONE,
  RESPONSE_FIELDS_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
  statusLine,
  writeContentFields,
  writeStart,
} from './response-head.ts';
import { hasContent } from './status.ts';

export type PreparedContent = {
  /** Field lines, each with its CRLF, of at most RESPONSE_FIELDS_SIZE_MAX bytes. */
  readonly fields?: Uint8Array;
  readonly contentType?: Uint8Array | null;
  readonly body?: Uint8Array;
};

export class PreparedResponse {
  /** The most bytes that it takes, whatever it says about its connection. */
  readonly sizeMax: number;
  readonly status: number;
  readonly #date: DateField;
  readonly #dateAt: number;
  // By what they say about the connection.
  readonly #heads: readonly Uint8Array[];
  // The first of them with the body: what is nearly always sent.
  readonly #whole: Uint8Array;
  readonly #body: Uint8Array;
  #dateVersion: number;

  /** Copies what it is given. `date` is that of the thread which sends it. */
  constructor(date: DateField, status: number, content: PreparedContent) {
    const { fields = NONE, contentType = null, body = NONE } = content;
    assert(status >= 200, 'a prepared response is final');
    assert(body.length === 0 || hasContent(status), 'this status has no content');
    assert(fields.length <= RESPONSE_FIELDS_SIZE_MAX, 'the fields of a response have their space');
    this.status = status;
    this.#date = date;
    this.#dateVersion = date.version;
    this.#dateAt = statusLine(status).length;
    // What the GET of a 304 would have had is not known here.
    const length = status === 304 ? LENGTH_UNKNOWN : body.length;
    this.#heads = Array.from({ length: CONNECTIONS }, (_, connection) => {
      const bytes = new Uint8Array(RESPONSE_HEAD_SIZE_MAX + fields.length);
      let end = writeStart(bytes, 0, status, date.bytes, connection);
      end = writeContentFields(bytes, end, status, length, contentType);
      end = copy(bytes, end, fields);
      return bytes.slice(0, copy(bytes, end, CRLF));
    });
    const head = this.#heads[CONNECTION_DEFAULT]!;
    this.#whole = Uint8Array.from([...head, ...body]);
    this.#body = this.#whole.subarray(head.length);
    this.sizeMax = Math.max(...this.#heads.map((bytes) => bytes.length)) + body.length;
  }

  /**
   * Writes it, or its head alone for HEAD (RFC 9110 9.3.2), at `at`, where `sizeMax` bytes are
   * free; answers the offset behind it.
   */
  write(bytes: Uint8Array, at: number, connection: number, headOnly: boolean): number {
    assert(connection >= 0 && connection < CONNECTIONS, 'a connection has a code');
    if (this.#dateVersion !== this.#date.version) this.#renewDate();
    if (connection === CONNECTION_DEFAULT && !headOnly) return copy(bytes, at, this.#whole);
    const end = copy(bytes, at, this.#heads[connection]!);
    return headOnly ? end : copy(bytes, end, this.#body);
  }

  #renewDate(): void {
    const date = this.#date.bytes;
    for (let index = 0; index < CONNECTIONS; index++) this.#heads[index]!.set(date, this.#dateAt);
    this.#whole.set(date, this.#dateAt);
    this.#dateVersion = this.#date.version;
  }
}
