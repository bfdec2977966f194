// Real threads: every task runs exactly once and comes back to the accept thread it came from.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createDelegateMemory } from './layout.ts';
import type { ThreadData } from './threads.test-worker.ts';

/** Answers the numbers of the tasks in the order they ran. */
async function run(
  acceptThreads: number,
  workerThreads: number,
  tasksPerAcceptThread: number,
): Promise<Int32Array> {
  const memory = createDelegateMemory({
    acceptThreads,
    workerThreads,
    holdersPerAcceptThread: 6,
    holderSize: 128,
    queueStart: 2 ** 31 - 5000,
  });
  const threads = acceptThreads + workerThreads;
  const control = new Int32Array(new SharedArrayBuffer((threads + 2) * 4));
  const log = new Int32Array(new SharedArrayBuffer(acceptThreads * tasksPerAcceptThread * 4));
  const shared = { memory, tasksPerAcceptThread, control, log };
  const ends: Promise<void>[] = [];
  for (let thread = 0; thread < threads; thread++) {
    const data: ThreadData =
      thread < acceptThreads
        ? { ...shared, role: 'accept', index: thread }
        : { ...shared, role: 'worker', index: thread - acceptThreads };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const url = new URL('./threads.test-worker.ts', import.meta.url);
    const worker = new Worker(url, { workerData: data });
    worker.once('error', reject);
    worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error('a thread failed'))));
    ends.push(promise);
  }
  await Promise.all(ends);
  equal(control[threads + 1], log.length);
  return log;
}

test('20,000 tasks of two accept threads run once each on two workers', async () => {
  const log = await run(2, 2, 10_000);
  const expected = Int32Array.from(log.keys());
  deepEqual(log.toSorted(), expected);
});

test('one worker runs the tasks of one accept thread in their order', async () => {
  const log = await run(1, 1, 10_000);
  deepEqual(log, Int32Array.from(log.keys()));
});

test('one worker runs the tasks of each of two accept threads in their order', async () => {
  const log = await run(2, 1, 5000);
  for (const thread of [0, 1]) {
    const own = log.filter((number) => Math.trunc(number / 5000) === thread);
    deepEqual(own, own.toSorted());
    equal(own.length, 5000);
  }
});
