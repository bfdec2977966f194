// The character classes of HTTP's grammar, as one table: a byte's classes are one load and one mask
// away, so each scan of the parser is a loop over a table and nothing else.
//
// Any thread, data plane, except `ascii`, which prepares constants at start. Pure and immutable.

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const PERCENT = 0x25;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const DIGIT_0 = 0x30;
export const COLON = 0x3a;
export const QUESTION = 0x3f;
export const BRACKET_OPEN = 0x5b;
export const BRACKET_CLOSE = 0x5d;

/** tchar, RFC 9110 5.6.2. */
export const TOKEN = 1;
/** What a target holds before its query: VCHAR without "?", and without "#", see TARGET. */
export const PATH = 2;
/** VCHAR without "#": a fragment is never sent, RFC 9112 3.2 and RFC 9110 4.2.5. */
export const TARGET = 4;
/** field-vchar, SP and HTAB, RFC 9110 5.5: all that a field line may hold before its CRLF. */
export const TEXT = 8;
/** reg-name without pct-encoded, RFC 3986 3.2.2: unreserved and sub-delims. */
export const HOST = 16;
/** What stands between the brackets of an IPv6 address, RFC 3986 3.2.2. */
export const IPV6 = 32;
export const HEX = 64;
export const DIGIT = 128;

const ALPHA_LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const HEX_DIGITS = `${DIGITS}abcdefABCDEF`;
const ALPHANUMERIC = `${DIGITS}${ALPHA_LOWER}${ALPHA_LOWER.toUpperCase()}`;

/** The classes of each byte, a bit each. */
export const CLASSES: Uint8Array = classes();

/** True exactly when all bytes from `offset` to `end` are of `characterClass`. */
export function isAll(
  bytes: Uint8Array,
  offset: number,
  end: number,
  characterClass: number,
): boolean {
  const classOf = CLASSES;
  for (let at = offset; at < end; at++) {
    if ((classOf[bytes[at]!]! & characterClass) === 0) return false;
  }
  return true;
}

/**
 * True exactly when the bytes at `offset` spell `lower` in any case; the caller compared the sizes.
 * `lower` holds lower-case letters, digits and "-" only, and no control character is at `offset`:
 * then 0x20 set in a byte makes it equal to one of them only when it is that one.
 */
export function equalsIgnoreCase(bytes: Uint8Array, offset: number, lower: Uint8Array): boolean {
  const size = lower.length;
  for (let i = 0; i < size; i++) {
    if ((bytes[offset + i]! | 0x20) !== lower[i]) return false;
  }
  return true;
}

/** True exactly when the bytes at `offset` are `expected`; the caller compared the sizes. */
export function equals(bytes: Uint8Array, offset: number, expected: Uint8Array): boolean {
  const size = expected.length;
  for (let i = 0; i < size; i++) {
    if (bytes[offset + i] !== expected[i]) return false;
  }
  return true;
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

/** The bytes of a text that is ASCII. Control plane. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

// Control plane.
function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (bit: number, bytes: Iterable<number>): void => {
    for (const byte of bytes) table[byte]! |= bit;
  };
  for (let byte = 0; byte < 256; byte++) {
    const visible = byte > SP && byte < 0x7f;
    const hash = byte === 0x23;
    if (visible && !hash) table[byte]! |= TARGET;
    if (visible && !hash && byte !== QUESTION) table[byte]! |= PATH;
    if (visible || byte === SP || byte === HTAB || byte >= 0x80) table[byte]! |= TEXT;
  }
  add(TOKEN, ascii(`!#$%&'*+-.^_\`|~${ALPHANUMERIC}`));
  add(HOST, ascii(`-._~!$&'()*+,;=${ALPHANUMERIC}`));
  add(IPV6, ascii(`:.${HEX_DIGITS}`));
  add(HEX, ascii(HEX_DIGITS));
  add(DIGIT, ascii(DIGITS));
  return table;
}
