import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCKS_MAX, HandOffRecords, RecordBytes } from './hand-off-records.ts';
import { createDelegateMemory } from './layout.ts';
import { TaskHolders } from './task-holders.ts';

const BLOCK = 8;

function setUp(holderSize = 2048): HandOffRecords {
  const memory = createDelegateMemory({
    acceptThreads: 1,
    workerThreads: 1,
    holdersPerAcceptThread: 2,
    holderSize,
    handOffsPerAcceptThread: 6,
    unreadBlockSize: BLOCK,
  });
  const records = new HandOffRecords(memory, new TaskHolders(memory));
  records.begin(0, 7, 3);
  records.begin(1, 8, 4);
  return records;
}

test('a record says what the connection is, each for itself', () => {
  const records = setUp();
  records.setReason(0, 26);
  records.setRequests(1, 5);
  deepEqual([records.fd(0), records.requests(0), records.reason(0)], [7, 3, 26]);
  deepEqual([records.fd(1), records.requests(1), records.reason(1)], [8, 5, 0]);
});

test('bytes go through the blocks of a record, however they are cut', () => {
  for (let cut = 1; cut <= 2 * BLOCK + 3; cut++) {
    const records = setUp();
    for (const block of [4, 1, 3]) equal(records.addBlock(0, block), true);
    equal(records.addBlock(1, 2), true);
    const bytes = new RecordBytes(records);
    const text = Buffer.from('..abcdefghijklmnopqrstuvw..');
    const size = 21;
    for (let at = 0; at < size; at += cut) {
      bytes.of(0).write(text, 2 + at, 2 + Math.min(size, at + cut));
    }
    bytes.of(1).write(Buffer.from('12345678'), 0, BLOCK);
    deepEqual([records.size(0), records.space(0), records.space(1)], [size, 3, 0]);
    let read = '';
    const target = Buffer.alloc(40);
    while (bytes.of(0).size > 0) {
      const count = bytes.read(target, 5, cut);
      read += target.toString('latin1', 5, 5 + count);
    }
    equal(read, 'abcdefghijklmnopqrstu');
    equal(bytes.of(1).read(target, 0, 40), BLOCK);
    equal(target.toString('latin1', 0, BLOCK), '12345678');
  }
});

test('a record that was cleared has the space of all its blocks, which come off one by one', () => {
  const records = setUp();
  records.addBlock(0, 5);
  records.addBlock(0, 0);
  records.write(0, new Uint8Array(12), 0, 12);
  records.clear(0);
  deepEqual([records.size(0), records.space(0)], [0, 16]);
  const bytes = new RecordBytes(records);
  bytes.of(0).stateSize = 5;
  deepEqual([records.stateSize(0), bytes.of(1).stateSize, bytes.of(0).stateSize], [5, 0, 5]);
  records.clear(0);
  equal(records.stateSize(0), 0);
  deepEqual([records.takeBlock(0), records.takeBlock(0), records.takeBlock(0)], [0, 5, -1]);
});

test('more than there is space for is asserted; a record has only so many blocks', () => {
  const records = setUp();
  throws(() => records.write(0, new Uint8Array(1), 0, 1), /have their space/);
  for (let count = 0; count < BLOCKS_MAX; count++) equal(records.addBlock(0, 0), true);
  equal(records.addBlock(0, 0), false);
  const small = setUp(128);
  let count = 0;
  while (small.addBlock(0, 0)) count++;
  equal(count, (128 - 64) / 4 - 7);
});
