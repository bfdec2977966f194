import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from './pool.ts';
import { SlotQueue } from './slot-queue.ts';

test('slots come out in the order they went in, around the end of the memory too', () => {
  const queue = new SlotQueue(3);
  const out: number[] = [];
  for (let slot = 0; slot < 10; slot++) {
    queue.push(slot);
    queue.push(slot + 100);
    out.push(queue.shift(), queue.shift());
  }
  deepEqual(
    out,
    Array.from({ length: 20 }, (_, index) => (index >> 1) + (index & 1) * 100),
  );
  equal(queue.shift(), NONE);
  equal(queue.count, 0);
});

test('more slots than there are is asserted', () => {
  const queue = new SlotQueue(1);
  queue.push(0);
  throws(() => queue.push(0), /once/);
});
