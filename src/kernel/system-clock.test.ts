import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { msBetween } from '../base/clock.ts';
import { SystemClock } from './system-clock.ts';

// CLOCK_MONOTONIC in milliseconds, in 32 bits as the clock has it.
function hrtimeMs(): number {
  return Number(BigInt.asIntN(32, process.hrtime.bigint() / 1_000_000n));
}

test('the monotonic time is that of the system, at each reading', () => {
  const clock = new SystemClock();
  for (let reading = 0; reading < 1000; reading++) {
    const before = hrtimeMs();
    clock.update();
    const after = hrtimeMs();
    ok(msBetween(before, clock.nowMs) >= 0);
    ok(msBetween(clock.nowMs, after) >= 0);
  }
});

test('it never goes back, is an integer, and stands still between readings', () => {
  const clock = new SystemClock();
  const begin = clock.nowMs;
  let last = begin;
  for (let reading = 0; reading < 20_000; reading++) {
    clock.update();
    ok(msBetween(last, clock.nowMs) >= 0);
    last = clock.nowMs;
  }
  equal(last, last | 0);
  ok(msBetween(begin, last) >= 0);
  equal(clock.nowMs, last);
});

test('the seconds since 1970 are right at once, and when the next second begins', () => {
  const clock = new SystemClock();
  const atStart = Math.floor(Date.now() / 1000);
  ok(clock.unixSeconds === atStart || clock.unixSeconds === atStart - 1);
  // To the next second and a little further: it is read lazily, with a precision of milliseconds.
  const until = (atStart + 1) * 1000 + 3;
  let next = atStart;
  while (Date.now() < until) {
    clock.update();
    ok(clock.unixSeconds >= next);
    next = clock.unixSeconds;
  }
  clock.update();
  equal(clock.unixSeconds, atStart + 1);
});
