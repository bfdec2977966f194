import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { BufferRing } from './buffer-ring.ts';

function makeRing(count: number, window = count): { ring: BufferRing; memory: DataView } {
  const buffer = new ArrayBuffer(count * 16 + count * 64);
  const ring = new BufferRing(buffer, {
    count,
    window,
    bufferSize: 64,
    entriesOffset: 0,
    buffersOffset: count * 16,
    addressLow: 0x1000,
    addressHigh: 7,
  });
  return { ring, memory: new DataView(buffer) };
}

test('at start every buffer is offered to the kernel, with its address, size and name', () => {
  const { memory } = makeRing(4);
  equal(memory.getUint16(14, true), 4);
  for (let index = 0; index < 4; index++) {
    const entry = index * 16;
    deepEqual(
      [memory.getUint32(entry, true), memory.getUint32(entry + 4, true)],
      [0x1000 + 64 + index * 64, 7],
    );
    equal(memory.getUint32(entry + 8, true), 64);
    equal(memory.getUint16(entry + 12, true), index);
  }
});

test('a released buffer is offered again at the next publish, the last one first', () => {
  const { ring, memory } = makeRing(4);
  ring.take(0);
  ring.take(1);
  equal(ring.buffers.used, 2);
  ring.buffers.release(1);
  ring.buffers.release(0);
  equal(memory.getUint16(14, true), 4);
  ring.publish();
  equal(memory.getUint16(14, true), 6);
  deepEqual([memory.getUint16(12, true), memory.getUint16(16 + 12, true)], [0, 1]);
  equal(ring.buffers.used, 0);
  equal(ring.buffers.highWater, 2);
});

test('no more than the window is offered, and the others follow when some are kept', () => {
  const { ring, memory } = makeRing(4, 2);
  equal(memory.getUint16(14, true), 2);
  ring.take(0);
  ring.publish();
  equal(memory.getUint16(14, true), 3);
  equal(memory.getUint16(2 * 16 + 12, true), 2);
  ring.take(1);
  ring.take(2);
  ring.publish();
  equal(memory.getUint16(14, true), 4);
  equal(memory.getUint16(3 * 16 + 12, true), 3);
  for (const index of [0, 1, 2]) ring.buffers.release(index);
  ring.publish();
  equal(memory.getUint16(14, true), 5);
});

test('the tail wraps around at 16 bits', () => {
  const { ring, memory } = makeRing(2);
  for (let round = 0; round < 0x1_0000; round++) {
    ring.take(round & 1);
    ring.buffers.release(round & 1);
    ring.publish();
  }
  equal(memory.getUint16(14, true), 2);
});

test('misuse is asserted: a buffer taken twice, released twice, or not of the ring', () => {
  const { ring } = makeRing(2);
  ring.take(0);
  throws(() => ring.take(0), /filled once/);
  throws(() => ring.take(2), /of these/);
  ring.buffers.release(0);
  throws(() => ring.buffers.release(0), /only a lent buffer/);
});
