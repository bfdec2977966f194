import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { TimerWheel, WHEEL_GRANULARITY_MS } from './timer-wheel.ts';

function expired(wheel: TimerWheel, nowMs: number): number[] {
  const slots: number[] = [];
  for (let slot = wheel.expire(nowMs); slot !== NONE; slot = wheel.expire(nowMs)) slots.push(slot);
  return slots;
}

test('a timer runs out once, not before its time and at most two ticks after', () => {
  for (const delayMs of [0, 1, 99, 100, 101, 1000, 75_000, 102_300, 102_500, 500_000]) {
    const wheel = new TimerWheel(4, 0);
    wheel.set(2, 0, delayMs);
    let nowMs = 0;
    while (expired(wheel, nowMs).length === 0) nowMs += 10;
    ok(nowMs >= delayMs);
    ok(nowMs <= delayMs + 2 * WHEEL_GRANULARITY_MS + 10);
    deepEqual(expired(wheel, nowMs + 1_000_000), []);
    equal(wheel.count, 0);
  }
});

test('moving a timer later or earlier counts, clearing it does too', () => {
  const wheel = new TimerWheel(4, 0);
  wheel.set(0, 0, 1000);
  wheel.set(0, 500, 1000);
  deepEqual(expired(wheel, 1400), []);
  deepEqual(expired(wheel, 1800), [0]);
  wheel.set(1, 1800, 60_000);
  wheel.set(1, 1800, 100);
  deepEqual(expired(wheel, 2200), [1]);
  wheel.set(2, 2200, 100);
  wheel.clear(2);
  deepEqual(expired(wheel, 10_000), []);
});

test('dueInMs is never later than the first timer, and NONE when there is none', () => {
  const wheel = new TimerWheel(4, 0);
  equal(wheel.dueInMs(0), NONE);
  wheel.set(0, 0, 5000);
  wheel.set(1, 0, 2000);
  ok(wheel.dueInMs(0) >= 2000);
  ok(wheel.dueInMs(0) <= 2200);
  deepEqual(expired(wheel, 2200), [1]);
  ok(wheel.dueInMs(2200) <= 3000);
});

test('after a long sleep everything that is due comes at once', () => {
  const wheel = new TimerWheel(100, 0);
  for (let slot = 0; slot < 100; slot++) wheel.set(slot, 0, slot * 1000);
  equal(expired(wheel, 10_000_000).length, 100);
});

test('the millisecond clock may wrap around', () => {
  const start = 0x7fff_ff00 | 0;
  const wheel = new TimerWheel(1, start);
  wheel.set(0, start, 1000);
  deepEqual(expired(wheel, (start + 900) | 0), []);
  deepEqual(expired(wheel, (start + 1200) | 0), [0]);
});

test('many timers, moved at random with a seed, each run out at their last deadline', () => {
  let seed = 12345;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
    return seed % limit;
  };
  const wheel = new TimerWheel(50, 0);
  const due = new Map<number, number>();
  for (let nowMs = 0; nowMs < 400_000; nowMs += random(300)) {
    for (const slot of expired(wheel, nowMs)) {
      ok(due.has(slot));
      ok(nowMs >= due.get(slot)!);
      due.delete(slot);
    }
    for (const deadline of due.values()) ok(nowMs <= deadline + 300 + 2 * WHEEL_GRANULARITY_MS);
    const slot = random(50);
    if (random(4) === 0) {
      wheel.clear(slot);
      due.delete(slot);
    } else {
      const delayMs = random(150_000);
      wheel.set(slot, nowMs, delayMs);
      due.set(slot, nowMs + delayMs);
    }
    equal(wheel.count, due.size);
  }
});
