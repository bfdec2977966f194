// Looks up the field lines of a head that the parser said is COMPLETE: the lines begin at
// `fieldsOffset` and end with the head, its `size`, both counted from where the head begins.
//
//     const first = start + parser.fieldsOffset;
//     const end = start + parser.size;
//     for (let found = fields.find(bytes, first, end, COOKIE); found; ) {
//       // the value is at fields.valueOffset, of fields.valueSize bytes
//       found = fields.find(bytes, fields.next, end, COOKIE);
//     }
//
// Owner: one thread. Data plane: nothing is kept but the place of the last line. A look-up reads
// the lines up to the one it finds; there is no index, because most requests need few of them.

import { assert } from '../base/assert.ts';
import { COLON, CR, skipSpace, trimSpace } from './characters.ts';

export class Fields {
  /** Of the line that was found, as offsets into the bytes that were given. */
  nameOffset = 0;
  nameSize = 0;
  /** The value without its outer white space; it may be empty. */
  valueOffset = 0;
  valueSize = 0;
  /** Where the line behind it begins: the `from` to go on with. */
  next = 0;

  /**
   * The first line at or behind `from` whose name is `name`, in lower case. Lines of the same name
   * are one list in their order, RFC 9110 5.3: whoever needs all of them goes on from `next`.
   */
  find(bytes: Uint8Array, from: number, headEnd: number, name: Uint8Array): boolean {
    let at = from;
    while (this.nextField(bytes, at, headEnd)) {
      if (this.nameSize === name.length && isName(bytes, this.nameOffset, name)) return true;
      at = this.next;
    }
    return false;
  }

  /** The line at `from`, whatever its name; false at the empty line. */
  nextField(bytes: Uint8Array, from: number, headEnd: number): boolean {
    assert(from >= 0 && from + 2 <= headEnd, 'a line begins before the head ends');
    assert(headEnd <= bytes.length, 'the head is within the buffer');
    if (bytes[from] === CR) return false;
    let at = from;
    while (bytes[at] !== COLON) at++;
    this.nameOffset = from;
    this.nameSize = at - from;
    const valueAt = skipSpace(bytes, at + 1, headEnd);
    at = valueAt;
    while (bytes[at] !== CR) at++;
    this.valueOffset = valueAt;
    this.valueSize = trimSpace(bytes, valueAt, at) - valueAt;
    this.next = at + 2;
    assert(this.next < headEnd, 'an empty line ends the head');
    return true;
  }
}

// Names are case-insensitive, RFC 9110 5.1. Any token may be one: only letters have two cases.
function isName(bytes: Uint8Array, offset: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[offset + i]!;
    const isUpper = byte >= 0x41 && byte <= 0x5a;
    if ((isUpper ? byte | 0x20 : byte) !== lower[i]) return false;
  }
  return true;
}
