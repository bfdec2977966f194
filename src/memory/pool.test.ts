import { deepEqual, equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { GENERATION_MASK, NONE, Pool } from './pool.ts';

test('a pool gives out each slot once, then NONE, and takes them back', () => {
  const pool = new Pool('test', 3);
  const slots = [pool.acquire(), pool.acquire(), pool.acquire()];
  deepEqual(slots.toSorted(), [0, 1, 2]);
  equal(pool.acquire(), NONE);
  equal(pool.free, 0);
  for (const slot of slots) pool.release(slot);
  equal(pool.used, 0);
  pool.assertAllFree();
});

test('the slot released last is acquired first', () => {
  const pool = new Pool('test', 8);
  const [first, second] = [pool.acquire(), pool.acquire()];
  pool.release(first);
  pool.release(second);
  equal(pool.acquire(), second);
});

test('a release makes the generation that was handed out stale', () => {
  const pool = new Pool('test', 1);
  const slot = pool.acquire();
  const generation = pool.generation(slot);
  equal(pool.isCurrent(slot, generation), true);
  pool.release(slot);
  equal(pool.isCurrent(slot, generation), false);
  equal(pool.acquire(), slot);
  equal(pool.isCurrent(slot, generation), false);
  notEqual(pool.generation(slot), generation);
});

test('a generation stays within 24 bits', () => {
  const pool = new Pool('test', 1);
  for (let i = 0; i < 1000; i++) pool.release(pool.acquire());
  equal(pool.generation(0), 1000);
  equal(pool.generation(0) & ~GENERATION_MASK, 0);
});

test('the high-water mark is the most that was in use at once', () => {
  const pool = new Pool('test', 4);
  const slots = [pool.acquire(), pool.acquire()];
  for (const slot of slots) pool.release(slot);
  pool.acquire();
  equal(pool.highWater, 2);
});

test('misuse is asserted: a double release, a slot out of range, a slot that is missing', () => {
  const pool = new Pool('leaky', 2);
  const slot = pool.acquire();
  throws(() => pool.assertAllFree(), /"leaky": 1 slots/);
  pool.release(slot);
  throws(() => pool.release(slot), /only a slot in use/);
  throws(() => pool.release(2), /only a slot in use/);
  throws(() => new Pool('empty', 0), /positive capacity/);
});
