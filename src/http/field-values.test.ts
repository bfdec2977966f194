import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import {
  connectionOptions,
  EXPECT_CONTINUE,
  EXPECT_OTHER,
  expectations,
  isAuthority,
  isHostPort,
  OPTION_CLOSE,
  OPTION_KEEP_ALIVE,
  OPTION_UPGRADE,
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

test('the options of a connection end where their value ends: RFC 9110 7.6.1', () => {
  equal(read(connectionOptions, 'close', 'd'), OPTION_CLOSE);
  equal(read(connectionOptions, 'clos', 'e'), 0);
  equal(read(connectionOptions, 'Upgrade', 'd'), OPTION_UPGRADE);
  equal(read(connectionOptions, 'upgrad', 'e'), 0);
  equal(read(connectionOptions, 'x, keep-alive', ', close'), OPTION_KEEP_ALIVE);
});

test('expectations end where their value ends: RFC 9110 10.1.1', () => {
  equal(read(expectations, '100-Continue', 'd'), EXPECT_CONTINUE);
  equal(read(expectations, '100-continu', 'e'), EXPECT_OTHER);
  equal(read(expectations, ', 100-CONTINUE ,, 100-continue', ', x'), EXPECT_CONTINUE);
  equal(read(expectations, '100-continue, x', ''), EXPECT_CONTINUE | EXPECT_OTHER);
  equal(read(expectations, ' , ', 'x'), 0);
  equal(read(expectations, 'x 100-continue', ''), EXPECT_OTHER);
});
