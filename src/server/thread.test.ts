import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTERS_SIZE } from '../base/counters.ts';
import type { ServerOptions } from '../base/options.ts';
import type { ThreadPlan } from '../base/thread-plan.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { Thread } from './thread.ts';

const PLAN: ThreadPlan<null> = {
  index: 3,
  backend: 'epoll',
  options: {} as ServerOptions,
  app: 'app',
  delegateMemory: null,
  refusedTasks: new SharedArrayBuffer(8),
  holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
  acceptWakeups: [],
  workerWakeups: [],
  counters: new SharedArrayBuffer(COUNTERS_SIZE),
};

/** A thread that runs `source`; what it logs is pushed to `logged`. */
function start(source: string, logged: string[] = []): Thread {
  const code = `
    import { parentPort, workerData, threadName } from 'node:worker_threads';
    ${source}`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  return new Thread('worker-3', url, PLAN, (name, message) => logged.push(`${name}: ${message}`));
}

test('a thread is ready when it says so, and was given its plan', async () => {
  const thread = start(`
    new Float64Array(workerData.counters)[0] = workerData.index;
    parentPort.postMessage({ kind: 'ready', tasks: [] });`);
  await thread.ready;
  equal(await thread.ended, undefined);
  equal(thread.name, 'worker-3');
  equal(thread.counters[0], 3);
});

test('what a thread logs stands under its name, in order', async () => {
  const logged: string[] = [];
  const thread = start(
    `for (const message of ['one', 'two']) parentPort.postMessage({ kind: 'log', message });`,
    logged,
  );
  await thread.ended;
  deepEqual(logged, ['worker-3: one', 'worker-3: two']);
});

test('commands reach the thread, and its heap comes back', async () => {
  const thread = start(`
    parentPort.on('message', ({ kind }) => {
      if (kind === 'report') {
        parentPort.postMessage({ kind: 'heap', usedBytes: 7, allocatedBytes: 9 });
      }
      if (kind === 'drain') parentPort.close();
    });`);
  const heaps = await Promise.all([thread.heap(), thread.heap()]);
  const heap = { usedBytes: 7, allocatedBytes: 9 };
  deepEqual(heaps, [heap, heap]);
  thread.tell('drain');
  equal(await thread.ended, undefined);
});

test('a thread that is too busy to tell its heap is not waited for', {
  timeout: 10_000,
}, async (context) => {
  const thread = start(`
    parentPort.postMessage({ kind: 'ready', tasks: [] });
    for (;;);`);
  context.after(() => thread.terminate());
  await thread.ready;
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const heap = thread.heap();
  context.mock.timers.tick(1000);
  equal(await heap, undefined);
});

test('a thread that cannot start says why, with an exit code', async () => {
  const failed = { kind: 'failed', message: 'no descriptors', code: 'EMFILE' };
  const thread = start(`parentPort.postMessage(${JSON.stringify(failed)});`);
  await rejects(thread.ready, { name: 'StartError', exitCode: 78 });
  equal(await thread.ended, undefined);
});

test('a thread that throws is not ready, and ends with its error', async () => {
  const thread = start(`throw new RangeError('at start');`);
  await rejects(thread.ready, {
    name: 'StartError',
    exitCode: 1,
    message: 'worker-3 failed to start: RangeError: at start',
  });
  const error = await thread.ended;
  equal(error?.message, 'at start');
});

test('a thread is ended from outside whatever it does', async () => {
  const thread = start(`
    parentPort.postMessage({ kind: 'ready', tasks: [] });
    for (;;);`);
  await thread.ready;
  await thread.terminate();
  equal(await thread.ended, undefined);
});
