import { deepEqual, equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import { PARSE_COMPLETE, PARSE_INCOMPLETE, RequestParser } from '../http/request-parser.ts';
import { RECV } from '../io/token.ts';
import { BlockPool } from '../memory/block-pool.ts';
import { NONE } from '../memory/pool.ts';
import {
  CONNECTION_CTX_SIZE,
  ConnectionTable,
  OPEN,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
} from './connection-table.ts';
import { RecvSide } from './recv-side.ts';

const BUFFER_SIZE = 32;
const BLOCK_SIZE = 128;
const LIMITS = { requestLineSizeMax: 64, headSizeMax: 96, fieldCountMax: 8 };
const REQUEST = 'GET /path HTTP/1.1\r\nHost: some.host.example\r\nA: b\r\n\r\n';

class Fixture {
  readonly counters = new Float64Array(COUNTERS);
  readonly io: FakeIo;
  readonly table: ConnectionTable;
  readonly blocks: BlockPool;
  readonly side: RecvSide;
  readonly parser = new RequestParser(LIMITS);

  constructor(blocks = 2, recvBuffers = 8, capacity = 4) {
    this.io = new FakeIo(recvBuffers, BUFFER_SIZE, blocks * BLOCK_SIZE);
    const { bytes, blocksOffset } = this.io.memory;
    const rows = new SharedArrayBuffer(capacity * CONNECTION_CTX_SIZE);
    this.table = new ConnectionTable(rows, capacity);
    this.blocks = new BlockPool('receive blocks', bytes, blocksOffset, blocks, BLOCK_SIZE);
    this.side = new RecvSide(this.io, this.table, this.blocks, this.counters);
  }

  open(): number {
    const slot = this.table.acquire();
    this.table.setState(slot, OPEN);
    this.table.setFd(slot, 10 + slot);
    return slot;
  }

  /** Bytes arrive by the receive in flight; answers their buffer. */
  arrive(slot: number, text: string, more = false): number {
    this.io.complete(this.io.find(RECV, slot)!, Buffer.from(text, 'latin1'), more);
    if (!more) this.table.clearFlag(slot, RECV_IN_FLIGHT | RECV_CANCELLED);
    return this.io.buffer;
  }

  /** The same, by a receive that is submitted for it. */
  receive(slot: number, text: string): number {
    this.side.arm(slot);
    return this.arrive(slot, text);
  }

  text(start: number, end: number): string {
    return Buffer.from(this.io.memory.bytes.slice(start, end)).toString('latin1');
  }

  unread(slot: number): string {
    return this.text(this.side.unreadStart(slot), this.side.unreadEnd(slot));
  }

  /** Keeps what lies in a buffer from `skip` on, as of a parser that stopped there. */
  keep(slot: number, buffer: number, size: number, skip = 0): boolean {
    const start = this.io.bufferOffset(buffer);
    const kept = this.side.keep(slot, start + skip, start + size, this.parser);
    this.io.releaseBuffer(buffer);
    return kept;
  }

  append(slot: number, text: string): void {
    const buffer = this.receive(slot, text);
    const start = this.io.bufferOffset(buffer);
    this.side.append(slot, start, start + text.length);
    this.io.releaseBuffer(buffer);
  }
}

test('a receive is submitted once, however often it is asked for', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.side.arm(slot);
  fixture.side.arm(slot);
  deepEqual(fixture.io.takeCalls(), ['recv 0']);
  const { fd, generation } = fixture.io.find(RECV, slot)!;
  deepEqual([fd, generation], [10 + slot, fixture.table.generation(slot)]);
  fixture.io.releaseBuffer(fixture.arrive(slot, 'x'));
  fixture.side.arm(slot);
  deepEqual(fixture.io.takeCalls(), ['recv 0']);
});

test('the receive repeats once the connection has made a request', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.io.releaseBuffer(fixture.receive(slot, 'x'));
  fixture.table.countRequest(slot);
  fixture.side.arm(slot);
  deepEqual(fixture.io.takeCalls(), ['recv 0', 'recv 0 repeat']);
});

test('a request that arrives in parts is kept in a block until the parser has all of it', () => {
  const fixture = new Fixture();
  const { side, parser, io } = fixture;
  const slot = fixture.open();
  const first = REQUEST.slice(0, 20);
  const buffer = fixture.receive(slot, first);
  const start = io.bufferOffset(buffer);
  parser.begin();
  equal(parser.parse(io.memory.bytes, start, start + first.length), PARSE_INCOMPLETE);
  equal(side.hasUnread(slot), false);
  equal(fixture.keep(slot, buffer, first.length), true);
  equal(side.hasUnread(slot), true);
  equal(side.isWaiting(slot), true);
  equal(fixture.unread(slot), first);

  // Another connection's request comes in between, with the same parser.
  parser.begin();
  const other = Buffer.from('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  equal(parser.parse(other, 0, other.length), PARSE_COMPLETE);

  fixture.append(slot, REQUEST.slice(20, 40));
  side.restoreParser(slot, parser);
  const part = side.unreadStart(slot);
  equal(parser.parse(io.memory.bytes, part, side.unreadEnd(slot)), PARSE_INCOMPLETE);
  equal(side.keep(slot, part, side.unreadEnd(slot), parser), true);
  fixture.append(slot, REQUEST.slice(40));
  equal(fixture.unread(slot), REQUEST);
  side.restoreParser(slot, parser);
  const { bytes } = io.memory;
  equal(parser.parse(bytes, side.unreadStart(slot), side.unreadEnd(slot)), PARSE_COMPLETE);
  equal(parser.size, REQUEST.length);

  side.forgetUnread(slot);
  equal(side.hasUnread(slot), false);
  fixture.blocks.pool.assertAllFree();
  equal(io.buffersUsed, 0);
});

test('only what was not read is kept, from the buffer and later within the block', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.keep(slot, fixture.receive(slot, 'read|unread'), 11, 5);
  equal(fixture.unread(slot), 'unread');
  const start = fixture.side.unreadStart(slot);
  fixture.side.keep(slot, start + 2, fixture.side.unreadEnd(slot), fixture.parser);
  equal(fixture.unread(slot), 'read');
  equal(fixture.side.unreadStart(slot), start + 2);
  equal(fixture.blocks.pool.used, 1);
});

test('bytes are moved to the beginning of a block when there is no more space behind them', () => {
  const fixture = new Fixture();
  const { side } = fixture;
  const slot = fixture.open();
  fixture.keep(slot, fixture.receive(slot, 'a'.repeat(32)), 32);
  const begin = side.unreadStart(slot);
  for (const letter of ['b', 'c', 'd']) fixture.append(slot, letter.repeat(32));
  equal(side.unreadEnd(slot) - begin, BLOCK_SIZE);
  // All but the last 40 bytes were read: the next buffer's worth does not fit behind them.
  side.keep(slot, begin + 88, begin + BLOCK_SIZE, fixture.parser);
  equal(fixture.unread(slot), 'c'.repeat(8) + 'd'.repeat(32));
  fixture.append(slot, 'e'.repeat(32));
  equal(side.unreadStart(slot), begin);
  equal(fixture.unread(slot), 'c'.repeat(8) + 'd'.repeat(32) + 'e'.repeat(32));
  // This one fits behind: nothing is moved.
  side.keep(slot, begin + 8, begin + 72, fixture.parser);
  fixture.append(slot, 'f'.repeat(32));
  equal(side.unreadStart(slot), begin + 8);
  equal(fixture.unread(slot), 'd'.repeat(32) + 'e'.repeat(32) + 'f'.repeat(32));
});

test('a block that would overflow is asserted', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.keep(slot, fixture.receive(slot, 'a'.repeat(32)), 32);
  for (let index = 0; index < 3; index++) fixture.append(slot, 'b'.repeat(32));
  fixture.side.arm(slot);
  const start = fixture.io.bufferOffset(fixture.arrive(slot, 'c'));
  throws(() => fixture.side.append(slot, start, start + 1), /a head and a receive buffer/);
});

test('a dry pool of blocks answers false and counts; what is kept can still be kept again', () => {
  const fixture = new Fixture(1);
  const [first, second] = [fixture.open(), fixture.open()];
  equal(fixture.keep(first, fixture.receive(first, 'abc'), 3), true);
  equal(fixture.keep(second, fixture.receive(second, 'xyz'), 3), false);
  equal(fixture.side.hasUnread(second), false);
  equal(fixture.counters[Counter.recvBlocksDry], 1);
  const start = fixture.side.unreadStart(first);
  equal(fixture.side.keep(first, start + 1, start + 3, fixture.parser), true);
  equal(fixture.unread(first), 'bc');
  equal(fixture.counters[Counter.recvBlocksDry], 1);
});

test('the unread bytes of connections do not mix', () => {
  const fixture = new Fixture();
  const [first, second] = [fixture.open(), fixture.open()];
  fixture.keep(first, fixture.receive(first, 'first'), 5);
  fixture.keep(second, fixture.receive(second, 'second'), 6);
  fixture.append(first, ' and more');
  equal(fixture.unread(first), 'first and more');
  equal(fixture.unread(second), 'second');
  fixture.side.forgetUnread(first);
  equal(fixture.unread(second), 'second');
});

test('buffers are held in the order in which they came, each with its size', () => {
  const fixture = new Fixture();
  const { side, table } = fixture;
  const [slot, other] = [fixture.open(), fixture.open()];
  const texts = ['one', 'three', 'a'];
  for (const text of texts) {
    equal(side.hold(slot, fixture.receive(slot, text), text.length, false), true);
  }
  const theirs = fixture.receive(other, 'theirs');
  equal(side.hold(other, theirs, 6, false), true);
  equal(side.isWaiting(slot), true);
  equal(side.hasUnread(slot), false);
  const taken = texts.map(() => {
    const buffer = side.takeHeld(slot);
    const start = fixture.io.bufferOffset(buffer);
    return fixture.text(start, start + side.heldSize(buffer));
  });
  deepEqual(taken, texts);
  equal(side.takeHeld(slot), NONE);
  equal(side.isWaiting(slot), false);
  deepEqual([table.heldFirst(slot), table.heldLast(slot)], [NONE, NONE]);
  equal(side.takeHeld(other), theirs);
});

/** Holds up to `count` buffers; answers how many it could. */
function holdMany(fixture: Fixture, slot: number, count: number): number {
  for (let held = 0; held < count; held++) {
    const buffer = fixture.receive(slot, 'x');
    if (fixture.side.hold(slot, buffer, 1, false)) continue;
    fixture.io.releaseBuffer(buffer);
    return held;
  }
  return count;
}

test('who holds many buffers gets no more once half of all are held, who holds few does', () => {
  const fixture = new Fixture(2, 32);
  const { side, counters, table } = fixture;
  const [many, few, third] = [fixture.open(), fixture.open(), fixture.open()];
  equal(holdMany(fixture, many, 32), 16);
  equal(table.heldCount(many), 16);
  equal(counters[Counter.recvBuffersHeldMax], 1);
  equal(holdMany(fixture, few, 32), 4);
  // The last quarter is for the connections that are served.
  equal(holdMany(fixture, third, 3), 3);
  const fourth = fixture.open();
  equal(holdMany(fixture, fourth, 32), 1);
  equal(fixture.io.buffersUsed, 24);
  // What is taken no longer counts.
  for (let taken = 0; taken < 9; taken++) fixture.io.releaseBuffer(side.takeHeld(many));
  equal(table.heldCount(many), 7);
  equal(holdMany(fixture, many, 32), 1);
});

test('a peer that floods is asked for one buffer at a time from then on', () => {
  const fixture = new Fixture();
  const { side } = fixture;
  const [slot, other] = [fixture.open(), fixture.open()];
  for (const each of [slot, other]) {
    fixture.table.countRequest(each);
    side.arm(each);
  }
  fixture.io.releaseBuffer(fixture.arrive(slot, 'x'.repeat(BUFFER_SIZE), true));
  side.throttle(slot, true);
  side.throttle(slot, true);
  fixture.io.releaseBuffer(fixture.arrive(slot, 'x'));
  side.arm(slot);
  fixture.io.releaseBuffer(fixture.arrive(slot, 'x'));
  side.throttle(slot, false);
  side.arm(slot);
  fixture.io.releaseBuffer(fixture.arrive(other, 'x'));
  side.arm(other);
  deepEqual(fixture.io.takeCalls(), [
    'recv 0 repeat',
    'recv 1 repeat',
    'cancel recv 0',
    'recv 0',
    'recv 0',
    'recv 1 repeat',
  ]);
});

test('a receive that repeats is asked to end when its bytes are held, once', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.table.countRequest(slot);
  fixture.side.arm(slot);
  fixture.io.takeCalls();
  fixture.side.hold(slot, fixture.arrive(slot, 'x', true), 1, true);
  equal(fixture.table.has(slot, RECV_CANCELLED), true);
  fixture.side.hold(slot, fixture.arrive(slot, 'y', true), 1, true);
  deepEqual(fixture.io.takeCalls(), ['cancel recv 0']);
});

test('a receive that has ended with the bytes that are held is not cancelled', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.side.hold(slot, fixture.receive(slot, 'x'), 1, false);
  deepEqual(fixture.io.takeCalls(), ['recv 0']);
  equal(fixture.table.has(slot, RECV_CANCELLED), false);
});

test('a release forgets what is kept and what is held, and tells whether there was any', () => {
  const fixture = new Fixture();
  const { side, io } = fixture;
  const slot = fixture.open();
  equal(side.release(slot), false);
  side.hold(slot, fixture.receive(slot, 'x'), 1, false);
  side.hold(slot, fixture.receive(slot, 'y'), 1, false);
  equal(side.release(slot), true);
  equal(io.buffersUsed, 0);
  fixture.keep(slot, fixture.receive(slot, 'z'), 1);
  equal(side.release(slot), true);
  fixture.blocks.pool.assertAllFree();
  equal(side.release(slot), false);
  // What was released no longer counts as held.
  for (let index = 0; index < 4; index++) {
    equal(side.hold(slot, fixture.receive(slot, 'x'), 1, false), true);
  }
});

test('a receive that found no buffer counts as in flight, and is fed in its turn', () => {
  const fixture = new Fixture();
  const { side, table, counters } = fixture;
  const slots = [fixture.open(), fixture.open(), fixture.open()];
  for (const slot of [2, 0, 1]) side.starve(slots[slot]!);
  for (const slot of slots) {
    equal(table.has(slot, RECV_IN_FLIGHT), true);
    side.arm(slot);
  }
  deepEqual(fixture.io.takeCalls(), []);
  equal(counters[Counter.recvBuffersDry], 3);
  side.feed();
  deepEqual(fixture.io.takeCalls(), ['recv 2', 'recv 0', 'recv 1']);
  side.feed();
  deepEqual(fixture.io.takeCalls(), []);
  notEqual(fixture.io.find(RECV, slots[2]!), undefined);
});
