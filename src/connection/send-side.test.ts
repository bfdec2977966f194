import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { REQUESTS, unitLoop } from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import { SEND } from '../io/token.ts';
import { BlockPool } from '../memory/block-pool.ts';
import { NONE } from '../memory/pool.ts';
import {
  CONNECTION_CTX_SIZE,
  ConnectionTable,
  OPEN,
  SEND_IN_FLIGHT,
  SEND_QUEUED,
} from './connection-table.ts';
import { Deadlines } from './deadlines.ts';
import { SEND_DRAINED, SEND_FAILED, SEND_GOES_ON, SendSide } from './send-side.ts';

const BLOCK_SIZE = 64;
const ECONNRESET = 104;

class Fixture {
  readonly counters = new Float64Array(COUNTERS);
  readonly io: FakeIo;
  readonly table: ConnectionTable;
  readonly blocks: BlockPool;
  readonly side: SendSide;

  constructor(blocks = 2, capacity = 3) {
    this.io = new FakeIo(1, 64, blocks * BLOCK_SIZE);
    const { bytes, blocksOffset } = this.io.memory;
    const rows = new SharedArrayBuffer(capacity * CONNECTION_CTX_SIZE);
    this.table = new ConnectionTable(rows, capacity);
    this.blocks = new BlockPool('send blocks', bytes, blocksOffset, blocks, BLOCK_SIZE);
    const deadlines = new Deadlines(unitLoop(this.io, this.counters), REQUESTS, capacity);
    this.side = new SendSide(this.io, this.table, this.blocks, deadlines, this.counters);
  }

  open(): number {
    const slot = this.table.acquire();
    this.table.setState(slot, OPEN);
    this.table.setFd(slot, 10 + slot);
    return slot;
  }

  write(slot: number, text: string): void {
    const at = this.side.reserve(slot);
    this.io.memory.bytes.set(Buffer.from(text, 'latin1'), at);
    this.side.commit(slot, at + text.length);
  }

  /** What is in flight for a slot; undefined when nothing is. */
  inFlight(slot: number): string | undefined {
    return this.io.find(SEND, slot)?.bytes.toString('latin1');
  }

  complete(slot: number, result: number): number {
    this.io.complete(this.io.find(SEND, slot)!, result);
    return this.side.onSend(slot, result);
  }
}

test('what was committed until a flush leaves in one send', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.write(slot, 'one ');
  fixture.write(slot, 'two ');
  fixture.write(slot, 'three');
  deepEqual(fixture.io.takeCalls(), []);
  fixture.side.flush();
  deepEqual(fixture.io.takeCalls(), [`send ${slot} one two three`]);
  equal(fixture.io.find(SEND, slot)!.fd, 10 + slot);
  equal(fixture.io.find(SEND, slot)!.generation, fixture.table.generation(slot));
  fixture.side.flush();
  deepEqual(fixture.io.takeCalls(), []);
});

test('a send that is taken in full gives the block back', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  equal(fixture.side.hasBlock(slot), false);
  fixture.write(slot, 'response');
  equal(fixture.side.hasBlock(slot), true);
  equal(fixture.side.isOwing(slot), true);
  fixture.side.flush();
  equal(fixture.side.isOwing(slot), true);
  equal(fixture.complete(slot, 8), SEND_DRAINED);
  equal(fixture.side.isOwing(slot), false);
  equal(fixture.side.hasBlock(slot), false);
  fixture.blocks.pool.assertAllFree();
});

test('a send that is taken in part goes on where it stopped, at the next flush', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.write(slot, 'abcdefgh');
  fixture.side.flush();
  equal(fixture.complete(slot, 3), SEND_GOES_ON);
  equal(fixture.inFlight(slot), undefined);
  fixture.side.flush();
  equal(fixture.inFlight(slot), 'defgh');
  equal(fixture.complete(slot, 4), SEND_GOES_ON);
  fixture.side.flush();
  equal(fixture.inFlight(slot), 'h');
  equal(fixture.complete(slot, 1), SEND_DRAINED);
});

test('what is written while a send is in flight waits for it, and follows in order', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.write(slot, 'first ');
  fixture.side.flush();
  fixture.write(slot, 'second ');
  fixture.side.flush();
  fixture.write(slot, 'third');
  fixture.side.flush();
  equal(fixture.inFlight(slot), 'first ');
  equal(fixture.complete(slot, 6), SEND_GOES_ON);
  fixture.side.flush();
  equal(fixture.inFlight(slot), 'second third');
  equal(fixture.complete(slot, 12), SEND_DRAINED);
});

test('the space goes from where the next response is written to the end of the block', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  const { side } = fixture;
  const start = side.reserve(slot);
  equal(side.limit(slot) - start, BLOCK_SIZE);
  fixture.write(slot, 'x'.repeat(40));
  equal(side.reserve(slot) - start, 40);
  equal(side.limit(slot) - start, BLOCK_SIZE);
  side.flush();
  fixture.complete(slot, 10);
  equal(side.reserve(slot) - start, 40);
  side.flush();
  fixture.complete(slot, 30);
  const empty = side.reserve(slot);
  equal(side.limit(slot) - empty, BLOCK_SIZE);
});

test('a block holds its full size; a byte more is asserted', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  const at = fixture.side.reserve(slot);
  throws(() => fixture.side.commit(slot, at + BLOCK_SIZE + 1), /stays within its block/);
  fixture.side.commit(slot, at + BLOCK_SIZE);
  fixture.side.flush();
  equal(fixture.inFlight(slot)!.length, BLOCK_SIZE);
});

test('a dry pool answers NONE and counts; a block that drains serves the next connection', () => {
  const fixture = new Fixture(1);
  const [first, second] = [fixture.open(), fixture.open()];
  fixture.write(first, 'x');
  equal(fixture.side.reserve(second), NONE);
  equal(fixture.side.hasBlock(second), false);
  equal(fixture.counters[Counter.sendBlocksDry], 1);
  equal(fixture.side.reserve(first) !== NONE, true);
  equal(fixture.counters[Counter.sendBlocksDry], 1);
  fixture.side.flush();
  fixture.complete(first, 1);
  fixture.write(second, 'y');
  fixture.side.flush();
  equal(fixture.inFlight(second), 'y');
});

test('connections are flushed in the order in which they wrote first, each once', () => {
  const fixture = new Fixture(3);
  const slots = [fixture.open(), fixture.open(), fixture.open()];
  fixture.write(slots[2]!, 'c');
  fixture.write(slots[0]!, 'a');
  fixture.write(slots[2]!, 'C');
  fixture.write(slots[1]!, 'b');
  fixture.side.flush();
  deepEqual(fixture.io.takeCalls(), ['send 2 cC', 'send 0 a', 'send 1 b']);
});

test('a failed send is told apart, and nothing is sent again', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  for (const result of [-ECONNRESET, 0]) {
    fixture.write(slot, 'lost');
    fixture.side.flush();
    equal(fixture.complete(slot, result), SEND_FAILED);
    equal(fixture.table.has(slot, SEND_IN_FLIGHT), false);
    fixture.side.flush();
    equal(fixture.inFlight(slot), undefined);
    fixture.side.release(slot);
  }
  fixture.blocks.pool.assertAllFree();
});

test('a release drops what was written, also when a flush would have come', () => {
  const fixture = new Fixture();
  const slot = fixture.open();
  fixture.side.release(slot);
  fixture.write(slot, 'never sent');
  equal(fixture.table.has(slot, SEND_QUEUED), true);
  fixture.side.release(slot);
  fixture.side.flush();
  deepEqual(fixture.io.takeCalls(), []);
  equal(fixture.table.has(slot, SEND_QUEUED), false);
  fixture.write(slot, 'sent');
  fixture.side.flush();
  equal(fixture.inFlight(slot), 'sent');
  throws(() => fixture.side.release(slot), /kernel has let go/);
});
