// The parts of a request line that take more than a scan: its version, and the forms of a target
// that do not start with a slash: absolute-form, authority-form and asterisk-form, RFC 9112 section
// 3.2. The parser reads origin-form itself, in its one pass.
//
// Any thread, data plane: pure functions of bytes.

import {
  ascii,
  CLASSES,
  COLON,
  CR,
  DIGIT,
  DIGIT_0,
  equalsIgnoreCase,
  LF,
  SLASH,
} from './characters.ts';
import { isAuthority, isHostPort } from './field-values.ts';
import { METHOD_CONNECT, METHOD_OPTIONS } from './method.ts';

/** What `pathOf` answers for a target that has no form its method allows. */
export const TARGET_INVALID = -1;
/** What `versionLineEnd` answers for bytes that are no version. */
export const VERSION_INVALID = -1;

const ASTERISK = 0x2a;
const HTTP = ascii('http');
const HTTPS = ascii('https');

// What follows the target, RFC 9112 2.3. A "0" stands for any digit.
const VERSION_LINE = ascii('HTTP/0.0\r\n');
export const VERSION_LINE_SIZE = VERSION_LINE.length;

/**
 * Where the path of the target at `offset` begins, or TARGET_INVALID. The target ends at `end`, its
 * path at `pathEnd`, which is the first "?" or `end`. Answers `pathEnd` when an absolute-form has
 * no path. "*" and an authority are their own path: no route matches them.
 */
export function pathOf(
  bytes: Uint8Array,
  offset: number,
  pathEnd: number,
  end: number,
  method: number,
): number {
  if (method === METHOD_CONNECT) return isAuthority(bytes, offset, end) ? offset : TARGET_INVALID;
  if (bytes[offset] === SLASH) return offset;
  if (bytes[offset] !== ASTERISK) return absolutePath(bytes, offset, pathEnd);
  return method === METHOD_OPTIONS && end - offset === 1 ? offset : TARGET_INVALID;
}

/** Where the authority of an absolute-form begins, behind its two slashes, or TARGET_INVALID. */
export function authorityOffset(bytes: Uint8Array, offset: number, end: number): number {
  const size = end - offset;
  let at = offset;
  if (size >= 7 && bytes[offset + 4] === COLON && equalsIgnoreCase(bytes, offset, HTTP)) at += 4;
  else if (size >= 8 && bytes[offset + 5] === COLON && equalsIgnoreCase(bytes, offset, HTTPS))
    at += 5;
  else return TARGET_INVALID;
  return bytes[at + 1] === SLASH && bytes[at + 2] === SLASH ? at + 3 : TARGET_INVALID;
}

// An empty host is invalid, RFC 9110 4.2.1, and so is a user before it, RFC 9110 4.2.4: "@" is no
// character of a host.
function absolutePath(bytes: Uint8Array, offset: number, end: number): number {
  const host = authorityOffset(bytes, offset, end);
  if (host === TARGET_INVALID) return TARGET_INVALID;
  let at = host;
  while (at < end && bytes[at] !== SLASH) at++;
  if (at === host || bytes[host] === COLON) return TARGET_INVALID;
  return isHostPort(bytes, host, at) ? at : TARGET_INVALID;
}

/** Where "HTTP/d.d" CRLF ends, or `stop` when it is cut there, or VERSION_INVALID. */
export function versionLineEnd(bytes: Uint8Array, offset: number, stop: number): number {
  // What nearly all requests say, without a loop: "HTTP/1." and a digit, then CRLF.
  if (
    offset + VERSION_LINE_SIZE <= stop &&
    bytes[offset] === 0x48 &&
    bytes[offset + 1] === 0x54 &&
    bytes[offset + 2] === 0x54 &&
    bytes[offset + 3] === 0x50 &&
    bytes[offset + 4] === SLASH &&
    bytes[offset + 5] === DIGIT_0 + 1 &&
    bytes[offset + 6] === 0x2e &&
    (bytes[offset + 7]! | 1) === (DIGIT_0 | 1) &&
    bytes[offset + 8] === CR &&
    bytes[offset + 9] === LF
  ) {
    return offset + VERSION_LINE_SIZE;
  }
  const end = Math.min(stop, offset + VERSION_LINE_SIZE);
  for (let at = offset; at < end; at++) {
    const byte = bytes[at]!;
    const expected = VERSION_LINE[at - offset]!;
    if (byte === expected) continue;
    if (expected !== DIGIT_0 || (CLASSES[byte]! & DIGIT) === 0) return VERSION_INVALID;
  }
  return end;
}
