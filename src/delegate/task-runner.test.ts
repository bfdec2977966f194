import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.ts';
import { createDelegateMemory } from './layout.ts';
import type { Task } from './task.ts';
import { TaskHolders } from './task-holders.ts';
import { type TaskFunction, TaskRunner } from './task-runner.ts';
import { server } from './task-server.test-data.ts';

type Report = { name: string; error: unknown };

/** Runs one task; `holders` then has its result in holder 0. */
function run(task: TaskFunction) {
  const options = { acceptThreads: 1, workerThreads: 0, holdersPerAcceptThread: 1 };
  const holders = new TaskHolders(createDelegateMemory({ ...options, holderSize: 128 }));
  const reports: Report[] = [];
  const tasks = [
    { name: 'other', run: () => {} },
    { name: 'mine', run: task },
  ];
  const done: number[] = [];
  const runner = new TaskRunner(
    holders,
    tasks,
    server,
    (name, error) => reports.push({ name, error }),
    (holder) => done.push(holder),
  );
  holders.build(0, 0, 1, 0, 0);
  holders.setInput(0, Buffer.from('/target'), 0, 7);
  throws(() => runner.run(0), /by the owner/);
  holders.runInline(0, 0);
  const isDone = runner.run(0);
  return {
    isDone,
    done,
    holders,
    runner,
    reports,
    status: holders.status(0),
    size: holders.outputSize(0),
  };
}

test('the function named by the holder gets its task and leaves the result', () => {
  const { status, size, reports, runner } = run((task) => task.end(`${task.name} ${task.target}`));
  equal(status, 200);
  equal(size, 'mine /target'.length);
  deepEqual(reports, []);
  equal(runner.ranCount, 1);
});

test('a function that ends nothing ends its task with 200 and no body', () => {
  const { status, size, reports } = run(() => {});
  deepEqual([status, size, reports.length], [200, 0, 0]);
});

test('a throw is 500 with no output, even after `end`', () => {
  const mistake = new Error('mistake');
  const { status, size, reports, runner } = run((task) => {
    task.end('output');
    throw mistake;
  });
  deepEqual([status, size], [500, 0]);
  deepEqual(reports, [{ name: 'mine', error: mistake }]);
  equal(runner.failedCount, 1);
});

test('a throw of undefined is a failure too', () => {
  const { status, reports } = run(() => {
    throw undefined;
  });
  equal(status, 500);
  deepEqual(reports, [{ name: 'mine', error: undefined }]);
});

test('an async task is done when its promise settles, and others run meanwhile', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { isDone, done, holders } = run(async (task) => {
    await promise;
    task.end(`late ${task.target}`, 201);
  });
  equal(isDone, false);
  await null;
  deepEqual(done, []);
  resolve();
  await promise;
  // The handlers of a promise that was awaited before run before those after.
  await new Promise((next) => setImmediate(next));
  deepEqual(done, [0]);
  deepEqual([holders.status(0), holders.outputSize(0)], [201, 'late /target'.length]);
});

test('an async task that is rejected is 500, and its error is reported once', async () => {
  const mistake = new Error('mistake');
  const { isDone, done, holders, reports } = run(async () => {
    throw mistake;
  });
  equal(isDone, false);
  await new Promise((next) => setImmediate(next));
  deepEqual(done, [0]);
  equal(holders.status(0), 500);
  deepEqual(reports, [{ name: 'mine', error: mistake }]);
});

test('a result that does not fit is 500 and reported', () => {
  const { status, size, reports } = run((task) => task.end('x'.repeat(65)));
  deepEqual([status, size], [500, 0]);
  match(String(reports[0]!.error), /the result has 65 bytes, and a task holder 64/);
});

test('the task is of no use after its function returned', () => {
  let kept: Task | undefined;
  run((task) => {
    kept = task;
  });
  throws(() => kept!.end('late'), /used after it ended/);
});

test('an assertion of the engine is not a failure of the task', () => {
  throws(
    () =>
      run(() => {
        throw new AssertionError('broken');
      }),
    /broken/,
  );
});

test('misuse is asserted: two tasks of one name, a task with no function', () => {
  const options = { acceptThreads: 1, workerThreads: 0, holdersPerAcceptThread: 1 };
  const holders = new TaskHolders(createDelegateMemory(options));
  const same = { name: 'same', run: () => {} };
  throws(
    () =>
      new TaskRunner(
        holders,
        [same, same],
        server,
        () => {},
        () => {},
      ),
    /distinct/,
  );
  holders.build(0, 0, 1, 0, 0);
  holders.runInline(0, 0);
  throws(
    () =>
      new TaskRunner(
        holders,
        [same],
        server,
        () => {},
        () => {},
      ).run(0),
    /has a function/,
  );
});

test('an async task resolves to its result; JSON that fails is 500 and reported', async () => {
  const { holders } = run(async () => ({ a: 1 }));
  await new Promise((next) => setImmediate(next));
  const offset = holders.payloadOffset(0);
  equal(holders.bytes.toString('utf8', offset, offset + holders.outputSize(0)), '{"a":1}');
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const failed = run(() => cyclic);
  deepEqual([failed.status, failed.reports.length], [500, 1]);
  const large = run(() => new Uint8Array(66));
  deepEqual([large.status, large.size], [500, 0]);
  match(String(large.reports[0]!.error), /the result has 66 bytes, and a task holder 64/);
});

for (const [what, status, then] of [
  ['throws', 500, { value: fails }],
  ['cannot be read', 500, { get: fails }],
  ['resolves, and then again', 200, { value: twice }],
] as const) {
  test(`a result whose then ${what} settles its task once, with ${status}`, async () => {
    const { done, isDone, holders, runner } = run(() => Object.defineProperty({}, 'then', then));
    for (let round = 0; round < 5; round++) await null;
    equal(isDone ? 1 : done.length, 1);
    equal(holders.status(0), status);
    equal(runner.failedCount, status === 500 ? 1 : 0);
  });
}

function fails(): never {
  throw new Error('thrown by then');
}

// It resolves, and then all else that it must not do.
function twice(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  resolve(1);
  resolve(2);
  reject(new Error('too late'));
  fails();
}
