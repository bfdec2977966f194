import { deepEqual, equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import * as tableModule from './connection-table.ts';
import {
  ACCEPTING,
  CLOSE_IN_FLIGHT,
  CONNECTION_CTX_SIZE,
  ConnectionTable,
  DEFERRED,
  FREE,
  LINGERING,
  OPEN,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  SEND_IN_FLIGHT,
  SEND_QUEUED,
  TERMINATING,
} from './connection-table.ts';

const STATES = { FREE, ACCEPTING, OPEN, LINGERING, TERMINATING };
const FLAGS = [
  'RECV_IN_FLIGHT',
  'SEND_IN_FLIGHT',
  'SEND_QUEUED',
  'CLOSE_AFTER_SEND',
  'LINGER_AFTER_SEND',
  'PEER_ENDED',
  'SUSPENDED',
  'DEFERRED',
  'BODY_PAUSED',
  'RECV_CANCELLED',
  'FLOODS',
  'CLOSE_IN_FLIGHT',
];
// How each state is reached, and what may follow it: the picture at the top of the file.
const WAYS: Record<string, number[]> = {
  ACCEPTING: [],
  OPEN: [OPEN],
  LINGERING: [OPEN, LINGERING],
  TERMINATING: [OPEN, TERMINATING],
};
const FOLLOWERS: Record<string, number[]> = {
  ACCEPTING: [OPEN, FREE],
  OPEN: [LINGERING, TERMINATING],
  LINGERING: [TERMINATING],
  TERMINATING: [FREE],
};

function makeTable(capacity = 2): ConnectionTable {
  return new ConnectionTable(new SharedArrayBuffer(capacity * CONNECTION_CTX_SIZE), capacity);
}

function getters(table: ConnectionTable, slot: number): Record<string, number> {
  return {
    state: table.state(slot),
    fd: table.fd(slot),
    sendBlock: table.sendBlock(slot),
    sendStart: table.sendStart(slot),
    sendEnd: table.sendEnd(slot),
    recvBlock: table.recvBlock(slot),
    recvStart: table.recvStart(slot),
    recvEnd: table.recvEnd(slot),
    heldFirst: table.heldFirst(slot),
    heldLast: table.heldLast(slot),
    heldCount: table.heldCount(slot),
    reason: table.reason(slot),
    requests: table.requests(slot),
  };
}

const FRESH = {
  state: ACCEPTING,
  fd: NONE,
  sendBlock: NONE,
  sendStart: 0,
  sendEnd: 0,
  recvBlock: NONE,
  recvStart: 0,
  recvEnd: 0,
  heldFirst: NONE,
  heldLast: NONE,
  heldCount: 0,
  reason: 0,
  requests: 0,
};

test('a slot that is acquired waits for its accept, and holds nothing', () => {
  const table = makeTable();
  const slot = table.acquire();
  deepEqual(getters(table, slot), FRESH);
  equal(table.has(slot, -1), false);
});

test('every word has a place of its own, and is reset when the slot is used again', () => {
  const table = makeTable(3);
  const [before, slot, after] = [table.acquire(), table.acquire(), table.acquire()];
  table.setState(slot, OPEN);
  table.setFd(slot, 11);
  table.setSendBlock(slot, 12);
  table.setSendRange(slot, 13, 14);
  table.setRecvBlock(slot, 15);
  table.setRecvRange(slot, 16, 17);
  table.setHeld(slot, 18, 19, 22);
  table.setReason(slot, 20);
  table.countRequest(slot);
  table.setFlag(slot, SEND_QUEUED | RECV_CANCELLED);
  deepEqual(getters(table, slot), {
    state: OPEN,
    fd: 11,
    sendBlock: 12,
    sendStart: 13,
    sendEnd: 14,
    recvBlock: 15,
    recvStart: 16,
    recvEnd: 17,
    heldFirst: 18,
    heldLast: 19,
    heldCount: 22,
    reason: 20,
    requests: 1,
  });
  for (const neighbour of [before, after]) deepEqual(getters(table, neighbour), FRESH);

  table.setSendBlock(slot, NONE);
  table.setRecvBlock(slot, NONE);
  table.setHeld(slot, NONE, NONE, 0);
  table.setState(slot, TERMINATING);
  table.release(slot);
  equal(table.fd(slot), NONE);
  equal(table.acquire(), slot);
  deepEqual(getters(table, slot), FRESH);
  equal(table.has(slot, -1), false);
});

for (const [name, way] of Object.entries(WAYS)) {
  test(`${name} is followed by what may follow it, and by nothing else`, () => {
    for (const [nextName, next] of Object.entries(STATES)) {
      const table = makeTable();
      const slot = table.acquire();
      for (const state of way) table.setState(slot, state);
      if (FOLLOWERS[name]!.includes(next)) {
        table.setState(slot, next);
        equal(table.state(slot), next);
      } else {
        throws(() => table.setState(slot, next), /transition/, `${name} -> ${nextName}`);
        equal(table.state(slot), way.at(-1) ?? ACCEPTING);
      }
    }
  });
}

test('a free slot can only be acquired', () => {
  const table = makeTable();
  equal(table.state(0), FREE);
  for (const state of [FREE, OPEN, LINGERING, TERMINATING]) {
    throws(() => table.setState(0, state), /transition/);
  }
});

test('flags are set, cleared and looked at one by one', () => {
  const values = tableModule as unknown as Record<string, number>;
  const flags = FLAGS.map((name) => values[name]!);
  const table = makeTable();
  const slot = table.acquire();
  for (const flag of flags) {
    notEqual(flag, undefined);
    equal(flag & (flag - 1), 0, 'a flag is one bit');
    table.setFlag(slot, flag);
    for (const other of flags) equal(table.has(slot, other), other === flag);
    table.clearFlag(slot, flag);
    equal(table.has(slot, -1), false);
  }
  equal(new Set(flags).size, flags.length);
  table.setFlag(slot, RECV_IN_FLIGHT | DEFERRED);
  equal(table.has(slot, SEND_QUEUED | DEFERRED), true);
  table.clearFlag(slot, RECV_IN_FLIGHT | SEND_QUEUED);
  equal(table.has(slot, RECV_IN_FLIGHT), false);
  equal(table.has(slot, DEFERRED), true);
});

test('in flight is what the kernel or the list of deferred connections holds', () => {
  const values = tableModule as unknown as Record<string, number>;
  const held = [RECV_IN_FLIGHT, SEND_IN_FLIGHT, CLOSE_IN_FLIGHT, DEFERRED];
  const table = makeTable();
  const slot = table.acquire();
  for (const name of FLAGS) {
    table.setFlag(slot, values[name]!);
    equal(table.isInFlight(slot), held.includes(values[name]!), name);
    table.clearFlag(slot, values[name]!);
  }
});

test('a release makes the generation stale, and NONE answers an acquire beyond capacity', () => {
  const table = makeTable(1);
  const slot = table.acquire();
  const generation = table.generation(slot);
  equal(table.acquire(), NONE);
  table.release(slot);
  equal(table.pool.isCurrent(slot, generation), false);
  equal(table.acquire(), slot);
  notEqual(table.generation(slot), generation);
});

test('a release is asserted: nothing in flight, no memory held, an end that was reached', () => {
  const table = makeTable();
  const slot = table.acquire();
  table.setState(slot, OPEN);
  throws(() => table.release(slot), /transition/);
  table.setState(slot, TERMINATING);
  for (const flag of [RECV_IN_FLIGHT, SEND_IN_FLIGHT, CLOSE_IN_FLIGHT, DEFERRED]) {
    table.setFlag(slot, flag);
    throws(() => table.release(slot), /nothing of it is in flight/);
    table.clearFlag(slot, flag);
  }
  table.setSendBlock(slot, 1);
  throws(() => table.release(slot), /no send block/);
  table.setSendBlock(slot, NONE);
  table.setRecvBlock(slot, 1);
  throws(() => table.release(slot), /no receive block/);
  table.setRecvBlock(slot, NONE);
  table.setHeld(slot, 1, 1, 1);
  throws(() => table.release(slot), /no receive buffer/);
  table.setHeld(slot, NONE, NONE, 0);
  table.release(slot);
  throws(() => table.release(slot));
});

test('ranges and lists that cannot be are asserted', () => {
  const table = makeTable();
  const slot = table.acquire();
  throws(() => table.setSendRange(slot, 2, 1), /no more is sent/);
  throws(() => table.setRecvRange(slot, 2, 1), /no more is read/);
  throws(() => table.setHeld(slot, 1, NONE, 1), /both ends or none/);
  throws(() => table.setHeld(slot, 1, 1, 0), /without ends is empty/);
  throws(() => table.setHeld(slot, NONE, NONE, 1), /without ends is empty/);
  throws(() => new ConnectionTable(new SharedArrayBuffer(64), 2), /every connection has a row/);
});

test('the rows lie in the memory they were given, one cache line for each', () => {
  const memory = new SharedArrayBuffer(2 * CONNECTION_CTX_SIZE);
  const table = new ConnectionTable(memory, 2);
  const slot = table.acquire();
  table.setFd(slot, 0x1234_5678);
  equal(CONNECTION_CTX_SIZE, 64);
  equal(new Int32Array(memory, slot * 64, 16).includes(0x1234_5678), true);
});
