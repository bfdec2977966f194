// The request methods of RFC 9110 section 9.3 and RFC 5789 (PATCH) as small numbers.
//
// Any thread, data plane. A method that has no code here is METHOD_OTHER: it is well-formed, no
// route can name it, and its bytes are where the parser says they are.

import { ascii, equals } from './characters.ts';

export const METHOD_OTHER = 0;
export const METHOD_GET = 1;
export const METHOD_HEAD = 2;
export const METHOD_POST = 3;
export const METHOD_PUT = 4;
export const METHOD_DELETE = 5;
export const METHOD_PATCH = 6;
export const METHOD_OPTIONS = 7;
export const METHOD_TRACE = 8;
export const METHOD_CONNECT = 9;

/** The names by code; methods are case-sensitive, RFC 9110 9.1. */
export const METHOD_NAMES: readonly string[] = [
  'other',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'CONNECT',
];
export const METHODS = METHOD_NAMES.length;

const NAME_BYTES: readonly Uint8Array[] = METHOD_NAMES.map(ascii);

/** The code of a method's name, METHOD_OTHER when it has none. Control plane. */
export function methodFromName(name: string): number {
  return Math.max(METHOD_NAMES.indexOf(name), METHOD_OTHER);
}

/** True exactly when the method asks for nothing to be changed, RFC 9110 9.2.1. */
export function isSafe(method: number): boolean {
  return (
    method === METHOD_GET ||
    method === METHOD_HEAD ||
    method === METHOD_OPTIONS ||
    method === METHOD_TRACE
  );
}

/** The code of the method at `offset`. Its size leaves at most two names to compare. */
export function methodFromBytes(bytes: Uint8Array, offset: number, size: number): number {
  switch (size) {
    case 3:
      return either(bytes, offset, METHOD_GET, METHOD_PUT);
    case 4:
      return either(bytes, offset, METHOD_POST, METHOD_HEAD);
    case 5:
      return either(bytes, offset, METHOD_PATCH, METHOD_TRACE);
    case 6:
      return either(bytes, offset, METHOD_DELETE, METHOD_DELETE);
    case 7:
      return either(bytes, offset, METHOD_OPTIONS, METHOD_CONNECT);
    default:
      return METHOD_OTHER;
  }
}

/** True exactly when "GET" begins at `offset`: most requests are one. */
export function isGet(bytes: Uint8Array, offset: number, stop: number): boolean {
  return (
    offset + 3 <= stop &&
    bytes[offset] === 0x47 &&
    bytes[offset + 1] === 0x45 &&
    bytes[offset + 2] === 0x54
  );
}

function either(bytes: Uint8Array, offset: number, first: number, second: number): number {
  if (equals(bytes, offset, NAME_BYTES[first]!)) return first;
  if (equals(bytes, offset, NAME_BYTES[second]!)) return second;
  return METHOD_OTHER;
}
