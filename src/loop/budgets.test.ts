// The budgets of a tick: what exceeds one is left for the next tick, and the thread does not sleep
// before that.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import { RECV } from '../io/token.ts';
import { NOTHING_PLANNED } from '../kernel/node-loop.ts';
import type { LoopClient } from './loop.ts';
import { Loop } from './loop.ts';

const TIMERS = 600;

/** Has as many completions as it is told. */
class BusyIo extends FakeIo {
  override completionsReady = 0;
  override operation = RECV;

  override nextCompletion(): boolean {
    if (this.completionsReady === 0) return false;
    this.completionsReady--;
    return true;
  }
}

/** Counts what it is called for in a tick, and has as much to do as it is told. */
class BusyClient implements LoopClient {
  messagesLeft = 0;
  deferredLeft = 0;
  #completions = 0;
  #messages = 0;
  #deferred = 0;
  #timers = 0;
  #sleeps = 0;

  beginTick(): void {}
  onCompletion(): void {
    this.#completions++;
  }
  runMessages(budget: number): boolean {
    this.#messages = Math.min(budget, this.messagesLeft);
    this.messagesLeft -= this.#messages;
    return this.messagesLeft > 0;
  }
  runDeferred(budget: number): boolean {
    this.#deferred = Math.min(budget, this.deferredLeft);
    this.deferredLeft -= this.#deferred;
    return this.deferredLeft > 0;
  }
  expectsMessages(): boolean {
    return false;
  }
  hasMessages(): boolean {
    return false;
  }
  hasWork(): boolean {
    return false;
  }
  runSends(): void {}
  onTimer(): void {
    this.#timers++;
  }
  runReleases(): void {}
  prepareSleep(): boolean {
    this.#sleeps++;
    return true;
  }
  endSleep(): void {}
  onStopped(): void {}

  /** What the tick was: completions, messages, deferred, timers, and whether it asked to sleep. */
  take(): number[] {
    const tick = [this.#completions, this.#messages, this.#deferred, this.#timers, this.#sleeps];
    this.#completions = 0;
    this.#timers = 0;
    this.#sleeps = 0;
    return tick;
  }
}

function makeLoop() {
  const io = new BusyIo(1, 4096, 4096);
  const clock = new FakeClock();
  const counters = new Float64Array(COUNTERS);
  const loop = new Loop({
    io,
    clock,
    nodeLoop: {
      backendFd: 0,
      beginTurn: () => {},
      timeoutMs: () => NOTHING_PLANNED,
      runMicrotasks: () => {},
      failForGood: () => {},
    },
    nextTurn: () => {},
    counters,
    timers: TIMERS,
  });
  const client = new BusyClient();
  loop.run(client);
  equal(loop.beginTurn(), true);
  const tick = (): number[] => {
    const sleeps = loop.beginTick();
    loop.endTick();
    const done = client.take();
    equal(sleeps, done[4] === 1);
    return done;
  };
  return { io, clock, loop, client, tick, exhausted: () => counters[Counter.budgetsExhausted] };
}

test('a tick takes 256 completions, and the thread sleeps when there are no others', () => {
  const { io, tick, exhausted } = makeLoop();
  io.completionsReady = 600;
  deepEqual(
    [tick(), tick(), tick()],
    [
      [256, 0, 0, 0, 0],
      [256, 0, 0, 0, 0],
      [88, 0, 0, 0, 1],
    ],
  );
  equal(exhausted(), 2);
});

test('the same for messages and for what is deferred', () => {
  const { client, tick, exhausted } = makeLoop();
  client.messagesLeft = 257;
  client.deferredLeft = 512;
  deepEqual(
    [tick(), tick(), tick()],
    [
      [0, 256, 256, 0, 0],
      [0, 1, 256, 0, 1],
      [0, 0, 0, 0, 1],
    ],
  );
  equal(exhausted(), 1);
  client.deferredLeft = 513;
  deepEqual(
    [tick(), tick(), tick()],
    [
      [0, 0, 256, 0, 0],
      [0, 0, 256, 0, 0],
      [0, 0, 1, 0, 1],
    ],
  );
  equal(exhausted(), 3);
});

test('the same for timers: the others run out in the next ticks', () => {
  const { clock, loop, tick, exhausted } = makeLoop();
  for (let slot = 0; slot < TIMERS; slot++) loop.timers.set(slot, clock.nowMs, 1000);
  deepEqual(tick(), [0, 0, 0, 0, 1]);
  clock.nowMs += 2000;
  deepEqual(
    [tick(), tick(), tick()],
    [
      [0, 0, 0, 256, 0],
      [0, 0, 0, 256, 0],
      [0, 0, 0, 88, 1],
    ],
  );
  equal(exhausted(), 2);
});
