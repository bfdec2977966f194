import { deepEqual, equal, fail, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, REQUESTS } from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { RequestParser } from '../http/request-parser.ts';
import { CLOSE, RECV, SEND } from '../io/token.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { Loop } from '../loop/loop.ts';
import { BlockPool } from '../memory/block-pool.ts';
import { NONE } from '../memory/pool.ts';
import { BY_RESET, DRAINING, IDLE, SERVED } from './close-reason.ts';
import {
  CONNECTION_CTX_SIZE,
  ConnectionTable,
  DEFERRED,
  LINGER_AFTER_SEND,
  LINGERING,
  OPEN,
  RECV_IN_FLIGHT,
  TERMINATING,
} from './connection-table.ts';
import { Deadlines } from './deadlines.ts';
import { Exchanges } from './exchanges.ts';
import { LINGER_MS, Lifecycle } from './lifecycle.ts';
import { RecvSide } from './recv-side.ts';
import { SendBlocks } from './send-blocks.ts';
import { SendSide } from './send-side.ts';

const FD = 30;
const BLOCK_SIZE = 64;
const ECANCELED = 125;

class Fixture {
  readonly counters = new Float64Array(COUNTERS);
  readonly io = new FakeIo(4, 64, 3 * BLOCK_SIZE);
  readonly clock = new FakeClock();
  readonly table = new ConnectionTable(new SharedArrayBuffer(CONNECTION_CTX_SIZE), 1);
  readonly loop: Loop;
  readonly sendBlocks: SendBlocks;
  readonly exchanges: Exchanges;
  readonly cancelled: number[] = [];
  readonly recvBlocks: BlockPool;
  readonly sendSide: SendSide;
  readonly recvSide: RecvSide;
  readonly lifecycle: Lifecycle;
  readonly slot: number;

  constructor() {
    const { io, clock, counters, table } = this;
    const { bytes, blocksOffset } = io.memory;
    this.loop = new Loop({
      io,
      clock,
      nodeLoop: new NodeLoop(),
      nextTurn: setImmediate,
      counters,
      timers: 1,
    });
    this.sendBlocks = new SendBlocks(bytes, blocksOffset, {
      sendBlocks: 1,
      sendBlockSize: BLOCK_SIZE,
      largeSendBlocks: 1,
      largeSendBlockSize: BLOCK_SIZE,
    });
    this.recvBlocks = new BlockPool(
      'receive blocks',
      bytes,
      blocksOffset + 2 * BLOCK_SIZE,
      1,
      BLOCK_SIZE,
    );
    const deadlines = new Deadlines(this.loop, REQUESTS, 1);
    this.exchanges = new Exchanges(
      {
        memory: Buffer.from(bytes.buffer),
        parser: new RequestParser(REQUEST_LIMITS),
        parameters: { parameterStart: () => 0, parameterSize: () => 0 },
        clock: this.loop.clock,
        bodySizeMax: 0,
        onResponse: () => {},
        onRejected: () => {},
        onTransferred: () => {},
        onBodyWanted: () => {},
        callTask: () => fail('no task is delegated'),
        upgradeTo: () => fail('nothing is upgraded'),
      },
      table,
    );
    this.sendSide = new SendSide(io, table, this.sendBlocks, deadlines, counters);
    this.recvSide = new RecvSide(io, table, this.recvBlocks, counters);
    this.lifecycle = new Lifecycle(
      this.loop,
      table,
      this.exchanges,
      this.sendSide,
      this.recvSide,
      {
        inputSizeMax: 0,
        delegate: () => 0,
        delegateInput: () => 0,
        call: () => fail('no task is awaited'),
        cancel: (exchange) => this.cancelled.push(exchange),
      },
      undefined,
      counters,
      () => {},
    );
    this.slot = table.acquire();
    table.setFd(this.slot, FD);
    table.setState(this.slot, OPEN);
    counters[Counter.connectionsOpen] = 1;
    this.loop.timers.set(this.slot, 0, 1000);
  }

  recv(): void {
    this.recvSide.arm(this.slot);
  }

  send(): void {
    const at = this.sendSide.reserve(this.slot, 0);
    this.sendSide.commit(this.slot, at + 8);
    this.sendSide.flush();
  }

  /** The operation completes, and the lifecycle goes on as the connections make it. */
  end(operation: number, result: number): void {
    this.io.complete(this.io.find(operation, this.slot)!, result);
    if (operation === RECV) this.table.clearFlag(this.slot, RECV_IN_FLIGHT);
    else this.sendSide.onSend(this.slot, result);
    this.lifecycle.terminateJoin(this.slot);
  }

  isClosing(): boolean {
    return this.io.find(CLOSE, this.slot) !== undefined;
  }

  /** The close completes; everything is back. */
  endClose(): void {
    const { table, slot } = this;
    const generation = table.generation(slot);
    this.io.complete(this.io.find(CLOSE, slot)!, 0);
    this.lifecycle.onClosed(slot);
    table.pool.assertAllFree();
    this.sendBlocks.assertAllFree();
    this.recvBlocks.pool.assertAllFree();
    equal(this.io.buffersUsed, 0);
    equal(this.loop.timers.count, 0);
    equal(this.counters[Counter.connectionsOpen], 0);
    equal(table.generation(slot), generation + 1);
  }
}

test('with nothing in flight the descriptor is closed at once, without a shutdown', () => {
  const fixture = new Fixture();
  fixture.lifecycle.terminate(fixture.slot, IDLE);
  deepEqual(fixture.io.takeCalls(), ['close 0']);
  equal(fixture.table.state(fixture.slot), TERMINATING);
  equal(fixture.loop.timers.isSet(fixture.slot), false);
  equal(fixture.counters[Counter.closedIdle], 0);
  fixture.endClose();
  equal(fixture.counters[Counter.closedIdle], 1);
});

// What is in flight when the connection is terminated, in the orders in which it completes.
const IN_FLIGHT: Record<string, readonly (readonly [number, number])[]> = {
  'a receive': [[RECV, 0]],
  'a send': [[SEND, -32]],
  'a receive, then a send': [
    [RECV, 0],
    [SEND, -32],
  ],
  'a send, then a receive': [
    [SEND, -32],
    [RECV, 0],
  ],
  'a send taken in full, then a cancelled receive': [
    [SEND, 8],
    [RECV, -ECANCELED],
  ],
  'a send taken in part, then a receive': [
    [SEND, 3],
    [RECV, 0],
  ],
};

for (const [name, completions] of Object.entries(IN_FLIGHT)) {
  test(`nothing is closed or released while it is in flight: ${name}`, () => {
    const fixture = new Fixture();
    const { slot, lifecycle, io } = fixture;
    for (const [operation] of completions) {
      if (operation === RECV) fixture.recv();
      else fixture.send();
    }
    io.takeCalls();
    lifecycle.terminate(slot, BY_RESET);
    deepEqual(io.takeCalls(), [`shutdown ${FD} both`]);
    for (const [operation, result] of completions) {
      equal(fixture.isClosing(), false);
      equal(fixture.table.fd(slot), FD);
      if (io.find(SEND, slot) !== undefined) equal(fixture.sendBlocks.used, 1);
      fixture.end(operation, result);
    }
    deepEqual(io.takeCalls(), ['close 0']);
    // What a partial send left over is not sent any more.
    fixture.sendSide.flush();
    deepEqual(io.takeCalls(), []);
    fixture.endClose();
    equal(fixture.counters[Counter.closedByReset], 1);
  });
}

test('a connection that is in the list of the deferred is not closed before it left that', () => {
  const fixture = new Fixture();
  fixture.table.setFlag(fixture.slot, DEFERRED);
  fixture.lifecycle.terminate(fixture.slot, IDLE);
  deepEqual(fixture.io.takeCalls(), []);
  fixture.table.clearFlag(fixture.slot, DEFERRED);
  fixture.lifecycle.terminateJoin(fixture.slot);
  deepEqual(fixture.io.takeCalls(), ['close 0']);
  fixture.endClose();
});

test('to terminate again changes nothing: the first reason stays, the close comes once', () => {
  const fixture = new Fixture();
  fixture.recv();
  fixture.lifecycle.terminate(fixture.slot, IDLE);
  fixture.lifecycle.terminate(fixture.slot, BY_RESET);
  deepEqual(fixture.io.takeCalls(), ['recv 0', `shutdown ${FD} both`]);
  fixture.end(RECV, 0);
  fixture.lifecycle.terminate(fixture.slot, BY_RESET);
  fixture.lifecycle.terminateJoin(fixture.slot);
  deepEqual(fixture.io.takeCalls(), ['close 0']);
  fixture.endClose();
  equal(fixture.counters[Counter.closedIdle], 1);
  equal(fixture.counters[Counter.closedByReset], 0);
});

test('kept and held bytes go back with the connection', () => {
  const fixture = new Fixture();
  const { slot, io, recvSide } = fixture;
  fixture.recv();
  io.complete(io.find(RECV, slot)!, Buffer.from('held'));
  fixture.table.clearFlag(slot, RECV_IN_FLIGHT);
  recvSide.hold(slot, io.buffer, 4, false);
  fixture.table.setRecvBlock(slot, fixture.recvBlocks.acquire());
  fixture.lifecycle.terminate(slot, SERVED);
  equal(fixture.table.recvBlock(slot), NONE);
  fixture.endClose();
});

test('a linger ends our side only, reads on, and drops what was kept', () => {
  const fixture = new Fixture();
  const { slot, table } = fixture;
  table.setRecvBlock(slot, fixture.recvBlocks.acquire());
  fixture.clock.nowMs = 5000;
  fixture.lifecycle.linger(slot, DRAINING);
  deepEqual(fixture.io.takeCalls(), [`shutdown ${FD} write`, 'recv 0']);
  equal(table.state(slot), LINGERING);
  equal(table.recvBlock(slot), NONE);
  const expires = (ms: number): number => fixture.loop.timers.expire(5000 + ms);
  equal(expires(LINGER_MS - 1), NONE);
  equal(expires(LINGER_MS + 200), slot);
  fixture.lifecycle.terminate(slot, table.reason(slot));
  fixture.end(RECV, 0);
  fixture.endClose();
  equal(fixture.counters[Counter.closedDraining], 1);
});

test('a receive that is in flight when the linger begins is the one that reads on', () => {
  const fixture = new Fixture();
  fixture.recv();
  fixture.lifecycle.linger(fixture.slot, DRAINING);
  deepEqual(fixture.io.takeCalls(), ['recv 0', `shutdown ${FD} write`]);
});

test('a connection that is served lingers exactly when the peer may have sent more', () => {
  const plain = new Fixture();
  plain.lifecycle.finish(plain.slot);
  equal(plain.table.state(plain.slot), TERMINATING);
  const more = new Fixture();
  more.table.setFlag(more.slot, LINGER_AFTER_SEND);
  more.lifecycle.finish(more.slot);
  equal(more.table.state(more.slot), LINGERING);
  equal(more.table.reason(more.slot), SERVED);
});

test('misuse is asserted: a join or an end of a connection that is not terminating', () => {
  const fixture = new Fixture();
  throws(() => fixture.lifecycle.terminateJoin(fixture.slot), /only a terminating/);
  throws(() => fixture.lifecycle.onClosed(fixture.slot), /only a terminating/);
});
