import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { msBetween } from './clock.ts';

test('milliseconds between two readings, in both directions', () => {
  equal(msBetween(1000, 1250), 250);
  equal(msBetween(1250, 1000), -250);
  equal(msBetween(7, 7), 0);
});

test('a clock that wraps around at 2^32 between two readings changes nothing', () => {
  const last = 0x7fff_ffff;
  const first = -0x8000_0000;
  equal(msBetween(last, first), 1);
  equal(msBetween(first, last), -1);
  equal(msBetween(-1, 0), 1);
  // The same readings as unsigned numbers.
  equal(msBetween(0xffff_fffb, 5), 10);
  equal(msBetween(last - 86_400_000, (last + 86_400_000) | 0), 172_800_000);
});
