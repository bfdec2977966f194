// A task's whole round allocates nothing: no engine object is made for it.

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { NONE } from '../memory/pool.ts';
import { Delegator } from './delegator.ts';
import { createDelegateMemory } from './layout.ts';
import type { Task } from './task.ts';
import { TaskIntake } from './task-intake.ts';
import { TaskRunner } from './task-runner.ts';
import { noAsync, server } from './task-server.test-data.ts';

const ROUNDS = 100_000;
const MEASUREMENTS = 5;
const BYTES_PER_TASK_MAX = 2;
const BODY_BYTES = Buffer.from('bytes');
const TARGET = Buffer.from('/test/slow');

const memory = createDelegateMemory({
  acceptThreads: 1,
  workerThreads: 1,
  holdersPerAcceptThread: 8,
  queueStart: 2 ** 31 - ROUNDS,
});
let wakeups = 0;
const wake = (): void => {
  wakeups++;
};
const delegator = new Delegator(memory, 0, wake);
const intake = new TaskIntake(memory, 0, { wakeAcceptThread: wake, wakeWorker: wake });
const tasks = [
  { name: 'text', run: (task: Task) => task.end('text') },
  { name: 'bytes', run: (task: Task) => task.end(BODY_BYTES, 201) },
  { name: 'nothing', run: () => {} },
];
const runner = new TaskRunner(intake.holders, tasks, server, () => {}, noAsync);

function delegateRounds(): void {
  for (let round = 0; round < ROUNDS; round++) {
    intake.sleep();
    delegator.delegate(round % 3, round, round, TARGET, 0, TARGET.length);
    delegator.sleep();
    const holder = intake.take();
    runner.run(holder);
    intake.finish(holder);
    delegator.takeCompletions();
    delegator.release(delegator.nextCompletion());
  }
}

function inlineRounds(): void {
  for (let round = 0; round < ROUNDS; round++) {
    delegator.release(delegator.runInline(runner, round % 3, 0, 0, TARGET, 0, TARGET.length));
  }
}

/**
 * Bytes allocated for each round. To ask for the statistics counts as up to a page of its own, so
 * what two questions with nothing between them differ by is subtracted. The least of some
 * measurements, because the compiler's own allocations are in the first ones, while those of a
 * round would be in all.
 */
function bytesPerRound(rounds: () => void): number {
  let least = Infinity;
  for (let i = 0; i < MEASUREMENTS; i++) {
    const first = getHeapStatistics().total_allocated_bytes;
    const before = getHeapStatistics().total_allocated_bytes;
    rounds();
    const after = getHeapStatistics().total_allocated_bytes;
    least = Math.min(least, Math.abs(after - before - (before - first)) / ROUNDS);
  }
  return least;
}

test('delegate, take, run, finish, complete and release allocate nothing', () => {
  const bytes = bytesPerRound(delegateRounds);
  ok(bytes < BYTES_PER_TASK_MAX, `${bytes} bytes for each task`);
  equal(delegator.nextCompletion(), NONE);
  equal(wakeups, 2 * MEASUREMENTS * ROUNDS);
  equal(runner.failedCount, 0);
});

test('a task run inline allocates nothing', () => {
  const bytes = bytesPerRound(inlineRounds);
  ok(bytes < BYTES_PER_TASK_MAX, `${bytes} bytes for each task`);
});

test('the measurement sees an object for each round', () => {
  const kept: object[] = [];
  const bytes = bytesPerRound(() => {
    for (let round = 0; round < ROUNDS; round++) kept[round & 7] = { round };
  });
  ok(bytes >= 16, `${bytes} bytes for each object`);
});
