import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import { compileApp } from '../app/compiled-app.ts';
import { handOff, onLoop } from '../app/connection-handler.ts';
import { COUNTERS_SIZE } from '../base/counters.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { Delegator } from '../delegate/delegator.ts';
import { HandOffRecords } from '../delegate/hand-off-records.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { NO_WAKEUPS } from '../delegate/no-wakeups.test-data.ts';
import { NO_DEADLINE } from '../delegate/task-holders.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { server } from '../delegate/task-server.test-data.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { POOLS } from './pools.test-data.ts';
import { WorkerService } from './worker-service.ts';

const EVENTFD = 5;

/** The first of two workers, without its loop; the second one sleeps. */
class Bench {
  readonly io = new FakeIo(POOLS.recvBuffers, POOLS.recvBufferSize, blocksSize(POOLS));
  readonly service: WorkerService;
  readonly events: string[] = [];
  readonly later = Promise.withResolvers<void>();
  readonly #delegator: Delegator;
  readonly #records: HandOffRecords;

  constructor() {
    const delegateMemory = createDelegateMemory({
      acceptThreads: 1,
      workerThreads: 2,
      holdersPerAcceptThread: 2,
      handOffsPerAcceptThread: 2,
      unreadBlockSize: 4096,
    });
    const wakeups = {
      ...NO_WAKEUPS,
      wakeWorker: (worker: number) => this.events.push(`worker ${worker} is woken`),
    };
    this.#delegator = new Delegator(delegateMemory, 0, wakeups.wakeWorker);
    this.#records = new HandOffRecords(delegateMemory, this.#delegator.holders);
    this.service = new WorkerService({
      plan: {
        index: 0,
        options: server.options,
        backend: 'epoll',
        app: '',
        delegateMemory,
        refusedTasks: new SharedArrayBuffer(4),
        acceptWakeups: [EVENTFD],
        workerWakeups: [EVENTFD, EVENTFD],
        counters: new SharedArrayBuffer(COUNTERS_SIZE),
        holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
        pools: POOLS,
        guests: 2,
      },
      app: compileApp({
        routes: { 'GET /block': handOff('block'), 'GET /wait': handOff('wait') },
        tasks: { later: () => this.later.promise },
        connections: {
          block: () => this.events.push('the handler blocks'),
          wait: onLoop(() => new Promise(() => {})),
        },
      }),
      io: this.io,
      clock: new FakeClock(),
      nodeLoop: new NodeLoop(),
      nextTurn: () => {},
      wakeups,
      log: () => {},
      onEnd: () => {},
    });
    new TaskIntake(delegateMemory, 1, NO_WAKEUPS).sleep();
  }

  /** A connection with a request is queued for any worker. */
  handOff(name: 'block' | 'wait'): void {
    const request = Buffer.from(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const holder = this.#delegator.reserve(name === 'block' ? 1 : 2, 0, 0);
    this.#records.begin(holder, 100, 0);
    this.#records.addBlock(holder, 0);
    this.#records.write(holder, request, 0, request.length);
    this.#delegator.handOff(holder, NO_DEADLINE);
  }

  /** A task that takes its time is queued for any worker. */
  delegate(): void {
    this.#delegator.delegate(0, 0, 0, Buffer.from('/'), 0, 1);
  }

  /** The worker takes a connection. */
  adopt(name: 'block' | 'wait'): void {
    this.service.prepareSleep();
    this.handOff(name);
    this.service.endSleep();
    this.service.runMessages();
    this.service.runDeferred(1);
    deepEqual(this.events.splice(0), ['worker 0 is woken']);
  }
}

test('a worker that is full when it is woken for a connection wakes another one', () => {
  const bench = new Bench();
  bench.adopt('wait');
  equal(bench.service.prepareSleep(), true);
  bench.handOff('wait');
  bench.service.endSleep();
  // As connections that it has receive.
  while (bench.io.buffersUsed < POOLS.recvBuffers) bench.io.takeBuffer();
  bench.service.runMessages();
  deepEqual(bench.events, ['worker 0 is woken', 'worker 1 is woken']);
});

test('a worker that has to serve a blocking handler first is not woken for what comes', () => {
  const bench = new Bench();
  bench.adopt('block');
  equal(bench.service.guests.hasWaiting, true);
  equal(bench.service.prepareSleep(), false);
  bench.handOff('block');
  bench.service.endSleep();
  bench.service.runMessages();
  deepEqual(bench.events, ['worker 1 is woken', 'the handler blocks']);
});

test('a worker that has taken one for a blocking handler leaves the next to others', () => {
  const bench = new Bench();
  const { service } = bench;
  bench.handOff('block');
  bench.handOff('block');
  service.runMessages();
  service.runDeferred(2);
  equal(service.guests.count, 1);
  equal(service.hasMessages(), true);
  // So does one behind the other.
  service.runMessages();
  deepEqual(bench.events.slice(-1), ['the handler blocks']);
  equal(service.hasMessages(), false);
});

test('a blocking handler begins when the async tasks of its worker are done', async () => {
  const bench = new Bench();
  const { service } = bench;
  bench.delegate();
  bench.handOff('block');
  service.runMessages();
  service.runDeferred(1);
  equal(service.guests.hasWaiting, true);
  equal(service.runMessages() || service.runDeferred(1) || service.hasWork(), false);
  equal(service.expectsMessages(), false);
  bench.later.resolve();
  await bench.later.promise;
  equal(service.hasWork(), true);
  service.runMessages();
  deepEqual(bench.events, ['worker 1 is woken', 'the handler blocks']);
});

test('those for handlers on its loop it takes together', () => {
  const bench = new Bench();
  bench.handOff('wait');
  bench.handOff('wait');
  bench.service.runMessages();
  equal(bench.service.guests.count, 2);
});
