// Writes responses, or their heads and the frames of their content, into a thread's send memory.
//
// Owner: one thread. Data plane: all text was turned into bytes at construction, and writing copies
// them. The caller checks the space beforehand, RESPONSE_HEAD_SIZE_MAX bytes for a head and those
// of its fields; every method answers the offset behind what it wrote.
//
// The answer that matters most, 200 with an empty body, is one copy of a prepared response.
// Measured for its 75 bytes, the cost of `bytes.set(template, at)` being 1: copyWithin 1.9, a loop
// over the bytes 2.7; in a SharedArrayBuffer 1, 1.6 and 2. (A DataView that moves doubles takes 0.6
// and is not worth its trick.)

import { assert } from '../base/assert.ts';
import { ascii, DIGIT_0 } from './characters.ts';
import { DATE_FIELD_SIZE, type DateField } from './date-field.ts';
import { PreparedResponse } from './prepared-response.ts';
import {
  CONNECTION_CLOSE,
  CRLF,
  copy,
  copyRange,
  errorBody,
  LENGTH_UNKNOWN,
  LENGTH_UNTIL_CLOSE,
  NONE,
  RESPONSE_FIELDS_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
  writeContentFields,
  writeStart,
} from './response-head.ts';

export {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  CONTENT_TYPE_SIZE_MAX,
  LENGTH_CHUNKED,
  LENGTH_UNKNOWN,
  LENGTH_UNTIL_CLOSE,
  RESPONSE_FIELDS_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
} from './response-head.ts';

/** The content type of every text that is sent. */
export const TEXT_PLAIN: Uint8Array = ascii('text/plain; charset=utf-8');
/** Says to a client that waits that its body is wanted, RFC 9110 15.2.1. */
export const CONTINUE_RESPONSE: Uint8Array = ascii('HTTP/1.1 100 Continue\r\n\r\n');

/** The most bytes of `chunkHead`: 8 digits and CRLF. */
export const CHUNK_HEAD_SIZE_MAX = 10;
export const CHUNK_END_SIZE = 2;
/** The bytes of `lastChunk` without trailers. */
export const LAST_CHUNK_SIZE = 5;

const LAST_CHUNK = ascii('0\r\n');

export class ResponseWriter {
  readonly #bytes: Uint8Array;
  readonly #date: DateField;
  readonly #ok: PreparedResponse;

  constructor(bytes: Uint8Array, date: DateField) {
    assert(date.bytes.length === DATE_FIELD_SIZE, 'the date field has a fixed size');
    this.#bytes = bytes;
    this.#date = date;
    this.#ok = this.prepare(200, NONE, null, NONE);
  }

  /** A response without content. */
  empty(at: number, status: number, connection: number): number {
    this.#check(at, RESPONSE_HEAD_SIZE_MAX);
    if (status === 200) return this.#ok.write(this.#bytes, at, connection, false);
    // A 304 has the length of what GET would have answered, which is not nothing: RFC 9110 8.6.
    return this.#head(
      at,
      status,
      connection,
      status === 304 ? LENGTH_UNKNOWN : 0,
      null,
      NONE,
      0,
      0,
    );
  }

  /**
   * The head of a response of `contentLength` bytes, or with a LENGTH_ in its place. The content
   * is the caller's to send, unless the request was HEAD or the status is 304: then the length is
   * what GET would have answered, RFC 9110 8.6. `contentType` is the value of the field, or null
   * for none. `fields` has `fieldsSize` bytes of field lines at `fieldsOffset`.
   */
  head(
    at: number,
    status: number,
    connection: number,
    contentLength: number,
    contentType: Uint8Array | null,
    fields: Uint8Array = NONE,
    fieldsOffset = 0,
    fieldsSize = 0,
  ): number {
    assert(fieldsSize <= RESPONSE_FIELDS_SIZE_MAX, 'the fields of a response have their space');
    assert(fieldsOffset + fieldsSize <= fields.length, 'the fields are where they are said to be');
    this.#check(at, RESPONSE_HEAD_SIZE_MAX + fieldsSize);
    assert(contentLength >= LENGTH_UNKNOWN, 'a length is a number or one of the LENGTH_ codes');
    if (contentLength === LENGTH_UNTIL_CLOSE)
      assert(connection === CONNECTION_CLOSE, 'content that ends with its connection closes it');
    return this.#head(
      at,
      status,
      connection,
      contentLength,
      contentType,
      fields,
      fieldsOffset,
      fieldsSize,
    );
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
    const body = errorBody(status);
    const fields = extra ?? NONE;
    const size = fields.length;
    this.#check(at, RESPONSE_HEAD_SIZE_MAX + size);
    const end = this.#head(at, status, connection, body.length, TEXT_PLAIN, fields, 0, size);
    return headOnly ? end : copy(this.#bytes, end, body);
  }

  /** The interim response to a client that waits before it sends its body: RFC 9110 10.1.1. */
  interimContinue(at: number): number {
    this.#check(at, CONTINUE_RESPONSE.length);
    return copy(this.#bytes, at, CONTINUE_RESPONSE);
  }

  /** What comes before the `size` bytes of a chunk, at least one: RFC 9112 7.1. */
  chunkHead(at: number, size: number): number {
    assert(size > 0 && size <= 0x7fff_ffff, 'a chunk has bytes, and their count has 31 bits');
    this.#check(at, CHUNK_HEAD_SIZE_MAX);
    const bytes = this.#bytes;
    let end = at + 1;
    for (let rest = size >> 4; rest > 0; rest >>= 4) end++;
    let rest = size;
    for (let index = end - 1; index >= at; index--) {
      const digit = rest & 0xf;
      // Behind 9 comes "a", 39 later than the next character.
      bytes[index] = digit < 10 ? DIGIT_0 + digit : DIGIT_0 + 39 + digit;
      rest >>= 4;
    }
    return copy(bytes, end, CRLF);
  }

  /** What comes behind the bytes of a chunk. */
  chunkEnd(at: number): number {
    this.#check(at, CHUNK_END_SIZE);
    return copy(this.#bytes, at, CRLF);
  }

  /** The end of chunked content; `trailers` are prepared field lines, RFC 9112 7.1.2. */
  lastChunk(at: number, trailers: Uint8Array = NONE, offset = 0, size = trailers.length): number {
    assert(size <= RESPONSE_FIELDS_SIZE_MAX, 'the fields of a response have their space');
    assert(offset + size <= trailers.length, 'the fields are where they are said to be');
    this.#check(at, LAST_CHUNK_SIZE + size);
    let end = copy(this.#bytes, at, LAST_CHUNK);
    end = copyRange(this.#bytes, end, trailers, offset, size);
    return copy(this.#bytes, end, CRLF);
  }

  /**
   * Lays out a response that is sent often; `fields` are prepared field lines. Its date is that of
   * this writer. Control plane.
   */
  prepare(
    status: number,
    fields: Uint8Array,
    contentType: Uint8Array | null,
    body: Uint8Array,
  ): PreparedResponse {
    return new PreparedResponse(this.#date, status, { fields, contentType, body });
  }

  /** Sends a prepared response, or its head alone for HEAD; it takes `prepared.sizeMax` bytes. */
  writePrepared(
    at: number,
    prepared: PreparedResponse,
    connection: number,
    headOnly: boolean,
  ): number {
    this.#check(at, prepared.sizeMax);
    return prepared.write(this.#bytes, at, connection, headOnly);
  }

  #head(
    at: number,
    status: number,
    connection: number,
    contentLength: number,
    contentType: Uint8Array | null,
    fields: Uint8Array,
    fieldsOffset: number,
    fieldsSize: number,
  ): number {
    const bytes = this.#bytes;
    let end = writeStart(bytes, at, status, this.#date.bytes, connection);
    end = writeContentFields(bytes, end, status, contentLength, contentType);
    end = copyRange(bytes, end, fields, fieldsOffset, fieldsSize);
    return copy(bytes, end, CRLF);
  }

  #check(at: number, size: number): void {
    assert(at >= 0, 'an offset is not negative');
    assert(at + size <= this.#bytes.length, 'what is written has its space');
  }
}
