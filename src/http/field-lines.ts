// The field lines that an application adds to a response, encoded as they leave, in a buffer of
// fixed size that is used again for the next response.
//
// Owner: one thread. Data plane: `append` allocates nothing unless it refuses. What it throws tells
// of a mistake in the application, and leaves the lines before as they were.
//
// A line that is in here ends where its CRLF is: a name is a token, and a value holds no control
// character but HTAB, so no text can end its line early and begin another, or another response.

import { assert } from '../base/assert.ts';
import {
  ascii,
  CLASSES,
  COLON,
  CR,
  equalsIgnoreCase,
  HTAB,
  LF,
  SP,
  TEXT,
  TOKEN,
} from './characters.ts';
import { RESPONSE_FIELDS_SIZE_MAX } from './response-head.ts';

/**
 * The fields that the server writes itself, by their names in lower case: how the content ends and
 * what becomes of the connection (RFC 9112 6, 7.1.2, 9; RFC 9110 6.6.2, 7.6.1), which an
 * application that says otherwise would break, and the Date (RFC 9110 6.6.1).
 */
export const SERVER_FIELDS: readonly string[] = [
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
];

const SERVER_FIELD_BYTES: readonly Uint8Array[] = SERVER_FIELDS.map(ascii);
const CONTENT_TYPE = ascii('content-type');
const UPGRADE = ascii('upgrade');
// Whoever sends Upgrade says so here, RFC 9110 7.8.
const CONNECTION_LINE = ascii('Connection: Upgrade\r\n');

// ":", SP and CRLF.
const LINE_EXTRA = 4;

export class FieldLines {
  /** The lines, each with its CRLF, from 0 to `size`. Only `append` writes them. */
  readonly bytes: Uint8Array = new Uint8Array(RESPONSE_FIELDS_SIZE_MAX);
  size = 0;
  /** True exactly when a line is a Content-Type: then the head is written without another. */
  hasContentType = false;
  /** True exactly when a line is an Upgrade; then the Connection line that goes with it is too. */
  hasUpgrade = false;

  clear(): void {
    this.size = 0;
    this.hasContentType = false;
    this.hasUpgrade = false;
  }

  /**
   * Adds a line. The name is a token, the value is as RFC 9110 5.5 has it: Latin-1 without control
   * characters except HTAB, and without white space around it; it may be empty.
   *
   * @throws TypeError when one of them is not, or when the server writes this field itself.
   * @throws RangeError when the lines take more than RESPONSE_FIELDS_SIZE_MAX bytes.
   */
  append(name: string, value: string): void {
    const first = this.size;
    // A mistake of the caller's types would otherwise be found by its length, which is undefined.
    if (typeof name !== 'string' || typeof value !== 'string') refuseType();
    const nameEnd = first + name.length;
    const end = nameEnd + value.length + LINE_EXTRA;
    if (end > this.bytes.length) refuseSize();
    if (name.length === 0 || !this.#put(first, name, TOKEN)) refuseName(name);
    const size = name.length;
    for (let index = 0; index < SERVER_FIELD_BYTES.length; index++)
      if (this.#isName(first, size, SERVER_FIELD_BYTES[index]!)) refuseServerField(name);
    if (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1)))
      refuseValue(name);
    if (!this.#put(nameEnd + 2, value, TEXT)) refuseValue(name);
    this.bytes[nameEnd] = COLON;
    this.bytes[nameEnd + 1] = SP;
    this.bytes[end - 2] = CR;
    this.bytes[end - 1] = LF;
    if (this.#isName(first, size, CONTENT_TYPE)) this.hasContentType = true;
    this.size = this.#isName(first, size, UPGRADE) ? this.#addConnection(end) : end;
    assert(this.size <= this.bytes.length, 'the lines are within their buffer');
  }

  #addConnection(at: number): number {
    if (this.hasUpgrade) return at;
    const end = at + CONNECTION_LINE.length;
    if (end > this.bytes.length) refuseSize();
    this.hasUpgrade = true;
    this.bytes.set(CONNECTION_LINE, at);
    return end;
  }

  // False when a character is not of the class; what was put behind `size` then is no line yet.
  #put(at: number, text: string, characterClass: number): boolean {
    const classOf = CLASSES;
    const bytes = this.bytes;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff || (classOf[code]! & characterClass) === 0) return false;
      bytes[at + i] = code;
    }
    return true;
  }

  // Names are case-insensitive; these hold letters and "-" only, and a token no control character.
  #isName(at: number, size: number, lower: Uint8Array): boolean {
    return size === lower.length && equalsIgnoreCase(this.bytes, at, lower);
  }
}

// False for NaN, which an empty text has as its first character.
function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}

// Control plane: a mistake in the application.
function refuseType(): never {
  throw new TypeError('the name and the value of a response field are strings');
}

// Control plane: a mistake in the application.
function refuseSize(): never {
  throw new RangeError(`the fields of a response take more than ${RESPONSE_FIELDS_SIZE_MAX} bytes`);
}

// Control plane: a mistake in the application. The name is quoted, because it may hold anything.
function refuseName(name: string): never {
  throw new TypeError(`${JSON.stringify(name)} is no name of a field: it is not a token`);
}

// Control plane: a mistake in the application. The value may be a secret.
function refuseValue(name: string): never {
  throw new TypeError(
    `the value of ${name} holds a character that no field may hold: only Latin-1 without control ` +
      'characters, and without white space around it, can be sent',
  );
}

// Control plane: a mistake in the application.
function refuseServerField(name: string): never {
  throw new TypeError(`the server writes ${name} itself`);
}
