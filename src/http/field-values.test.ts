import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import {
  CODING_CHUNKED,
  CODING_OTHER,
  connectionOptions,
  contentLengthValue,
  isAuthority,
  isHostPort,
  OPTION_CLOSE,
  OPTION_KEEP_ALIVE,
  transferCodings,
  VALUE_INVALID,
} from './field-values.ts';

// The requests of `request-parser.test.ts` show what the readers accept. Here: that none of them
// looks beyond the end of its value.

type Read<T> = (bytes: Uint8Array, offset: number, end: number) => T;

/** Reads `value` with `rest` right behind it. */
const read = <T>(reader: Read<T>, value: string, rest: string): T =>
  reader(ascii(`--${value}${rest}`), 2, 2 + value.length);

test('a host ends where its value ends: RFC 9110 7.2', () => {
  equal(read(isHostPort, 'a%2', '0:'), false);
  equal(read(isHostPort, '[::1', ']'), false);
  equal(read(isHostPort, 'a', '/'), true);
  equal(read(isHostPort, 'a:1', 'b'), true);
  equal(read(isAuthority, 'a:', '1'), false);
  equal(read(isAuthority, 'a', ':1'), false);
});

test('a length ends where its value ends: RFC 9110 8.6', () => {
  equal(read(contentLengthValue, '12', '3'), 12);
  equal(read(contentLengthValue, '', '3'), VALUE_INVALID);
});

test('the options of a connection end where their value ends: RFC 9110 7.6.1', () => {
  equal(read(connectionOptions, 'close', 'd'), OPTION_CLOSE);
  equal(read(connectionOptions, 'clos', 'e'), 0);
  equal(read(connectionOptions, 'x, keep-alive', ', close'), OPTION_KEEP_ALIVE);
});

test('codings are added to those of the lines before: RFC 9112 6.1', () => {
  const first: Read<number> = (bytes, offset, end) => transferCodings(bytes, offset, end, 0);
  const after: Read<number> = (bytes, offset, end) =>
    transferCodings(bytes, offset, end, CODING_CHUNKED);
  equal(read(first, 'chunked', 'x'), CODING_CHUNKED);
  equal(read(first, 'x', ', chunked'), CODING_OTHER);
  equal(read(after, 'x', ''), VALUE_INVALID);
});
