// The parts of a response head as bytes, prepared when the module is loaded: writing one copies
// them and never encodes text.
//
// Any thread, data plane: constants, and functions that write at an offset and answer the offset
// behind what they wrote.

import { assert } from '../base/assert.ts';
import { ascii, DIGIT_0 } from './characters.ts';
import { CONTENT_LENGTH_MAX } from './framing.ts';
import {
  errorPhrase,
  hasContent,
  isContentLengthAllowed,
  reasonPhrase,
  STATUS_MAX,
  STATUS_MIN,
} from './status.ts';

/** What a response says about its connection, RFC 9112 9.3. */
export const CONNECTION_DEFAULT = 0;
export const CONNECTION_CLOSE = 1;
/** For a client of HTTP/1.0 that asked to go on. */
export const CONNECTION_KEEP_ALIVE = 2;
export const CONNECTIONS = 3;

// In place of a content length, RFC 9112 6.
/** The content comes in chunks, for a client of HTTP/1.1. */
export const LENGTH_CHUNKED = -1;
/** The content ends with the connection, for a client of HTTP/1.0: with CONNECTION_CLOSE. */
export const LENGTH_UNTIL_CLOSE = -2;
/** Nothing is said: a 304, or a response to HEAD, whose GET would have had an unknown length. */
export const LENGTH_UNKNOWN = -3;

/** The longest value of a Content-Type field. */
export const CONTENT_TYPE_SIZE_MAX = 96;
/** The most bytes of field lines that an application adds to a response. */
export const RESPONSE_FIELDS_SIZE_MAX = 4096;

/**
 * No head and no whole error response is longer, added fields not counted: 46 bytes of status line,
 * 37 of date, 24 of connection, 16 + 96 of content type, 34 of content length, the empty line's 2.
 */
export const RESPONSE_HEAD_SIZE_MAX = 256;

/** A head without a type or fields of its own. */
export const NONE: Uint8Array = ascii('');
export const CRLF: Uint8Array = ascii('\r\n');

const ERROR_MIN = 400;
const STATUS_LINES = from(STATUS_MIN, (status) => `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
const ERROR_BODIES = from(ERROR_MIN, (status) => `${status} ${errorPhrase(status)}\n`);
const CONNECTION_LINES: readonly Uint8Array[] = [
  NONE,
  ascii('Connection: close\r\n'),
  ascii('Connection: keep-alive\r\n'),
];
const CONTENT_TYPE = ascii('Content-Type: ');
const CONTENT_LENGTH = ascii('Content-Length: ');
const TRANSFER_ENCODING = ascii('Transfer-Encoding: chunked\r\n');

const BILLION = 1_000_000_000;

/** The status line, with the reason phrase that the status has, or an empty one. */
export function statusLine(status: number): Uint8Array {
  assert(status >= STATUS_MIN && status <= STATUS_MAX, 'a status is within its range');
  return STATUS_LINES[status - STATUS_MIN]!;
}

/** The text of an error: its status. */
export function errorBody(status: number): Uint8Array {
  assert(status >= ERROR_MIN, 'an error response has an error status');
  assert(status <= STATUS_MAX, 'a status is within its range');
  return ERROR_BODIES[status - ERROR_MIN]!;
}

/** The status line, the Date, always (RFC 9110 6.6.1), and what becomes of the connection. */
export function writeStart(
  bytes: Uint8Array,
  at: number,
  status: number,
  date: Uint8Array,
  connection: number,
): number {
  assert(connection >= 0 && connection < CONNECTIONS, 'a connection has a code');
  let end = copy(bytes, at, statusLine(status));
  end = copy(bytes, end, date);
  return connection === CONNECTION_DEFAULT ? end : copy(bytes, end, CONNECTION_LINES[connection]!);
}

/**
 * Content-Type, unless it is null, and the field that says how the content ends: `contentLength`
 * bytes, or what a LENGTH_ says. Asserts what a status may say, RFC 9110 8.6 and RFC 9112 6.1: 1xx
 * and 204 have neither field, and 205 is empty.
 */
export function writeContentFields(
  bytes: Uint8Array,
  at: number,
  status: number,
  contentLength: number,
  contentType: Uint8Array | null,
): number {
  let end = at;
  if (contentType !== null) {
    assert(contentType.length <= CONTENT_TYPE_SIZE_MAX, 'a content type has its space');
    end = copy(bytes, end, CONTENT_TYPE);
    end = copy(bytes, end, contentType);
    end = copy(bytes, end, CRLF);
  }
  const isSilent = contentLength === LENGTH_UNKNOWN;
  // A 304 has the length of another response's content.
  assert(
    contentLength === 0 || isSilent || status === 304 || hasContent(status),
    'this status has no content',
  );
  if (isSilent || !isContentLengthAllowed(status)) return end;
  if (contentLength >= 0) return writeContentLength(bytes, end, contentLength);
  assert(hasContent(status), 'this status has no content');
  return contentLength === LENGTH_CHUNKED ? copy(bytes, end, TRANSFER_ENCODING) : end;
}

/** A part, whole. */
export function copy(bytes: Uint8Array, at: number, part: Uint8Array): number {
  bytes.set(part, at);
  return at + part.length;
}

/** Some bytes of a part. A loop, because a view of them would be an allocation. */
export function copyRange(
  bytes: Uint8Array,
  at: number,
  part: Uint8Array,
  offset: number,
  size: number,
): number {
  for (let i = 0; i < size; i++) bytes[at + i] = part[offset + i]!;
  return at + size;
}

function writeContentLength(bytes: Uint8Array, at: number, contentLength: number): number {
  assert(contentLength <= CONTENT_LENGTH_MAX, 'a length has at most 53 bits');
  let end = copy(bytes, at, CONTENT_LENGTH);
  if (contentLength < BILLION) return copy(bytes, writeNumber(bytes, end, contentLength, 1), CRLF);
  // In two numbers that each have 31 bits.
  const upper = Math.floor(contentLength / BILLION);
  end = writeNumber(bytes, end, upper, 1);
  end = writeNumber(bytes, end, contentLength - upper * BILLION, 9);
  return copy(bytes, end, CRLF);
}

// In decimal, with leading zeros to `digits`.
function writeNumber(bytes: Uint8Array, at: number, value: number, digits: number): number {
  let end = at + 1;
  for (let rest = value; rest > 9; rest = (rest / 10) | 0) end++;
  end = Math.max(end, at + digits);
  let rest = value;
  for (let digit = end - 1; digit >= at; digit--) {
    bytes[digit] = DIGIT_0 + (rest % 10);
    rest = (rest / 10) | 0;
  }
  return end;
}

// A text for each status from `first` on. Control plane.
function from(first: number, text: (status: number) => string): readonly Uint8Array[] {
  // Of so many, `ascii` would take a noticeable part of the start.
  const encoder = new TextEncoder();
  const count = STATUS_MAX - first + 1;
  return Array.from({ length: count }, (_, index) => encoder.encode(text(first + index)));
}
