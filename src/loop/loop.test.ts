import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Counters } from '../base/counters.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import type { BackendName } from '../base/options.ts';
import type { Io } from '../io/io.ts';
import { chooseBackend, openIo } from '../io/open-io.ts';
import { RECV } from '../io/token.ts';
import { openEventfd, Wakeup } from '../kernel/eventfd.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import type { LoopClient } from './loop.ts';
import { Loop } from './loop.ts';

// A client that records the order of its phases. `onPhase` counts as code of the user when it
// answers true: what it queued, a resolved promise say, needs a turn of Node's.
class Recorder implements LoopClient {
  readonly phases: string[] = [];
  readonly #loop: Loop;
  onPhase: (phase: string) => boolean = () => false;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  beginTick(): void {}
  onCompletion(_io: Io): void {
    this.#phase('completion');
  }
  runMessages(): boolean {
    this.#phase('messages');
    return false;
  }
  expectsMessages(): boolean {
    return this.hasMessages !== never;
  }
  hasMessages: () => boolean = never;
  hasWork: () => boolean = never;
  onMicrotasks = (): void => {};
  runDeferred(): boolean {
    this.#phase('deferred');
    return false;
  }
  runSends(): void {
    this.#phase('sends');
  }
  onTimer(slot: number): void {
    this.#phase(`timer ${slot}`);
  }
  runReleases(): void {
    this.#phase('releases');
  }
  prepareSleep(): boolean {
    return !this.#phase('sleep');
  }
  endSleep(): void {}
  onStopped(): void {
    this.#phase('stopped');
  }
  #phase(phase: string): boolean {
    this.phases.push(phase);
    const queued = this.onPhase(phase);
    if (queued) this.#loop.userCodeRan();
    return queued;
  }
}

function never(): boolean {
  return false;
}

// Epoll is everywhere; io_uring is what the machine allows.
const BACKENDS = new Set([chooseBackend('auto').backend, 'epoll'] as const);

function makeLoop(backend: BackendName): { loop: Loop; counters: Counters } {
  const counters = new Float64Array(COUNTERS);
  const io = openIo(backend, {
    submissions: 8,
    completions: 16,
    recvBuffers: 1,
    recvBufferSize: 4096,
    blocksSize: 4096,
  });
  const clock = new SystemClock();
  const loop = new Loop({
    io,
    clock,
    nodeLoop: new NodeLoop(),
    nextTurn: setImmediate,
    counters,
    timers: 4,
  });
  return { loop, counters };
}

// Calls back after `count` immediates, each of which queues the next.
function immediates(count: number, then: () => void): void {
  if (count === 0) then();
  else setImmediate(() => immediates(count - 1, then));
}

// Ends the loop, and its ring once the last turn is over.
function end(loop: Loop): Promise<void> {
  loop.stop();
  return new Promise((resolve) => {
    setImmediate(() => {
      loop.io.destroy();
      resolve();
    });
  });
}

for (const backend of BACKENDS) {
  test(`${backend}: the phases of a tick run in the written order`, async () => {
    const { loop } = makeLoop(backend);
    const client = new Recorder(loop);
    loop.timers.set(3, loop.clock.nowMs, 0);
    await new Promise<void>((resolve) => {
      client.onPhase = (phase) => {
        if (phase !== 'timer 3') return false;
        resolve();
        return true;
      };
      loop.run(client);
    });
    await end(loop);
    const last = client.phases.lastIndexOf('timer 3');
    const order = client.phases.slice(last - 3, last + 2);
    equal(order.join(', '), 'messages, deferred, sends, timer 3, releases');
  });

  test(`${backend}: timers, promises, immediates and messages go on meanwhile`, async () => {
    const { loop } = makeLoop(backend);
    loop.run(new Recorder(loop));
    let beats = 0;
    const interval = setInterval(() => beats++, 1);
    const worker = new Worker(
      "const { parentPort } = require('node:worker_threads');" +
        "parentPort.once('message', (message) => parentPort.postMessage(message));",
      { eval: true },
    );
    const echoed = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage('over and back');
    equal(await echoed, 'over and back');
    await new Promise((resolve) => setImmediate(resolve));
    equal(await (await fetch('data:,fetched')).text(), 'fetched');
    await worker.terminate();
    ok(beats > 0);
    clearInterval(interval);
    await end(loop);
  });

  test(`${backend}: immediates go on that were queued where nobody sees it`, async () => {
    const { loop } = makeLoop(backend);
    loop.run(new Recorder(loop));
    const passed = Promise.withResolvers<string>();
    // Should the thread sleep, this timer is what wakes it.
    // tidy: allow it only runs out when the test fails
    const guard = setTimeout(() => passed.resolve('slept'), 5000);
    // tidy: allow a timer of Node is where the first one is queued
    setTimeout(() => immediates(5, () => passed.resolve('went on')), 1);
    equal(await passed.promise, 'went on');
    clearTimeout(guard);
    await end(loop);
  });

  test(`${backend}: an idle loop sleeps instead of polling`, async () => {
    const { loop, counters } = makeLoop(backend);
    loop.run(new Recorder(loop));
    // tidy: allow the time that passes is what the test is about; no outcome depends on its length
    await new Promise((resolve) => setTimeout(resolve, 100));
    ok(counters[Counter.sleeps]! > 0);
    ok(counters[Counter.ticks]! < 50);
    await end(loop);
  });

  test(`${backend}: a wake-up from elsewhere ends the sleep`, async () => {
    const { loop } = makeLoop(backend);
    const fd = openEventfd();
    loop.io.watchWakeups(fd);
    const client = new Recorder(loop);
    let sleeps = 0;
    await new Promise<void>((resolve) => {
      client.onPhase = (phase) => {
        if (phase !== 'sleep') return false;
        if (++sleeps < 3) {
          new Wakeup(fd).signal();
          return false;
        }
        resolve();
        return true;
      };
      loop.run(client);
      // tidy: allow a far timer, so that only the wake-up can wake
      setTimeout(() => {}, 60_000).unref();
    });
    equal(sleeps, 3);
    await end(loop);
    closeDescriptor(fd);
  });

  test(`${backend}: code of the user gives Node a turn before the loop sleeps`, async () => {
    const { loop } = makeLoop(backend);
    const client = new Recorder(loop);
    let microtaskRan = false;
    let first = true;
    await new Promise<void>((resolve) => {
      client.onPhase = (phase) => {
        if (phase === 'messages' && first) {
          first = false;
          queueMicrotask(() => {
            microtaskRan = true;
          });
          return true;
        }
        if (phase !== 'sleep') return false;
        ok(microtaskRan);
        resolve();
        return true;
      };
      loop.run(client);
    });
    await end(loop);
  });

  test(`${backend}: a completion reaches the client`, async () => {
    const { loop } = makeLoop(backend);
    const client = new Recorder(loop);
    loop.io.recv(1_000_000, 0, 0, false);
    await new Promise<void>((resolve) => {
      client.onPhase = (phase) => {
        if (phase !== 'completion') return false;
        equal(loop.io.operation, RECV);
        resolve();
        return true;
      };
      loop.run(client);
    });
    await end(loop);
  });
}

test('a loop that is stopped ends its tick, tells its client once, and rests', async () => {
  const { loop, counters } = makeLoop([...BACKENDS][0]!);
  const client = new Recorder(loop);
  await new Promise<void>((resolve) => {
    client.onPhase = (phase) => {
      if (phase === 'messages') loop.stop();
      if (phase === 'stopped') resolve();
      return false;
    };
    loop.run(client);
  });
  equal(client.phases.join(', '), 'messages, deferred, sends, releases, stopped');
  equal(counters[Counter.ticks], 1);
  await end(loop);
  equal(client.phases.at(-1), 'stopped');
  equal(client.phases.filter((phase) => phase === 'stopped').length, 1);
});

// A loop that is driven step by step, with its own idea of what promises have queued.
function makeSteps(): { steps: Loop; client: Recorder } {
  const { loop, counters } = makeLoop([...BACKENDS][0]!);
  const steps = new Loop({
    io: loop.io,
    clock: loop.clock,
    nodeLoop: {
      backendFd: openEventfd(),
      nodeTimerDueMs: () => -1,
      hasImmediates: () => false,
      runMicrotasks: () => {
        client.phases.push('microtasks');
        client.onMicrotasks();
      },
    },
    nextTurn: () => {},
    counters,
    timers: 1,
  });
  const client: Recorder = new Recorder(steps);
  steps.run(client);
  equal(steps.beginTurn(), true);
  return { steps, client };
}

// A tick to its end; the thread does not sleep.
function tick(loop: Loop): boolean {
  equal(loop.beginTick(), false);
  loop.io.submitAndWait(false);
  return loop.endTick();
}

test('what waits for a promise goes on when all is on its way that was said before', () => {
  const { steps, client } = makeSteps();
  client.onPhase = (phase) => phase === 'messages';
  equal(tick(steps), false);
  deepEqual(client.phases, ['messages', 'deferred', 'sends', 'releases', 'microtasks']);
  equal(steps.beginTurn(), true);
  // What it says is sent before Node has its turn.
  client.hasWork = () => true;
  equal(tick(steps), true);
  client.hasWork = never;
  client.onPhase = () => false;
  client.phases.length = 0;
  equal(tick(steps), false);
  equal(client.phases.includes('microtasks'), false);
  steps.io.destroy();
});

test('while code of the user waits in the loop, promises stand still', () => {
  const { steps, client } = makeSteps();
  let ticks = 0;
  client.onPhase = (phase) => {
    if (phase !== 'messages' || ticks > 0) return phase === 'messages';
    steps.runUntil(() => ticks++ === 3);
    equal(client.phases.includes('microtasks'), false);
    return true;
  };
  tick(steps);
  equal(client.phases.filter((phase) => phase === 'messages').length, 4);
  equal(client.phases.filter((phase) => phase === 'microtasks').length, 1);
  steps.io.destroy();
});

test('a thread that expects a message looks for it before it sleeps', () => {
  const { steps, client } = makeSteps();
  let looks = 0;
  client.hasMessages = () => ++looks === 50;
  equal(steps.beginTick(), false);
  steps.io.submitAndWait(false);
  equal(looks, 0);
  equal(steps.endTick(), true);
  equal(looks, 50);
  // None comes: it sleeps in the next tick.
  equal(steps.beginTick(), false);
  steps.io.submitAndWait(false);
  equal(steps.endTick(), true);
  equal(steps.beginTick(), true);
  equal(client.phases.at(-1), 'sleep');
  steps.io.destroy();
});

test('so does one whose code has just delegated, before Node has its turn', () => {
  const { steps, client } = makeSteps();
  client.onPhase = (phase) => phase === 'messages';
  client.onMicrotasks = () => {
    client.hasMessages = () => true;
  };
  equal(tick(steps), true);
  steps.io.destroy();
});

test('a turn goes on step by step, and says when the thread may sleep', () => {
  const { loop, counters } = makeLoop([...BACKENDS][0]!);
  const client = new Recorder(loop);
  let turns = 0;
  const steps = new Loop({
    io: loop.io,
    clock: loop.clock,
    nodeLoop: {
      backendFd: openEventfd(),
      nodeTimerDueMs: () => 0,
      hasImmediates: () => false,
      runMicrotasks: () => {},
    },
    nextTurn: () => turns++,
    counters,
    timers: 1,
  });
  steps.run(client);
  equal(turns, 1);
  equal(steps.beginTurn(), true);
  // A timer of the outer loop is due: its turn comes after this tick, which may sleep until then.
  equal(steps.beginTick(), true);
  equal(counters[Counter.sleeps], 1);
  equal(steps.endTick(), false);
  equal(steps.beginTurn(), true);
  client.onPhase = (phase) => {
    if (phase === 'messages') steps.userCodeRan();
    return false;
  };
  equal(steps.beginTick(), false);
  equal(steps.endTick(), false);
  steps.stop();
  equal(steps.beginTurn(), false);
  equal(client.phases.at(-1), 'stopped');
  loop.io.destroy();
});
