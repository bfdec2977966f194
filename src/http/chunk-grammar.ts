// The grammar of a chunked body, RFC 9112 section 7.1, as a table of states: what a byte means in a
// state is one load away, and a body may be cut between any two bytes.
//
//     SIZE_START -> SIZE [-> an extension] -> SIZE_LF -> CHUNK
//     CHUNK, size > 0 -> DATA -> DATA_CR -> DATA_LF -> SIZE_START
//     CHUNK, size 0 -> TRAILER_START [-> a field line -> TRAILER_START] -> LAST_LF -> ENDED
//
// Strict: a line ends with CRLF and nothing else, a size is followed at once by its extension or
// its CR. White space stands only where the grammar has BWS, which a recipient must read.
//
// Any thread. Immutable; built at start. Control plane, except for the table that it leaves.

import { CLASSES, COLON, CR, HEX, HTAB, LF, SP, TEXT, TOKEN } from './characters.ts';

/** The byte may not stand there. */
export const INVALID = 0;
/** The body is complete. */
export const ENDED = 1;
/** Within a body whose length was given. */
export const LENGTH = 2;
/** Within the data of a chunk. */
export const DATA = 3;
export const SIZE_START = 4;
export const SIZE = 5;
// An extension, *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), RFC 9112 7.1.1.
/** White space behind a size or a value, before a ";". */
export const EXTENSION_SPACE = 6;
const NAME_START = 7;
const NAME = 8;
const NAME_SPACE = 9;
const VALUE_START = 10;
const VALUE_TOKEN = 11;
const VALUE_QUOTED = 12;
const VALUE_ESCAPED = 13;
/** Behind the second quote of a value. */
export const VALUE_END = 14;
const SIZE_LF = 15;
/** The line with the size has ended: what comes next depends on the size. */
export const CHUNK = 16;
export const DATA_CR = 17;
const DATA_LF = 18;
/** A line of the trailer section begins, RFC 9112 7.1.2, or the empty line that ends it. */
export const TRAILER_START = 19;
export const TRAILER_NAME = 20;
export const TRAILER_VALUE = 21;
const TRAILER_LF = 22;
const LAST_LF = 23;
const STATES = 24;

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The next state by state and byte: `TRANSITIONS[(state << 8) | byte]`. */
export const TRANSITIONS: Uint8Array = transitions();

function transitions(): Uint8Array {
  const table = new Uint8Array(STATES << 8);
  const onByte = (state: number, byte: number, next: number): void => {
    table[(state << 8) | byte] = next;
  };
  const onClass = (state: number, characterClass: number, next: number): void => {
    for (let byte = 0; byte < 256; byte++)
      if ((CLASSES[byte]! & characterClass) !== 0) onByte(state, byte, next);
  };
  const onSpace = (state: number, next: number): void => {
    onByte(state, SP, next);
    onByte(state, HTAB, next);
  };
  /** What may follow when an element of the line is complete. */
  const onEnd = (state: number, space: number): void => {
    onSpace(state, space);
    onByte(state, SEMICOLON, NAME_START);
    onByte(state, CR, SIZE_LF);
  };

  onClass(SIZE_START, HEX, SIZE);
  onClass(SIZE, HEX, SIZE);
  onEnd(SIZE, EXTENSION_SPACE);
  onSpace(EXTENSION_SPACE, EXTENSION_SPACE);
  onByte(EXTENSION_SPACE, SEMICOLON, NAME_START);
  onSpace(NAME_START, NAME_START);
  onClass(NAME_START, TOKEN, NAME);
  onClass(NAME, TOKEN, NAME);
  onEnd(NAME, NAME_SPACE);
  onByte(NAME, EQUALS, VALUE_START);
  onSpace(NAME_SPACE, NAME_SPACE);
  onByte(NAME_SPACE, SEMICOLON, NAME_START);
  onByte(NAME_SPACE, EQUALS, VALUE_START);
  onSpace(VALUE_START, VALUE_START);
  onClass(VALUE_START, TOKEN, VALUE_TOKEN);
  onByte(VALUE_START, QUOTE, VALUE_QUOTED);
  onClass(VALUE_TOKEN, TOKEN, VALUE_TOKEN);
  onEnd(VALUE_TOKEN, EXTENSION_SPACE);
  // quoted-string, RFC 9110 5.6.4.
  onClass(VALUE_QUOTED, TEXT, VALUE_QUOTED);
  onByte(VALUE_QUOTED, QUOTE, VALUE_END);
  onByte(VALUE_QUOTED, BACKSLASH, VALUE_ESCAPED);
  onClass(VALUE_ESCAPED, TEXT, VALUE_QUOTED);
  onEnd(VALUE_END, EXTENSION_SPACE);
  onByte(SIZE_LF, LF, CHUNK);
  onByte(DATA_CR, CR, DATA_LF);
  onByte(DATA_LF, LF, SIZE_START);
  // field-line, RFC 9112 5.
  onClass(TRAILER_START, TOKEN, TRAILER_NAME);
  onByte(TRAILER_START, CR, LAST_LF);
  onClass(TRAILER_NAME, TOKEN, TRAILER_NAME);
  onByte(TRAILER_NAME, COLON, TRAILER_VALUE);
  onClass(TRAILER_VALUE, TEXT, TRAILER_VALUE);
  onByte(TRAILER_VALUE, CR, TRAILER_LF);
  onByte(TRAILER_LF, LF, TRAILER_START);
  onByte(LAST_LF, LF, ENDED);
  return table;
}
