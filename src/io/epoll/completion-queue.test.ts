import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { RECV, SEND } from '../token.ts';
import { CompletionQueue } from './completion-queue.ts';

function take(queue: CompletionQueue): number[] {
  const slots: number[] = [];
  while (queue.next()) slots.push(queue.slot);
  return slots;
}

test('a completion comes out as it went in', () => {
  const queue = new CompletionQueue(4);
  queue.push(RECV, 0x12_3456, 0xab_cdef, -104, -1, false);
  queue.push(SEND, 7, 9, 2048, 4095, true);
  queue.publish();
  equal(queue.next(), true);
  let { operation, slot, generation, result, buffer, more } = queue;
  deepEqual(
    [operation, slot, generation, result, buffer, more],
    [RECV, 0x12_3456, 0xab_cdef, -104, -1, false],
  );
  equal(queue.next(), true);
  ({ operation, slot, generation, result, buffer, more } = queue);
  deepEqual([operation, slot, generation, result, buffer, more], [SEND, 7, 9, 2048, 4095, true]);
  equal(queue.next(), false);
});

test('what is pushed is seen only after it was published', () => {
  const queue = new CompletionQueue(4);
  queue.push(SEND, 1, 0, 0, -1, false);
  deepEqual([queue.count, queue.ready, queue.next()], [1, 0, false]);
  queue.publish();
  queue.push(SEND, 2, 0, 0, -1, false);
  deepEqual([queue.count, queue.ready], [2, 1]);
  deepEqual(take(queue), [1]);
  deepEqual([queue.count, queue.ready], [1, 0]);
});

test('it is full at its capacity, and wraps around in order', () => {
  const queue = new CompletionQueue(3);
  for (let slot = 0; slot < 100; slot += 3) {
    for (let index = 0; index < 3; index++) {
      equal(queue.isFull, false);
      queue.push(SEND, slot + index, 0, 0, -1, false);
    }
    equal(queue.isFull, true);
    queue.publish();
    deepEqual(take(queue), [slot, slot + 1, slot + 2]);
  }
});

test('beyond its capacity it grows, and keeps order and what is published', () => {
  const queue = new CompletionQueue(4);
  for (let slot = 0; slot < 3; slot++) queue.push(SEND, slot, 0, 0, -1, false);
  queue.publish();
  equal(queue.next(), true);
  for (let slot = 3; slot < 40; slot++) queue.push(SEND, slot, 0, slot, -1, false);
  equal(queue.ready, 2);
  deepEqual(take(queue), [1, 2]);
  queue.publish();
  deepEqual(
    take(queue),
    Array.from({ length: 37 }, (_, index) => index + 3),
  );
});
