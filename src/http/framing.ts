// How the body of a request ends, RFC 9112 section 6: Content-Length, Transfer-Encoding, and what
// the two say together. What is read leniently here and differently by a proxy before us is a
// smuggled request, so each doubt is an error.
//
// Any thread, data plane: pure functions. The bytes between `offset` and `end` hold a field value
// without its outer white space, and therefore no control character except HTAB.

import {
  ascii,
  COMMA,
  DIGIT_0,
  equalsIgnoreCase,
  isAll,
  skipSpace,
  TOKEN,
  trimSpace,
} from './characters.ts';
import { VALUE_INVALID } from './field-values.ts';

/** The longest body that can be counted exactly: 2^53 - 1 bytes. */
export const CONTENT_LENGTH_MAX: number = Number.MAX_SAFE_INTEGER;
/** What a longer one reads as. */
export const CONTENT_LENGTH_BEYOND: number = CONTENT_LENGTH_MAX + 1;

/** Bits of `transferCodings`, RFC 9112 6.1. */
export const CODING_CHUNKED = 1;
export const CODING_OTHER = 2;

const CHUNKED = ascii('chunked');

/** The number, CONTENT_LENGTH_BEYOND if it is larger, or VALUE_INVALID: 1*DIGIT, RFC 9110 8.6. */
export function contentLengthValue(bytes: Uint8Array, offset: number, end: number): number {
  if (offset === end) return VALUE_INVALID;
  let length = 0;
  for (let at = offset; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0;
    if (digit < 0 || digit > 9) return VALUE_INVALID;
    // Never more than ten times the largest, and rounded only when it is beyond it anyway.
    if (length <= CONTENT_LENGTH_MAX) length = length * 10 + digit;
  }
  return length <= CONTENT_LENGTH_MAX ? length : CONTENT_LENGTH_BEYOND;
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
    let next = at;
    while (next < end && bytes[next] !== COMMA) next++;
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

/**
 * 0, or the status to reject a head with that has these codings, 0 for no Transfer-Encoding, and
 * this length. Without a last "chunked" nobody can know where the body ends, RFC 9112 6.3; a coding
 * before it is one that is not understood here, RFC 9112 6.1. That both fields are there, or that
 * HTTP/1.0 has a Transfer-Encoding, was refused before.
 */
export function framingStatus(codings: number, contentLength: number): number {
  if ((codings & CODING_OTHER) !== 0) return (codings & CODING_CHUNKED) === 0 ? 400 : 501;
  return contentLength > CONTENT_LENGTH_MAX ? 413 : 0;
}
