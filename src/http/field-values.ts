// The values of a head that are read here: Host, Connection and Expect, each in one pass, strictly.
// `framing.ts` reads those that say how the body ends.
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
  equalsIgnoreCase,
  HEX,
  HOST,
  IPV6,
  isAll,
  PERCENT,
  skipSpace,
  trimSpace,
} from './characters.ts';

/** What a reader answers for a value outside its grammar. */
export const VALUE_INVALID = -1;

/** Bits of `connectionOptions`, RFC 9110 7.6.1. */
export const OPTION_CLOSE = 1;
export const OPTION_KEEP_ALIVE = 2;
export const OPTION_UPGRADE = 4;

/** Bits of `expectations`, RFC 9110 10.1.1. */
export const EXPECT_CONTINUE = 1;
export const EXPECT_OTHER = 2;

const CLOSE = ascii('close');
const KEEP_ALIVE = ascii('keep-alive');
const UPGRADE = ascii('upgrade');
const CONTINUE = ascii('100-continue');

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

/** The options of a Connection value that matter here, as bits; the others name fields. */
export function connectionOptions(bytes: Uint8Array, offset: number, end: number): number {
  let options = 0;
  for (let at = offset; at < end; ) {
    const next = elementEnd(bytes, at, end);
    const first = skipSpace(bytes, at, next);
    const size = trimSpace(bytes, first, next) - first;
    if (size === 5 && equalsIgnoreCase(bytes, first, CLOSE)) options |= OPTION_CLOSE;
    if (size === 10 && equalsIgnoreCase(bytes, first, KEEP_ALIVE)) options |= OPTION_KEEP_ALIVE;
    if (size === 7 && equalsIgnoreCase(bytes, first, UPGRADE)) options |= OPTION_UPGRADE;
    at = next + 1;
  }
  return options;
}

/** The expectations of an Expect value as bits; an empty list has none. */
export function expectations(bytes: Uint8Array, offset: number, end: number): number {
  let found = 0;
  for (let at = offset; at < end; ) {
    const next = elementEnd(bytes, at, end);
    const first = skipSpace(bytes, at, next);
    const size = trimSpace(bytes, first, next) - first;
    // "100-continue" has digits, which have the bit set that `equalsIgnoreCase` sets.
    const known = size === 12 && equalsIgnoreCase(bytes, first, CONTINUE);
    if (size > 0) found |= known ? EXPECT_CONTINUE : EXPECT_OTHER;
    at = next + 1;
  }
  return found;
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
