import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBench } from '../../test/support/unit-connection-bench.ts';
import type { Submission } from '../../test/support/unit-fake-io.ts';
import { ACCEPTING, FREE, OPEN } from '../connection/connection-table.ts';
import { ACCEPT } from '../io/token.ts';
import {
  ECANCELED,
  ECONNABORTED,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPERM,
} from '../kernel/errno.ts';
import { WHEEL_GRANULARITY_MS } from '../loop/timer-wheel.ts';
import { ACCEPTS_MAX, Listener, REST_MS } from './listener.ts';

const LISTENER_FD = 5;
/** A timer of the wheel runs out up to two of its steps late. */
const REST_MS_MAX = REST_MS + 2 * WHEEL_GRANULARITY_MS;

class Fixture {
  readonly bench: ConnectionBench;
  readonly listener: Listener;
  readonly logged: string[] = [];

  constructor(capacity: number) {
    this.bench = new ConnectionBench({ capacity, sendBlocks: 1, recvBlocks: 1 });
    const { loop, connections, counters, extraTimer } = this.bench;
    this.listener = new Listener({
      loop,
      timer: extraTimer,
      protocol: 0,
      acceptsMax: ACCEPTS_MAX,
      fd: LISTENER_FD,
      connections,
      counters,
      log: (message) => this.logged.push(message),
    });
    this.bench.onExtraTimer = () => this.listener.onTimer();
  }

  /** Time passes, and a tick follows. */
  pass(ms: number): void {
    this.bench.clock.nowMs = (this.bench.clock.nowMs + ms) | 0;
    this.bench.tick();
    this.listener.arm();
  }

  get accepts(): Submission[] {
    return this.bench.io.submissions.filter(({ operation }) => operation === ACCEPT);
  }

  /** The oldest accept in flight completes; answers its slot. */
  complete(result: number): number {
    const accept = this.accepts[0]!;
    this.bench.io.complete(accept, result);
    this.listener.onAccept(accept.slot, result);
    return accept.slot;
  }

  /** A connection that was accepted is gone. */
  close(slot: number): void {
    this.bench.endRecv(slot, 0);
    this.bench.endClose(slot);
  }
}

test('accepts are kept in flight, no more than a tick takes, each with a slot of its own', () => {
  const fixture = new Fixture(100);
  fixture.listener.arm();
  equal(fixture.accepts.length, ACCEPTS_MAX);
  equal(new Set(fixture.accepts.map(({ slot }) => slot)).size, ACCEPTS_MAX);
  for (const { fd, slot, generation } of fixture.accepts) {
    const { table } = fixture.bench.connections;
    deepEqual([fd, generation], [LISTENER_FD, table.generation(slot)]);
    equal(table.state(slot), ACCEPTING);
  }
  fixture.listener.arm();
  equal(fixture.accepts.length, ACCEPTS_MAX);
  fixture.complete(50);
  fixture.listener.arm();
  equal(fixture.accepts.length, ACCEPTS_MAX);
  equal(fixture.bench.count('capacityReached'), 0);
});

test('nothing is accepted that has no slot', () => {
  const fixture = new Fixture(5);
  fixture.listener.arm();
  equal(fixture.accepts.length, 5);
  for (let fd = 50; fd < 53; fd++) fixture.complete(fd);
  fixture.listener.arm();
  equal(fixture.accepts.length, 2);
  equal(fixture.bench.connections.table.pool.free, 0);
});

test('what is accepted is open, with its descriptor, and received from', () => {
  const fixture = new Fixture(2);
  fixture.listener.arm();
  const slot = fixture.complete(77);
  const { table } = fixture.bench.connections;
  equal(table.state(slot), OPEN);
  equal(table.fd(slot), 77);
  equal(fixture.bench.io.calls.at(-1), `recv ${slot}`);
  equal(fixture.bench.count('connectionsAccepted'), 1);
  // Descriptor 0 is one as well.
  equal(table.fd(fixture.complete(0)), 0);
});

test('that the capacity is reached is counted once, not in every tick', () => {
  const fixture = new Fixture(3);
  for (let fd = 50; fd < 53; fd++) {
    fixture.listener.arm();
    equal(fixture.bench.count('capacityReached'), 0);
    fixture.complete(fd);
  }
  for (let tick = 0; tick < 5; tick++) fixture.listener.arm();
  equal(fixture.bench.count('capacityReached'), 1);
  equal(fixture.accepts.length, 0);
});

test('a slot that comes back gets an accept; with many of them, the capacity counts anew', () => {
  const capacity = ACCEPTS_MAX + 1;
  const fixture = new Fixture(capacity);
  const fill = (): number[] => {
    const slots: number[] = [];
    fixture.listener.arm();
    while (fixture.accepts.length > 0) {
      slots.push(fixture.complete(50 + slots.length));
      fixture.listener.arm();
    }
    return slots;
  };
  const slots = fill();
  equal(slots.length, capacity);
  equal(fixture.bench.count('capacityReached'), 1);
  fixture.close(slots[4]!);
  fixture.listener.arm();
  deepEqual(
    fixture.accepts.map(({ slot }) => slot),
    [slots[4]],
  );
  fixture.complete(200);
  for (const slot of slots) fixture.close(slot);
  equal(fill().length, capacity);
  equal(fixture.bench.count('capacityReached'), 2);
});

test('a connection that was gone before its accept costs nothing: the next accept follows', () => {
  const fixture = new Fixture(2);
  for (const errno of [ECONNABORTED, EPERM]) {
    fixture.listener.arm();
    const slot = fixture.complete(-errno);
    equal(fixture.bench.connections.table.state(slot), FREE);
    equal(fixture.accepts.length, 1);
    fixture.listener.arm();
    equal(fixture.accepts.length, 2);
  }
  equal(fixture.bench.count('acceptsFailed'), 2);
  equal(fixture.bench.count('connectionsAccepted'), 0);
  deepEqual(fixture.logged, []);
});

for (const [name, errno] of Object.entries({ EMFILE, ENFILE, ENOBUFS, ENOMEM })) {
  test(`${name}: accepting rests, then goes on by itself`, () => {
    const fixture = new Fixture(4);
    fixture.listener.arm();
    fixture.complete(-errno);
    fixture.listener.arm();
    equal(fixture.accepts.length, 3);
    fixture.pass(REST_MS - 1);
    equal(fixture.accepts.length, 3);
    fixture.pass(REST_MS_MAX - REST_MS + 1);
    equal(fixture.accepts.length, 4);
    equal(fixture.bench.count('acceptsFailed'), 1);
    equal(fixture.logged.length, 1);
    match(fixture.logged[0]!, new RegExp(`new connections wait: accept failed with ${name}`));
    equal(fixture.logged[0]!.includes('ulimit'), name === 'EMFILE');
  });
}

test('many failures at once are one rest, and established connections go on', () => {
  const fixture = new Fixture(4);
  fixture.listener.arm();
  const slot = fixture.complete(50);
  for (let index = 0; index < 3; index++) fixture.complete(-EMFILE);
  equal(fixture.accepts.length, 0);
  equal(fixture.bench.count('acceptsFailed'), 3);
  equal(fixture.bench.exchange(slot, 'GET /fast HTTP/1.1\r\nHost: a\r\n\r\n').slice(9, 12), '200');
  fixture.pass(REST_MS_MAX);
  equal(fixture.accepts.length, 3);
  fixture.pass(10 * REST_MS);
  equal(fixture.accepts.length, 3);
});

test('failures that go on are logged once a second at most', () => {
  const fixture = new Fixture(1);
  fixture.listener.arm();
  // Eight rests in 2.4 s.
  for (let round = 0; round < 8; round++) {
    fixture.complete(-EMFILE);
    fixture.pass(REST_MS_MAX);
  }
  equal(fixture.bench.count('acceptsFailed'), 8);
  equal(fixture.logged.length, 2);
});

test('a failure is logged again however long ago the last one was', () => {
  const fixture = new Fixture(1);
  fixture.listener.arm();
  for (const ms of [0x7fff_ffff, 0x7fff_ffff]) {
    fixture.complete(-EMFILE);
    fixture.pass(REST_MS_MAX);
    fixture.pass(ms);
  }
  fixture.complete(-EMFILE);
  equal(fixture.logged.length, 3);
});

test('stop cancels every accept, and no other follows', () => {
  const fixture = new Fixture(4);
  fixture.listener.arm();
  const slot = fixture.complete(50);
  const waiting = fixture.accepts.map((accept) => accept.slot);
  fixture.bench.io.takeCalls();
  fixture.listener.stop();
  deepEqual(
    fixture.bench.io.takeCalls().toSorted(),
    waiting.map((each) => `cancel accept ${each}`).toSorted(),
  );
  equal(fixture.bench.io.cancelled.size, 3);
  // One of them was faster than its cancellation.
  const late = fixture.complete(51);
  for (let index = 0; index < 2; index++) fixture.complete(-ECANCELED);
  fixture.listener.arm();
  equal(fixture.accepts.length, 0);
  equal(fixture.bench.count('acceptsFailed'), 0);
  for (const each of [slot, late]) fixture.close(each);
  fixture.bench.assertAllFree();
});

test('a rest that ends after the stop arms nothing', () => {
  const fixture = new Fixture(2);
  fixture.listener.arm();
  fixture.complete(-EMFILE);
  fixture.listener.stop();
  fixture.complete(-ECANCELED);
  fixture.pass(REST_MS_MAX);
  equal(fixture.accepts.length, 0);
  fixture.bench.assertAllFree();
});
