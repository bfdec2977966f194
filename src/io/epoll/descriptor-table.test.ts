import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { RECV, SEND } from '../token.ts';
import { BLOCKED, DescriptorTable, READABLE, STREAM } from './descriptor-table.ts';
import { SlotTable } from './slot-table.ts';

function makeTable(...fds: number[]): DescriptorTable {
  const table = new DescriptorTable();
  for (const fd of fds) {
    table.enter(fd, BigInt(fd), fd * 10, 1);
    table.setFlag(fd, STREAM);
  }
  return table;
}

test('a number beyond the table has no flags and no owner, and is not made room for', () => {
  const table = new DescriptorTable();
  equal(table.flags(1_000_000_000), 0);
  equal(table.isOwner(1_000_000_000, 0, 0), false);
  equal(table.makePointer(1_000_000_000), 1_000_000_000n);
});

test('the table grows to a descriptor that is entered, and forgets nothing', () => {
  const table = makeTable(5);
  table.setFlag(5, READABLE);
  table.setRecv(5, 50, 1);
  table.list(5);
  table.enter(100_000, 100_000n, 7, 2);
  equal(table.flags(5) & READABLE, READABLE);
  deepEqual([table.recvSlot(5), table.recvGeneration(5)], [50, 1]);
  deepEqual([table.pointer(5), table.pointer(100_000)], [5n, 100_000n]);
  equal(table.unlist(), 5);
});

test('an owner is a slot, its generation, and a stream', () => {
  const table = makeTable(5);
  equal(table.isOwner(5, 50, 1), true);
  equal(table.isOwner(5, 50, 2), false);
  equal(table.isOwner(5, 51, 1), false);
  table.clearFlag(5, STREAM);
  equal(table.isOwner(5, 50, 1), false);
});

test('operations of a descriptor do not share their words', () => {
  const table = makeTable(5, 6);
  table.setRecv(5, 1, 2);
  table.setSend(5, 3, 4, 5, 6);
  table.setClose(5, 7, 8);
  table.setFlag(5, BLOCKED);
  deepEqual(
    [table.recvSlot(5), table.recvGeneration(5), table.sendSlot(5), table.sendGeneration(5)],
    [1, 2, 3, 4],
  );
  deepEqual(
    [table.sendOffset(5), table.sendSize(5), table.closeSlot(5), table.closeGeneration(5)],
    [5, 6, 7, 8],
  );
  equal(table.isOwner(5, 50, 1), true);
  equal(table.isOwner(6, 60, 1), true);
});

test('the list is first in, first out, with each descriptor once', () => {
  const table = makeTable(1, 2, 3);
  for (const fd of [2, 1, 2, 3, 1]) table.list(fd);
  equal(table.listed, 3);
  deepEqual([table.unlist(), table.unlist()], [2, 1]);
  table.list(2);
  deepEqual([table.unlist(), table.unlist(), table.listed], [3, 2, 0]);
  throws(() => table.unlist(), /a list that has one/);
});

test('a slot has a descriptor for its receive, and another for its send', () => {
  const slots = new SlotTable();
  slots.set(RECV, 1, 10);
  slots.set(SEND, 1, 11);
  slots.set(SEND, 1_000_000, 12);
  deepEqual([slots.fd(RECV, 1), slots.fd(SEND, 1), slots.fd(SEND, 1_000_000)], [10, 11, 12]);
  equal(slots.fd(RECV, 5_000_000), 0);
});
