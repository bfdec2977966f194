// Writes response heads, and the small bodies of error responses, into a thread's send memory.
//
// Owner: one thread. Data plane: all text was turned into bytes at construction, and writing copies
// them. The caller checks the space beforehand, RESPONSE_HEAD_SIZE_MAX bytes and those of `extra`;
// every method answers the offset behind what it wrote.
//
// The answer that matters most, 200 with an empty body, is one copy of a template that holds the
// date; it is renewed when the date changes, once a second. Measured for its 75 bytes, the cost of
// `bytes.set(template, at)` being 1: copyWithin 1.9, a loop over the bytes 2.7; in a
// SharedArrayBuffer 1, 1.6 and 2. (A DataView that moves doubles takes 0.6 and is not worth its
// trick.)

import { assert } from '../base/assert.ts';
import { ascii, DIGIT_0 } from './characters.ts';
import { DATE_FIELD_SIZE, type DateField } from './date-field.ts';
import { hasContent, reasonPhrase, STATUS_CODES, STATUS_MAX, STATUS_MIN } from './status.ts';

/** What a response says about its connection, RFC 9112 9.3. */
export const CONNECTION_DEFAULT = 0;
export const CONNECTION_CLOSE = 1;
/** For a client of HTTP/1.0 that asked to go on. */
export const CONNECTION_KEEP_ALIVE = 2;

/** The longest value of a Content-Type field. */
export const CONTENT_TYPE_SIZE_MAX = 96;

/**
 * No head and no whole error response is longer, `extra` not counted: 46 bytes of status line, 37
 * of date, 24 of connection, 16 + 96 of content type, 28 of content length, the empty line's 2.
 */
export const RESPONSE_HEAD_SIZE_MAX = 256;

const CONNECTION_LINES: readonly Uint8Array[] = [
  ascii(''),
  ascii('Connection: close\r\n'),
  ascii('Connection: keep-alive\r\n'),
];
const CRLF = ascii('\r\n');
const CONTENT_TYPE = ascii('Content-Type: ');
const CONTENT_LENGTH = ascii('Content-Length: ');
const CONTENT_LENGTH_ZERO = ascii('Content-Length: 0\r\n');
/** The content type of every text that is sent. */
export const TEXT_PLAIN: Uint8Array = ascii('text/plain; charset=utf-8');
const NONE = ascii('');

export class ResponseWriter {
  readonly #bytes: Uint8Array;
  readonly #date: DateField;
  // By status - STATUS_MIN; empty for a status that is not known.
  readonly #statusLines: readonly Uint8Array[];
  readonly #errorBodies: readonly Uint8Array[];
  readonly #template: Uint8Array;
  readonly #templateDateAt: number;
  #templateVersion: number;

  constructor(bytes: Uint8Array, date: DateField) {
    assert(date.bytes.length === DATE_FIELD_SIZE, 'the date field has a fixed size');
    this.#bytes = bytes;
    this.#date = date;
    this.#statusLines = byStatus((status) => `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
    this.#errorBodies = byStatus((status) => `${status} ${reasonPhrase(status)}\n`);
    const ok = this.#statusLine(200);
    this.#templateDateAt = ok.length;
    this.#templateVersion = date.version;
    this.#template = Uint8Array.from([...ok, ...date.bytes, ...CONTENT_LENGTH_ZERO, ...CRLF]);
  }

  /** A response without content. */
  empty(at: number, status: number, connection: number): number {
    assert(at >= 0 && at + RESPONSE_HEAD_SIZE_MAX <= this.#bytes.length, 'a head has its space');
    if (status !== 200 || connection !== CONNECTION_DEFAULT)
      return this.#head(at, status, connection, 0, null, NONE);
    if (this.#templateVersion !== this.#date.version) this.#renewTemplate();
    this.#bytes.set(this.#template, at);
    return at + this.#template.length;
  }

  /**
   * The head of a response of `contentLength` bytes, which the caller sends next unless the request
   * was HEAD. `contentType` is the value of the field, or null for none.
   */
  head(
    at: number,
    status: number,
    connection: number,
    contentLength: number,
    contentType: Uint8Array | null,
  ): number {
    assert(at >= 0 && at + RESPONSE_HEAD_SIZE_MAX <= this.#bytes.length, 'a head has its space');
    assert(contentLength === 0 || hasContent(status), 'this status has no content');
    if (contentType !== null)
      assert(contentType.length <= CONTENT_TYPE_SIZE_MAX, 'a content type has its space');
    return this.#head(at, status, connection, contentLength, contentType, NONE);
  }

  /**
   * An error response with its status as text. `headOnly` when the request was HEAD: the same head
   * without the body, RFC 9110 9.3.2. `extra` is one or more prepared field lines, or null.
   */
  error(
    at: number,
    status: number,
    connection: number,
    headOnly: boolean,
    extra: Uint8Array | null,
  ): number {
    assert(status >= 400, 'an error response has an error status');
    const fields = extra ?? NONE;
    const space = RESPONSE_HEAD_SIZE_MAX + fields.length;
    assert(at >= 0 && at + space <= this.#bytes.length, 'an error response has its space');
    const body = this.#errorBodies[status - STATUS_MIN]!;
    const end = this.#head(at, status, connection, body.length, TEXT_PLAIN, fields);
    return headOnly ? end : this.#copy(end, body);
  }

  #head(
    at: number,
    status: number,
    connection: number,
    contentLength: number,
    contentType: Uint8Array | null,
    extra: Uint8Array,
  ): number {
    assert(connection >= 0 && connection < CONNECTION_LINES.length, 'a connection has a code');
    let end = this.#copy(at, this.#statusLine(status));
    // Always, RFC 9110 6.6.1.
    end = this.#copy(end, this.#date.bytes);
    if (connection !== CONNECTION_DEFAULT) end = this.#copy(end, CONNECTION_LINES[connection]!);
    if (contentType !== null) {
      end = this.#copy(end, CONTENT_TYPE);
      end = this.#copy(end, contentType);
      end = this.#copy(end, CRLF);
    }
    if (hasContent(status)) end = this.#contentLength(end, contentLength);
    if (extra.length > 0) end = this.#copy(end, extra);
    return this.#copy(end, CRLF);
  }

  #statusLine(status: number): Uint8Array {
    assert(status >= STATUS_MIN && status <= STATUS_MAX, 'a status is within its range');
    const line = this.#statusLines[status - STATUS_MIN]!;
    assert(line.length > 0, 'a status has a reason phrase');
    return line;
  }

  #contentLength(at: number, contentLength: number): number {
    assert(contentLength >= 0 && contentLength <= 0x7fff_ffff, 'a length has 31 bits');
    const first = this.#copy(at, CONTENT_LENGTH);
    let end = first + 1;
    for (let rest = contentLength; rest > 9; rest = (rest / 10) | 0) end++;
    let rest = contentLength;
    for (let digit = end - 1; digit >= first; digit--) {
      this.#bytes[digit] = DIGIT_0 + (rest % 10);
      rest = (rest / 10) | 0;
    }
    return this.#copy(end, CRLF);
  }

  #renewTemplate(): void {
    this.#template.set(this.#date.bytes, this.#templateDateAt);
    this.#templateVersion = this.#date.version;
  }

  #copy(at: number, part: Uint8Array): number {
    this.#bytes.set(part, at);
    return at + part.length;
  }
}

// Control plane.
function byStatus(text: (status: number) => string): readonly Uint8Array[] {
  const lines = new Array<Uint8Array>(STATUS_MAX - STATUS_MIN + 1).fill(NONE);
  for (const status of STATUS_CODES) lines[status - STATUS_MIN] = ascii(text(status));
  return lines;
}
