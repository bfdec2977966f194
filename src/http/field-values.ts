// The values that decide how a connection goes on: Host, Connection, Content-Length and
// Transfer-Encoding, each read in one pass, strictly. What is read leniently here and differently
// by a proxy before us is a smuggled request, so each doubt is an error.
//
// Any thread, data plane: pure functions of the bytes between `offset` and `end`, which hold a
// field value without its outer white space and therefore no control character except HTAB.

import {
  ascii,
  BRACKET_CLOSE,
  BRACKET_OPEN,
  CLASSES,
  COLON,
  COMMA,
  DIGIT,
  DIGIT_0,
  equalsIgnoreCase,
  HEX,
  HOST,
  HTAB,
  IPV6,
  isAll,
  PERCENT,
  SP,
  TOKEN,
} from './characters.ts';

/** What a reader answers for a value outside its grammar. */
export const VALUE_INVALID = -1;

/** Bits of `connectionOptions`, RFC 9110 7.6.1. */
export const OPTION_CLOSE = 1;
export const OPTION_KEEP_ALIVE = 2;

/** Bits of `transferCodings`, RFC 9112 6.1. */
export const CODING_CHUNKED = 1;
export const CODING_OTHER = 2;

/** A length that needs more than 31 bits reads as this one, which is beyond any limit. */
export const CONTENT_LENGTH_MAX = 0x7fff_ffff;

const CLOSE = ascii('close');
const KEEP_ALIVE = ascii('keep-alive');
const CHUNKED = ascii('chunked');

/** True exactly when the name at `offset`, of four characters, is "Host" in any case. */
export function isHostName(bytes: Uint8Array, offset: number): boolean {
  return (
    (bytes[offset]! | 0x20) === 0x68 &&
    (bytes[offset + 1]! | 0x20) === 0x6f &&
    (bytes[offset + 2]! | 0x20) === 0x73 &&
    (bytes[offset + 3]! | 0x20) === 0x74
  );
}

/** True exactly when the value is a host, perhaps empty, and perhaps a port: RFC 9110 7.2. */
export function isHostPort(bytes: Uint8Array, offset: number, end: number): boolean {
  const at = hostEnd(bytes, offset, end);
  if (at === end) return true;
  return at >= 0 && bytes[at] === COLON && isAll(bytes, at + 1, end, DIGIT);
}

/**
 * Where a plain host, a name or an IPv4 address, and its port end that begin at `offset`: a value
 * that is just this needs no second look. Others, with brackets or escapes, are for `isHostPort`.
 */
export function plainHostEnd(bytes: Uint8Array, offset: number, stop: number): number {
  const classOf = CLASSES;
  let at = offset;
  while (at < stop && (classOf[bytes[at]!]! & HOST) !== 0) at++;
  if (at === stop || bytes[at] !== COLON) return at;
  at++;
  while (at < stop && (classOf[bytes[at]!]! & DIGIT) !== 0) at++;
  return at;
}

/** True exactly when the value is host ":" port, neither of them empty: RFC 9112 3.2.3. */
export function isAuthority(bytes: Uint8Array, offset: number, end: number): boolean {
  const at = hostEnd(bytes, offset, end);
  if (at <= offset || at + 1 >= end) return false;
  return bytes[at] === COLON && isAll(bytes, at + 1, end, DIGIT);
}

/** The number, CONTENT_LENGTH_MAX when it is larger, or VALUE_INVALID: 1*DIGIT, RFC 9110 8.6. */
export function contentLengthValue(bytes: Uint8Array, offset: number, end: number): number {
  if (offset === end) return VALUE_INVALID;
  let length = 0;
  let fits = true;
  for (let at = offset; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0;
    if (digit < 0 || digit > 9) return VALUE_INVALID;
    // 214,748,363 is the largest number to which any digit can be added within 31 bits.
    if (length > 214_748_363) fits = false;
    if (fits) length = length * 10 + digit;
  }
  return fits ? length : CONTENT_LENGTH_MAX;
}

/** The options of a Connection value that matter here, as bits; the others name fields. */
export function connectionOptions(bytes: Uint8Array, offset: number, end: number): number {
  let options = 0;
  for (let at = offset; at < end; ) {
    const next = elementEnd(bytes, at, end);
    const first = skipSpace(bytes, at, next);
    const size = trimSpace(bytes, first, next) - first;
    if (size === 5 && equalsIgnoreCase(bytes, first, CLOSE)) options |= OPTION_CLOSE;
    if (size === 10 && equalsIgnoreCase(bytes, first, KEEP_ALIVE)) options |= OPTION_KEEP_ALIVE;
    at = next + 1;
  }
  return options;
}

/**
 * The codings of a Transfer-Encoding value as bits, added to `seen`, the codings of the lines
 * before it. VALUE_INVALID when a coding is not a bare token, or when one follows "chunked", which
 * is the last coding and applied once, RFC 9112 6.1. An empty element is invalid too, although RFC
 * 9110 5.6.1.2 has lists ignore it: no client sends one here, and readers differ on what it means.
 */
export function transferCodings(
  bytes: Uint8Array,
  offset: number,
  end: number,
  seen: number,
): number {
  let codings = seen;
  let at = offset;
  do {
    const next = elementEnd(bytes, at, end);
    const first = skipSpace(bytes, at, next);
    const last = trimSpace(bytes, first, next);
    if (first === last || !isAll(bytes, first, last, TOKEN)) return VALUE_INVALID;
    if ((codings & CODING_CHUNKED) !== 0) return VALUE_INVALID;
    const chunked = last - first === 7 && equalsIgnoreCase(bytes, first, CHUNKED);
    codings |= chunked ? CODING_CHUNKED : CODING_OTHER;
    at = next + 1;
  } while (at <= end);
  return codings;
}

/** Where white space (OWS, RFC 9110 5.6.3) at `offset` ends. */
export function skipSpace(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
  return at;
}

/** Where the bytes before `end` end when white space is taken off them. */
export function trimSpace(bytes: Uint8Array, offset: number, end: number): number {
  let at = end;
  while (at > offset && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;
  return at;
}

function elementEnd(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at < end && bytes[at] !== COMMA) at++;
  return at;
}

// Where the host at `offset` ends, or VALUE_INVALID when it is cut short. An address in brackets is
// checked by its characters only; a version of the future ("[v1.x]") is refused.
function hostEnd(bytes: Uint8Array, offset: number, end: number): number {
  if (offset < end && bytes[offset] === BRACKET_OPEN) return literalEnd(bytes, offset + 1, end);
  const classOf = CLASSES;
  let at = offset;
  while (at < end) {
    if ((classOf[bytes[at]!]! & HOST) !== 0) at++;
    else if (bytes[at] !== PERCENT) return at;
    else if (at + 3 > end || !isAll(bytes, at + 1, at + 3, HEX)) return VALUE_INVALID;
    else at += 3;
  }
  return at;
}

function literalEnd(bytes: Uint8Array, offset: number, end: number): number {
  const classOf = CLASSES;
  let at = offset;
  while (at < end && (classOf[bytes[at]!]! & IPV6) !== 0) at++;
  if (at === offset || at === end || bytes[at] !== BRACKET_CLOSE) return VALUE_INVALID;
  return at + 1;
}
