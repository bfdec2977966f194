import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { VALUE_INVALID } from './field-values.ts';
import {
  CODING_CHUNKED,
  CODING_OTHER,
  CONTENT_LENGTH_BEYOND,
  contentLengthValue,
  framingStatus,
  transferCodings,
} from './framing.ts';

// The requests of `request-parser.test.ts` show what the readers accept. Here: that none of them
// looks beyond the end of its value, and the largest numbers.

type Read<T> = (bytes: Uint8Array, offset: number, end: number) => T;

/** Reads `value` with `rest` right behind it. */
const read = <T>(reader: Read<T>, value: string, rest: string): T =>
  reader(ascii(`--${value}${rest}`), 2, 2 + value.length);

test('a length ends where its value ends: RFC 9110 8.6', () => {
  equal(read(contentLengthValue, '12', '3'), 12);
  equal(read(contentLengthValue, '', '3'), VALUE_INVALID);
});

test('a length is exact up to 2^53 - 1, and beyond it is beyond: RFC 9110 8.6', () => {
  const length = (value: string): number => read(contentLengthValue, value, '');
  for (const value of ['2147483648', '4294967297', '9007199254740990', '9007199254740991'])
    equal(length(value), Number(value));
  equal(length(`000${Number.MAX_SAFE_INTEGER}`), Number.MAX_SAFE_INTEGER);
  for (const value of ['9007199254740992', '9007199254740993', '18446744073709551616'])
    equal(length(value), CONTENT_LENGTH_BEYOND, value);
  equal(length('9'.repeat(1000)), CONTENT_LENGTH_BEYOND);
  equal(length(`${'9'.repeat(1000)}x`), VALUE_INVALID);
});

test('codings are added to those of the lines before: RFC 9112 6.1', () => {
  const first: Read<number> = (bytes, offset, end) => transferCodings(bytes, offset, end, 0);
  const after: Read<number> = (bytes, offset, end) =>
    transferCodings(bytes, offset, end, CODING_CHUNKED);
  equal(read(first, 'chunked', 'x'), CODING_CHUNKED);
  equal(read(first, 'x', ', chunked'), CODING_OTHER);
  equal(read(after, 'x', ''), VALUE_INVALID);
});

test('codings and a length say how a body ends, or that nobody knows: RFC 9112 6.3', () => {
  equal(framingStatus(0, 0), 0);
  equal(framingStatus(0, Number.MAX_SAFE_INTEGER), 0);
  equal(framingStatus(0, CONTENT_LENGTH_BEYOND), 413);
  equal(framingStatus(CODING_CHUNKED, 0), 0);
  equal(framingStatus(CODING_OTHER, 0), 400);
  equal(framingStatus(CODING_OTHER | CODING_CHUNKED, 0), 501);
});
