import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { PieceQueue } from './piece-queue.ts';

function text(queue: PieceQueue): string {
  return Buffer.from(queue.first!).toString();
}

test('pieces are taken in their order, also in parts; empty ones are none', () => {
  const queue = new PieceQueue();
  for (const piece of ['one', '', 'two']) queue.push(Buffer.from(piece));
  deepEqual([queue.size, queue.taken, text(queue)], [6, 0, 'one']);
  queue.take(2);
  deepEqual([queue.size, queue.taken, text(queue)], [4, 2, 'one']);
  queue.take(1);
  deepEqual([queue.size, queue.taken, text(queue)], [3, 0, 'two']);
  queue.take(3);
  deepEqual([queue.size, queue.taken, queue.first], [0, 0, undefined]);
  queue.push(Buffer.from('three'));
  queue.take(1);
  queue.clear();
  deepEqual([queue.size, queue.taken, queue.first], [0, 0, undefined]);
});

test('a queue that never runs dry keeps its order, and what was taken is forgotten', () => {
  const queue = new PieceQueue();
  let next = 0;
  let pushed = 0;
  for (let round = 0; round < 10_000; round++) {
    for (let index = 0; index < 3; index++) queue.push(Buffer.from(`${pushed++}`));
    for (let index = 0; index < (round < 5000 ? 2 : 4) && queue.size > 1; index++) {
      equal(text(queue), `${next++}`);
      queue.take(queue.first!.length);
    }
  }
  ok(next > 20_000);
});

test('what waits of a memory that is used again is copied', () => {
  const queue = new PieceQueue();
  const memory = Buffer.from(new ArrayBuffer(4));
  memory.write('abcd');
  queue.push(Buffer.from('-'));
  queue.push(memory.subarray(0, 2));
  queue.push(memory.subarray(2, 4));
  queue.take(1);
  queue.take(1);
  queue.detach(memory.buffer);
  memory.fill('x');
  deepEqual([text(queue), queue.taken], ['ab', 1]);
  queue.take(1);
  equal(text(queue), 'cd');
});

test('each of many pieces is taken in the same time', () => {
  const queue = new PieceQueue();
  const piece = Buffer.from('x');
  const count = 400_000;
  const begun = performance.now();
  for (let index = 0; index < count; index++) queue.push(piece);
  for (let index = 0; index < count; index++) queue.take(1);
  equal(queue.first, undefined);
  // Many times what it takes; a fraction of it if each moved up those behind it.
  ok(performance.now() - begun < 3000);
});
