import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBench, get } from '../../test/support/unit-connection-bench.ts';
import { LINGERING } from '../connection/connection-table.ts';
import { Delegator } from '../delegate/delegator.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { ACCEPT, CLOSE } from '../io/token.ts';
import { ECANCELED } from '../kernel/errno.ts';
import { WHEEL_GRANULARITY_MS } from '../loop/timer-wheel.ts';
import { DRAIN_ACCEPT_MS, DRAIN_IDLE_MS, Drain } from './drain.ts';
import { ACCEPTS_MAX, Listener } from './listener.ts';
import { Listeners } from './listeners.ts';

const TIMEOUT_MS = 10_000;

class Fixture {
  readonly bench = new ConnectionBench();
  readonly listener: Listener;
  readonly delegator: Delegator;
  readonly drain: Drain;
  refused = 0;
  retired = 0;
  stopped = false;

  constructor() {
    const { loop, connections, counters, extraTimer } = this.bench;
    this.listener = new Listener({
      loop,
      // Never set here: no accept fails.
      timer: extraTimer,
      fd: 5,
      protocol: 0,
      acceptsMax: ACCEPTS_MAX,
      connections,
      counters,
      log: () => {},
    });
    const memory = createDelegateMemory({
      acceptThreads: 1,
      workerThreads: 1,
      holdersPerAcceptThread: 2,
    });
    this.delegator = new Delegator(memory, 0, () => {});
    loop.stop = () => {
      this.stopped = true;
    };
    const listeners = new Listeners(connections.table);
    listeners.add(this.listener);
    this.drain = new Drain({
      loop,
      timer: extraTimer,
      listener: listeners,
      connections,
      delegator: this.delegator,
      counters,
      timeoutMs: TIMEOUT_MS,
      refuseConnections: () => this.refused++,
      onRetired: () => this.retired++,
    });
    this.bench.onExtraTimer = () => this.drain.onTimer();
    this.listener.arm();
  }

  /** Time passes in steps of the wheel, a tick each. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += WHEEL_GRANULARITY_MS) {
      this.bench.clock.nowMs += WHEEL_GRANULARITY_MS;
      this.bench.tick();
    }
  }

  get accepts(): number {
    return this.bench.io.submissions.filter(({ operation }) => operation === ACCEPT).length;
  }

  accept(): number {
    const accept = this.bench.io.submissions.find(({ operation }) => operation === ACCEPT)!;
    this.bench.io.complete(accept, 100);
    this.listener.onAccept(accept.slot, 100);
    return accept.slot;
  }

  /** The accepts that were asked to end do so. */
  endAccepts(): void {
    for (const accept of this.bench.io.cancelled) {
      if (accept.operation !== ACCEPT) continue;
      this.bench.io.complete(accept, -ECANCELED);
      this.listener.onAccept(accept.slot, -ECANCELED);
    }
  }
}

test('a drain without connections ends when two looks found nobody in the backlog', () => {
  const fixture = new Fixture();
  fixture.drain.begin();
  fixture.drain.begin();
  equal(fixture.refused, 1);
  fixture.pass(DRAIN_ACCEPT_MS);
  fixture.pass(2 * WHEEL_GRANULARITY_MS);
  fixture.endAccepts();
  equal(fixture.accepts, 0);
  equal(fixture.stopped, false);
  fixture.pass(WHEEL_GRANULARITY_MS);
  equal(fixture.stopped, true);
  fixture.bench.assertAllFree();
});

test('accepting goes on as long as connections come', () => {
  const fixture = new Fixture();
  fixture.drain.begin();
  const slots: number[] = [];
  for (let round = 0; round < 3; round++) {
    slots.push(fixture.accept());
    fixture.pass(WHEEL_GRANULARITY_MS);
    equal(fixture.bench.io.cancelled.size, 0);
  }
  fixture.pass(WHEEL_GRANULARITY_MS);
  equal(fixture.bench.io.cancelled.size, 1);
  // What they ask for is answered, and the close announced.
  for (const slot of slots) {
    const answer = fixture.bench.exchange(slot, get('/fast'));
    equal(answer.includes('Connection: close\r\n'), true);
  }
});

test('a silent connection is ended after its grace, a task is awaited', () => {
  const fixture = new Fixture();
  const slot = fixture.accept();
  equal(fixture.delegator.delegate(0, 0, 0, Buffer.from('/'), 0, 1), 0);
  fixture.drain.begin();
  fixture.pass(DRAIN_IDLE_MS - WHEEL_GRANULARITY_MS);
  fixture.endAccepts();
  equal(fixture.bench.connections.table.state(slot) === LINGERING, false);
  fixture.pass(2 * WHEEL_GRANULARITY_MS);
  equal(fixture.bench.connections.table.state(slot), LINGERING);
  fixture.bench.endRecv(slot, 0);
  fixture.bench.endClose(slot);
  fixture.pass(10 * WHEEL_GRANULARITY_MS);
  equal(fixture.stopped, false);
  deepEqual([fixture.bench.count('closedDraining'), fixture.delegator.holdersUsed], [1, 1]);
  fixture.pass(TIMEOUT_MS);
  equal(fixture.stopped, true);
});

test('what is left after the longest drain is terminated', () => {
  const fixture = new Fixture();
  const slot = fixture.accept();
  fixture.bench.receive(slot, get('/slow'));
  fixture.drain.begin();
  fixture.pass(TIMEOUT_MS - 2 * WHEEL_GRANULARITY_MS);
  fixture.endAccepts();
  equal(fixture.bench.io.find(CLOSE, slot), undefined);
  fixture.pass(4 * WHEEL_GRANULARITY_MS);
  fixture.bench.endRecv(slot, 0);
  equal(fixture.bench.io.find(CLOSE, slot) !== undefined, true);
  equal(fixture.stopped, false);
  fixture.bench.endClose(slot);
  fixture.pass(WHEEL_GRANULARITY_MS);
  equal(fixture.stopped, true);
  equal(fixture.bench.count('drainCutOff'), 1);
});

test('who retires leaves the listener as it is, and says when it accepts no more', () => {
  const fixture = new Fixture();
  const slot = fixture.accept();
  fixture.drain.retire();
  fixture.pass(2 * WHEEL_GRANULARITY_MS);
  deepEqual([fixture.refused, fixture.retired, fixture.stopped], [0, 0, false]);
  fixture.endAccepts();
  fixture.pass(2 * WHEEL_GRANULARITY_MS);
  equal(fixture.accepts, 0);
  deepEqual([fixture.retired, fixture.stopped], [1, false]);
  // What was accepted before is still answered.
  match(fixture.bench.exchange(slot, get('/fast')), /200 OK/);
  fixture.pass(2 * WHEEL_GRANULARITY_MS);
  equal(fixture.retired, 1);
});
