import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { COUNTERS_SIZE, readCounters } from '../base/counters.ts';
import type { Command, PoolSizes, Report, WorkerThreadPlan } from '../base/thread-plan.ts';
import { Delegator } from '../delegate/delegator.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { server } from '../delegate/task-server.test-data.ts';
import { chooseBackend, openIo } from '../io/open-io.ts';
import { TIMER } from '../io/token.ts';
import { openEventfd, Wakeup } from '../kernel/eventfd.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { NONE } from '../memory/pool.ts';

const THREAD = new URL('./worker-thread.ts', import.meta.url);
const HANG_MS = 10_000;

const APP = `export default {
  routes: {},
  tasks: {
    echo: (task) => task.end(task.target + ' ' + task.server.options.slowDuration),
    throw: () => { throw new Error('thrown by a task'); },
    late: async (task) => {
      await null;
      task.end('late ' + task.target);
    },
  },
};`;

const { backend: BACKEND } = chooseBackend('auto');

const POOLS: PoolSizes = {
  submissions: 8,
  completions: 16,
  recvBuffers: 8,
  recvBufferSize: 4096,
  sendBlocks: 1,
  sendBlockSize: 16_384,
  largeSendBlocks: 1,
  largeSendBlockSize: 65_536,
  recvBlocks: 1,
  recvBlockSize: 20_480,
};

/** A worker thread, and the accept thread's side of it, which is this one. */
class Fixture {
  readonly delegator: Delegator;
  readonly worker: Worker;
  readonly #fds = [openEventfd(), openEventfd()] as const;
  readonly #counters = new SharedArrayBuffer(COUNTERS_SIZE);
  readonly #io = openIo(BACKEND, {
    submissions: 8,
    completions: 16,
    recvBuffers: 1,
    recvBufferSize: 4096,
    blocksSize: 4096,
  });
  readonly #reports: Report[] = [];

  constructor(context: TestContext, app = APP) {
    context.after(() => this.#dispose());
    const delegateMemory = createDelegateMemory({
      acceptThreads: 1,
      workerThreads: 1,
      holdersPerAcceptThread: 4,
    });
    const [accept, worker] = this.#fds;
    const plan: WorkerThreadPlan<DelegateMemory> = {
      index: 0,
      backend: BACKEND,
      options: server.options,
      app: `data:text/javascript,${encodeURIComponent(app)}`,
      delegateMemory,
      acceptWakeups: [accept],
      workerWakeups: [worker],
      counters: this.#counters,
      refusedTasks: new SharedArrayBuffer(8),
      holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
      pools: POOLS,
      guests: 1,
    };
    const wakeup = new Wakeup(worker);
    this.delegator = new Delegator(delegateMemory, 0, () => wakeup.signal());
    this.#io.watchWakeups(accept);
    this.#io.setTimer(HANG_MS);
    this.worker = new Worker(THREAD, { workerData: plan });
    this.worker.on('message', (report: Report) => this.#reports.push(report));
  }

  /** The next report of this kind. */
  async report<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    for (;;) {
      const index = this.#reports.findIndex((report) => report.kind === kind);
      if (index >= 0) return this.#reports.splice(index, 1)[0] as Extract<Report, { kind: K }>;
      await once(this.worker, 'message');
    }
  }

  tell(kind: 'drain' | 'report'): void {
    this.worker.postMessage({ kind } satisfies Command);
  }

  delegate(task: number, target: string): number {
    return this.delegator.delegate(task, 1, 2, Buffer.from(target), 0, target.length);
  }

  /** Sleeps until a task is done; answers its status and its output. */
  result(): [number, string] {
    const { delegator } = this;
    while (!delegator.takeCompletions()) {
      if (delegator.sleep()) this.#io.submitAndWait(true);
      delegator.wake();
      while (this.#io.nextCompletion()) ok(this.#io.operation !== TIMER, 'a task is done in time');
    }
    const holder = delegator.nextCompletion();
    ok(holder !== NONE);
    const { holders } = delegator;
    const offset = holders.payloadOffset(holder);
    const output = holders.bytes.toString('utf8', offset, offset + holders.outputSize(holder));
    const status = holders.status(holder);
    delegator.release(holder);
    return [status, output];
  }

  get counters(): Record<string, number> {
    return readCounters(new Float64Array(this.#counters));
  }

  /** The worker ends when it is told to. */
  async end(): Promise<void> {
    this.tell('drain');
    const [code] = await once(this.worker, 'exit');
    equal(code, 0);
    this.delegator.assertAllFree();
  }

  // A test that failed has not ended its worker.
  async #dispose(): Promise<void> {
    await this.worker.terminate();
    this.#io.destroy();
    for (const fd of this.#fds) closeDescriptor(fd);
  }
}

test('a worker runs what is delegated, awake or asleep, and counts it', async (context) => {
  const fixture = new Fixture(context);
  await fixture.report('ready');
  for (let round = 0; round < 20; round++) {
    fixture.delegate(0, `/echo?${round}`);
    deepEqual(fixture.result(), [200, `/echo?${round} 30`]);
  }
  for (const target of ['/1', '/2', '/3']) fixture.delegate(0, target);
  for (const target of ['/1', '/2', '/3']) deepEqual(fixture.result(), [200, `${target} 30`]);
  await fixture.end();
  // A task is counted after its result was published.
  equal(fixture.counters.tasksRun, 23);
  equal(fixture.counters.tasksFailed, 0);
});

test('a task that fails costs itself only; an async one is awaited', async (context) => {
  const fixture = new Fixture(context);
  await fixture.report('ready');
  fixture.delegate(1, '/throw');
  deepEqual(fixture.result(), [500, '']);
  match((await fixture.report('log')).message, /^task "throw" failed: Error: thrown by a task\n/);
  fixture.delegate(2, '/late');
  deepEqual(fixture.result(), [200, 'late /late']);
  fixture.delegate(0, '/echo');
  deepEqual(fixture.result(), [200, '/echo 30']);
  await fixture.end();
  equal(fixture.counters.tasksFailed, 1);
  equal(fixture.counters.tasksRun, 3);
});

test('a task that waits when the worker starts is run', async (context) => {
  const fixture = new Fixture(context);
  fixture.delegate(0, '/early');
  await fixture.report('ready');
  deepEqual(fixture.result(), [200, '/early 30']);
  await fixture.end();
});

test('a worker that sleeps answers commands: its heap, and its end', async (context) => {
  const fixture = new Fixture(context);
  await fixture.report('ready');
  for (let round = 0; round < 3; round++) {
    fixture.tell('report');
    const { usedBytes, allocatedBytes } = await fixture.report('heap');
    ok(usedBytes > 0 && allocatedBytes > 0);
  }
  await fixture.end();
});

test('a worker whose application cannot be loaded says so, and ends', async (context) => {
  const fixture = new Fixture(context, 'export default 1;');
  const { message, code } = await fixture.report('failed');
  match(message, /defineApp/);
  equal(code, '');
  const [exitCode] = await once(fixture.worker, 'exit');
  equal(exitCode, 0);
});
