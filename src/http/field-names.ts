// The names of the field lines that the parser of a head reads itself; all others are for whoever
// looks them up, see `fields.ts`.
//
// Any thread, data plane: pure functions of bytes. Names are case-insensitive, RFC 9110 5.1.

import { ascii, equalsIgnoreCase } from './characters.ts';

export const FIELD_OTHER = 0;
export const FIELD_CONNECTION = 1;
export const FIELD_CONTENT_LENGTH = 2;
export const FIELD_EXPECT = 3;
export const FIELD_TRANSFER_ENCODING = 4;

const CONNECTION = ascii('connection');
const CONTENT_LENGTH = ascii('content-length');
const EXPECT = ascii('expect');
const TRANSFER_ENCODING = ascii('transfer-encoding');

/** Which field has the name at `offset`, a token. Most are told by their sizes. */
export function fieldOf(bytes: Uint8Array, offset: number, size: number): number {
  switch (size) {
    case 6:
      return equalsIgnoreCase(bytes, offset, EXPECT) ? FIELD_EXPECT : FIELD_OTHER;
    case 10:
      return equalsIgnoreCase(bytes, offset, CONNECTION) ? FIELD_CONNECTION : FIELD_OTHER;
    case 14:
      return equalsIgnoreCase(bytes, offset, CONTENT_LENGTH) ? FIELD_CONTENT_LENGTH : FIELD_OTHER;
    case 17:
      return equalsIgnoreCase(bytes, offset, TRANSFER_ENCODING)
        ? FIELD_TRANSFER_ENCODING
        : FIELD_OTHER;
    default:
      return FIELD_OTHER;
  }
}

/** True exactly when the name at `offset`, of four characters, is "Host" in any case. */
export function isHostName(bytes: Uint8Array, offset: number): boolean {
  return (
    (bytes[offset]! | 0x20) === 0x68 &&
    (bytes[offset + 1]! | 0x20) === 0x6f &&
    (bytes[offset + 2]! | 0x20) === 0x73 &&
    (bytes[offset + 3]! | 0x20) === 0x74
  );
}
