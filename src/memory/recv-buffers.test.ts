import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { VERIFY } from '../base/assert.ts';
import { NONE } from './pool.ts';
import { RecvBuffers } from './recv-buffers.ts';

const BASE = 16;
const SIZE = 8;

function makeBuffers(count: number): { buffers: RecvBuffers; bytes: Uint8Array } {
  const bytes = new Uint8Array(BASE + count * SIZE);
  return { buffers: new RecvBuffers(bytes, BASE, count, SIZE), bytes };
}

test('every buffer is taken once, then there is none; offsets do not overlap', () => {
  const { buffers } = makeBuffers(3);
  const taken = [buffers.takeSpare(), buffers.takeSpare(), buffers.takeSpare()];
  deepEqual(taken.toSorted(), [0, 1, 2]);
  deepEqual(
    taken.map((index) => buffers.offset(index)),
    taken.map((index) => BASE + index * SIZE),
  );
  equal(buffers.takeSpare(), NONE);
});

test('only buffers with bytes count, and the highest count stays', () => {
  const { buffers } = makeBuffers(2);
  const first = buffers.takeSpare();
  equal(buffers.used, 0);
  buffers.lend(first);
  equal(buffers.used, 1);
  buffers.putBack(buffers.takeSpare());
  buffers.release(first);
  deepEqual([buffers.used, buffers.highWater], [0, 1]);
});

test('a borrowed buffer counts as one with bytes until it is released', () => {
  const { buffers } = makeBuffers(1);
  const borrowed = buffers.borrow();
  deepEqual([buffers.used, buffers.borrow()], [1, NONE]);
  buffers.release(borrowed);
  deepEqual([buffers.used, buffers.borrow()], [0, borrowed]);
});

test('the buffer that came back last is taken first', () => {
  const { buffers } = makeBuffers(3);
  const [first, second] = [buffers.takeSpare(), buffers.takeSpare()];
  buffers.lend(first);
  buffers.lend(second);
  buffers.release(second);
  buffers.release(first);
  equal(buffers.takeSpare(), first);
  buffers.putBack(first);
  equal(buffers.takeSpare(), first);
});

test('a released buffer is overwritten, and no other byte', { skip: !VERIFY }, () => {
  const { buffers, bytes } = makeBuffers(2);
  const index = buffers.takeSpare();
  buffers.lend(index);
  buffers.release(index);
  const offset = buffers.offset(index);
  ok(bytes.subarray(offset, offset + SIZE).every((byte) => byte === 0xdb));
  equal(bytes.filter((byte) => byte === 0xdb).length, SIZE);
});

test('misuse is asserted: filled twice, released or put back in the wrong state', () => {
  const { buffers } = makeBuffers(2);
  const index = buffers.takeSpare();
  throws(() => buffers.release(index), /only a lent buffer/);
  buffers.lend(index);
  throws(() => buffers.lend(index), /filled once/);
  throws(() => buffers.lend(2), /of these/);
  throws(() => buffers.putBack(index), /is released/);
  buffers.release(index);
  throws(() => buffers.release(index), /only a lent buffer/);
});
