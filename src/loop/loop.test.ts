import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { readFile } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Counters } from '../base/counters.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import type { BackendName } from '../base/options.ts';
import type { Io } from '../io/io.ts';
import { chooseBackend, openIo } from '../io/open-io.ts';
import { RECV } from '../io/token.ts';
import { openEventfd, Wakeup } from '../kernel/eventfd.ts';
import { NOTHING_PLANNED, NodeLoop } from '../kernel/node-loop.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import type { LoopClient } from './loop.ts';
import { Loop } from './loop.ts';

// A thread that nothing keeps alive has to end, says libuv. Those of Millrace have their port.
const { port1: port } = new MessageChannel();
port.ref();
after(() => port.close());

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

  test(`${backend}: what code of the user begins in a tick goes on by itself`, async () => {
    const { loop } = makeLoop(backend);
    const client = new Recorder(loop);
    const begin = (code: () => void): Promise<void> =>
      new Promise((resolve) => {
        client.onPhase = (phase) => {
          if (phase !== 'messages') return false;
          client.onPhase = () => false;
          code();
          resolve();
          return true;
        };
        // Wakes the thread, in whose next tick the code runs.
        setImmediate(() => {});
      });
    loop.run(client);
    const { promise: timer, resolve: onTimer } = Promise.withResolvers<void>();
    // tidy: allow a timer is what is begun
    await begin(() => setTimeout(onTimer, 1));
    await timer;
    const { promise: immediate, resolve: onImmediate } = Promise.withResolvers<void>();
    await begin(() => immediates(3, onImmediate));
    await immediate;
    const { promise: read, resolve: onRead } = Promise.withResolvers<unknown>();
    await begin(() => readFile(new URL(import.meta.url), onRead));
    equal(await read, null);
    let server!: Server;
    const { promise: connected, resolve: onConnected } = Promise.withResolvers<void>();
    await begin(() => {
      server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        connect(port, '127.0.0.1').on('data', () => onConnected());
      });
    });
    await connected;
    const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
    await begin(() => server.close(() => onClosed()));
    await closed;
    await end(loop);
  });

  test(`${backend}: an idle loop sleeps instead of polling`, async () => {
    const { loop, counters } = makeLoop(backend);
    loop.run(new Recorder(loop));
    // tidy: allow the time that passes is what the test is about; no outcome depends on its length
    await new Promise((resolve) => setTimeout(resolve, 100));
    // V8 may have a timer each millisecond meanwhile, while it collects.
    const ticks = counters[Counter.ticks]!;
    ok(ticks < 1000 && ticks <= 2 * counters[Counter.sleeps]! + 5);
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

// A loop that is driven step by step, with its own idea of what Node has to do.
interface Steps {
  readonly steps: Loop;
  readonly client: Recorder;
  readonly node: { timeoutMs: number; turn: () => void };
}

function makeSteps(): Steps {
  const { loop, counters } = makeLoop([...BACKENDS][0]!);
  const node: Steps['node'] = { timeoutMs: NOTHING_PLANNED, turn: () => {} };
  const steps = new Loop({
    io: loop.io,
    clock: loop.clock,
    nodeLoop: {
      backendFd: openEventfd(),
      beginTurn: () => {},
      timeoutMs: () => node.timeoutMs,
      runMicrotasks: () => {
        client.phases.push('microtasks');
        client.onMicrotasks();
      },
      failForGood: () => client.phases.push('fails for good'),
    },
    nextTurn: (turn) => {
      node.turn = turn;
    },
    counters,
    timers: 1,
  });
  const client: Recorder = new Recorder(steps);
  steps.run(client);
  equal(steps.beginTurn(), true);
  return { steps, client, node };
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
  equal(steps.io.hasSubmissions, true);
  equal(tick(steps), true);
  deepEqual(client.phases, ['messages', 'deferred', 'sends', 'releases', 'microtasks']);
  client.onPhase = () => false;
  client.phases.length = 0;
  equal(steps.beginTick(), true);
  equal(client.phases.includes('microtasks'), false);
  steps.io.destroy();
});

// After a first tick, which has submitted what the loop itself waits for.
function makeIdleSteps(): ReturnType<typeof makeSteps> {
  const made = makeSteps();
  equal(made.steps.beginTick(), true);
  made.steps.io.submitAndWait(false);
  equal(made.steps.endTick(), true);
  made.client.phases.length = 0;
  made.client.onPhase = (phase) => phase === 'messages';
  return made;
}

test('where nothing was said before, it goes on at once, and the thread sleeps', () => {
  const { steps, client } = makeIdleSteps();
  equal(steps.beginTick(), true);
  deepEqual(client.phases.slice(-4), ['releases', 'microtasks', 'releases', 'sleep']);
  equal(steps.endTick(), true);
  equal(client.phases.filter((phase) => phase === 'microtasks').length, 1);
  steps.io.destroy();
});

test('what it says is sent before the thread sleeps', () => {
  const { steps, client } = makeIdleSteps();
  client.onMicrotasks = () => {
    client.hasWork = () => true;
  };
  equal(tick(steps), true);
  equal(client.phases.includes('sleep'), false);
  steps.io.destroy();
});

test('it may stop the loop, which then does not sleep', () => {
  const { steps, client } = makeIdleSteps();
  client.onMicrotasks = () => steps.stop();
  equal(tick(steps), false);
  equal(steps.beginTurn(), false);
  equal(client.phases.at(-1), 'stopped');
  steps.io.destroy();
});

test('the thread does not sleep while Node has something to do', () => {
  const { steps, client, node } = makeIdleSteps();
  client.onMicrotasks = () => {
    node.timeoutMs = 0;
  };
  equal(tick(steps), false);
  equal(client.phases.includes('sleep'), false);
  client.onPhase = () => false;
  // An immediate queues the next one: Node goes on with it, and the loop looks in between.
  equal(steps.beginTurn(), true);
  equal(tick(steps), false);
  node.timeoutMs = NOTHING_PLANNED;
  equal(steps.beginTurn(), true);
  equal(steps.beginTick(), true);
  steps.io.destroy();
});

test('when something was said before, Node has its turn behind the same tick', () => {
  const { steps, client, node } = makeSteps();
  client.onPhase = (phase) => phase === 'messages';
  client.onMicrotasks = () => {
    node.timeoutMs = 0;
  };
  equal(steps.io.hasSubmissions, true);
  equal(tick(steps), false);
  steps.io.destroy();
});

test('a timer that code of the user sets ends the sleep, and then Node has its turn', () => {
  const { steps, client, node } = makeIdleSteps();
  client.onMicrotasks = () => {
    node.timeoutMs = 1;
  };
  equal(steps.beginTick(), true);
  steps.io.submitAndWait(true);
  equal(steps.endTick(), false);
  steps.io.destroy();
});

test('a busy thread asks Node once a millisecond', () => {
  const { steps, client, node } = makeIdleSteps();
  client.hasWork = () => true;
  const begin = performance.now();
  for (let isSame = true; isSame; isSame = tick(steps)) {
    ok(performance.now() - begin < 5000, 'Node has its turn');
    // Each of its ticks takes a millisecond, so that it is not the number of them that counts.
    if (performance.now() - begin > 3) node.timeoutMs = 0;
    for (const until = performance.now() + 1; performance.now() < until; );
  }
  ok(performance.now() - begin < 30);
  steps.io.destroy();
});

test('an error that breaks a tick off ends the thread, one of a microtask need not', () => {
  for (const [phase, ends] of [
    ['sends', true],
    ['microtasks', false],
  ] as const) {
    const { steps, client, node } = makeSteps();
    const error = new Error(`thrown in ${phase}`);
    const fail = (): never => {
      throw error;
    };
    client.onPhase = (each) => each === 'messages' || (each === phase && fail());
    if (!ends) client.onMicrotasks = fail;
    const { turn } = node;
    node.turn = () => {};
    throws(turn, error);
    equal(client.phases.includes('fails for good'), ends);
    equal(node.turn === turn, !ends);
    steps.io.destroy();
  }
});

test('behind so many ticks with code of the user Node has its turn in any case', () => {
  const { steps, client } = makeIdleSteps();
  client.hasWork = () => true;
  let ticks = 1;
  while (tick(steps)) ticks++;
  equal(ticks, 31);
  // As it has if the thread sleeps in between.
  equal(steps.beginTurn(), true);
  client.hasWork = never;
  for (ticks = 0; ticks < 31; ticks++) {
    steps.beginTick();
    steps.io.submitAndWait(false);
    equal(steps.endTick(), true);
  }
  steps.beginTick();
  equal(steps.endTick(), false);
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

test('code of the user that waits for nothing has a tick, which does not sleep', () => {
  const { steps, client } = makeSteps();
  client.onPhase = (phase) => {
    if (phase !== 'messages' || client.phases.length > 1) return phase === 'messages';
    steps.runUntil(() => true);
    return true;
  };
  tick(steps);
  const phases = ['messages', 'deferred', 'sends', 'releases'];
  deepEqual(client.phases, ['messages', ...phases, ...phases.slice(1), 'microtasks']);
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
