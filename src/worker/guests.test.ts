import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, REQUESTS } from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import type { BlockingConnection } from '../app/blocking-connection.ts';
import { compileApp } from '../app/compiled-app.ts';
import { handOff } from '../app/connection-handler.ts';
import { COUNTERS } from '../base/counters.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { Delegator } from '../delegate/delegator.ts';
import { HandOffRecords } from '../delegate/hand-off-records.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { NO_WAKEUPS } from '../delegate/no-wakeups.test-data.ts';
import { BUILDING, NO_DEADLINE } from '../delegate/task-holders.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { RECV, SEND } from '../io/token.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { Loop } from '../loop/loop.ts';
import { Guests } from './guests.ts';
import { POOLS } from './pools.test-data.ts';

const NODE_LOOP = new NodeLoop();
const DEADLINE_MS = 12_345;

/** A worker and an accept thread without their loops; its app blocks in `handler`. */
class Bench {
  readonly io = new FakeIo(POOLS.recvBuffers, POOLS.recvBufferSize, blocksSize(POOLS));
  readonly clock = new FakeClock();
  readonly guests: Guests;
  readonly delegator: Delegator;
  readonly #records: HandOffRecords;
  readonly #intake: TaskIntake;

  constructor(handler: (connection: BlockingConnection) => void) {
    const memory = createDelegateMemory({
      acceptThreads: 1,
      workerThreads: 1,
      holdersPerAcceptThread: 1,
      handOffsPerAcceptThread: 1,
      unreadBlockSize: 4096,
    });
    const counters = new Float64Array(COUNTERS);
    this.delegator = new Delegator(memory, 0, () => {});
    this.#records = new HandOffRecords(memory, this.delegator.holders);
    this.#intake = new TaskIntake(memory, 0, NO_WAKEUPS);
    const loop = new Loop({
      io: this.io,
      clock: this.clock,
      nodeLoop: NODE_LOOP,
      nextTurn: () => {},
      counters,
      timers: 1,
    });
    loop.run({
      beginTick: () => {},
      onCompletion: () => {},
      runMessages: () => false,
      expectsMessages: () => false,
      hasMessages: () => false,
      hasWork: () => false,
      runDeferred: (budget) => this.guests.connections!.runDeferred(budget),
      runSends: () => this.guests.connections!.runSends(),
      onTimer: () => {},
      runReleases: () => {},
      prepareSleep: () => true,
      endSleep: () => {},
      onStopped: () => {},
    });
    this.guests = new Guests({
      loop,
      app: compileApp({ routes: { 'POST /': handOff('block') }, connections: { block: handler } }),
      holders: this.#intake.holders,
      records: new HandOffRecords(memory, this.#intake.holders),
      counters,
      pools: POOLS,
      requests: REQUESTS,
      capacity: 1,
      timeoutMs: 1000,
      log: () => {},
      onGone: (holder) => this.#intake.finish(holder),
    });
  }

  /** A connection is handed off with a request, which is looked at. Answers its holder. */
  handOff(): number {
    const holder = this.delegator.reserve(0, 0, 0);
    const request = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n`);
    this.#records.begin(holder, 100, 0);
    this.#records.addBlock(holder, 0);
    this.#records.write(holder, request, 0, request.length);
    this.delegator.handOff(holder, NO_DEADLINE);
    this.guests.adopt(this.#intake.take());
    this.guests.connections!.runDeferred(1);
    return holder;
  }

  /** The peer resets while its body is received. */
  reset(): void {
    const recv = this.io.find(RECV, 0);
    notEqual(recv, undefined);
    this.io.complete(recv!, -ECONNRESET);
    this.guests.connections!.onCompletion(this.io);
  }

  /** The holder of the connection, which has gone home, is used again. */
  useAgain(holder: number): void {
    const { delegator } = this;
    this.guests.connections!.runDeferred(1);
    equal(delegator.takeCompletions(), true);
    this.delegator.release(delegator.nextCompletion());
    equal(delegator.reserve(0, 0, 1), holder);
    delegator.holders.setDeadline(holder, DEADLINE_MS);
  }

  assertUntouched(holder: number): void {
    equal(this.delegator.holders.state(holder), BUILDING);
    equal(this.delegator.holders.deadlineMs(holder), DEADLINE_MS);
  }
}

test('a blocking handler whose client goes away meanwhile leaves its holder alone', () => {
  const calls: string[] = [];
  const bench = new Bench((connection) => {
    calls.push('called');
    try {
      connection.readSync();
    } catch {
      calls.push('told');
    }
  });
  const holder = bench.handOff();
  bench.io.submitAndWait = () => {
    bench.reset();
    bench.useAgain(holder);
  };
  bench.guests.runWaiting();
  deepEqual(calls, ['called', 'told']);
  bench.assertUntouched(holder);
});

test('a blocking handler whose client has gone before its turn is not called', () => {
  const bench = new Bench(() => calls.push('called'));
  const calls: string[] = [];
  const holder = bench.handOff();
  equal(bench.guests.hasWaiting, true);
  bench.reset();
  bench.useAgain(holder);
  bench.guests.runWaiting();
  equal(bench.guests.hasWaiting, false);
  deepEqual(calls, []);
  bench.assertUntouched(holder);
});

test('each write of a blocking handler is on its way, and puts its deadline off', () => {
  const calls: string[] = [];
  const bench = new Bench((connection) => {
    for (const piece of ['one', 'two']) {
      bench.clock.nowMs += 600;
      connection.writeSync(piece);
      calls.push(`${bench.delegator.holders.deadlineMs(holder)}`);
    }
  });
  bench.io.submitAndWait = (wait) => {
    const sent = bench.io.find(SEND, 0);
    calls.push(`${wait} ${sent?.bytes.toString('latin1').split('\r\n').at(-2)}`);
    if (sent !== undefined) bench.io.complete(sent, sent.bytes.length);
    bench.guests.connections!.onCompletion(bench.io);
  };
  const holder = bench.handOff();
  bench.guests.runWaiting();
  deepEqual(calls, ['false one', '1600', 'false two', '2200']);
});

test('a blocking handler has a deadline from each read to the next', () => {
  const deadlines: number[] = [];
  const look = (): unknown => deadlines.push(bench.delegator.holders.deadlineMs(holder));
  const bench = new Bench((connection) => {
    look();
    connection.readSync();
    look();
  });
  bench.io.submitAndWait = () => {
    look();
    bench.clock.nowMs += 5000;
    bench.io.complete(bench.io.find(RECV, 0)!, Buffer.from('bytes'));
    bench.guests.connections!.onCompletion(bench.io);
  };
  const holder = bench.handOff();
  bench.guests.runWaiting();
  look();
  // It has none while it waits for its peer, or has returned: the peer has its own timeouts.
  deepEqual(deadlines, [1000, NO_DEADLINE, 6000, NO_DEADLINE]);
});
