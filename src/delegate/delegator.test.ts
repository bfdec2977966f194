import { deepEqual, equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { Delegator, TOO_LARGE } from './delegator.ts';
import { createDelegateMemory } from './layout.ts';
import { NO_WAKEUPS } from './no-wakeups.test-data.ts';
import type { Task } from './task.ts';
import { FREE, QUEUED } from './task-holders.ts';
import { TaskIntake } from './task-intake.ts';
import { TaskRunner } from './task-runner.ts';
import { noAsync, server } from './task-server.test-data.ts';

const TARGET = Buffer.from('GET /hello HTTP/1.1');
const tasks = [{ name: 'echo', run: (task: Task) => task.end(task.target) }];

class Fixture {
  readonly wokenWorkers: number[] = [];
  readonly wokenAcceptThreads: number[] = [];
  readonly delegators: Delegator[] = [];
  readonly intakes: TaskIntake[] = [];
  readonly runner: TaskRunner;

  constructor(workerThreads: number) {
    const options = { acceptThreads: 2, workerThreads, holdersPerAcceptThread: 3 };
    const memory = createDelegateMemory({ ...options, holderSize: 128 });
    for (const thread of [0, 1]) {
      const wake = (worker: number) => this.wokenWorkers.push(worker);
      this.delegators.push(new Delegator(memory, thread, wake));
    }
    for (let worker = 0; worker < workerThreads; worker++) {
      const wakeAcceptThread = (thread: number) => this.wokenAcceptThreads.push(thread);
      this.intakes.push(new TaskIntake(memory, worker, { ...NO_WAKEUPS, wakeAcceptThread }));
    }
    this.runner = new TaskRunner(
      this.delegators[0]!.holders,
      tasks,
      server,
      (_, error) => {
        throw error;
      },
      noAsync,
    );
  }

  delegate(thread: number, slot = 0): number {
    return this.delegators[thread]!.delegate(0, slot, slot + 100, TARGET, 4, 6);
  }

  /** Worker `index` runs one task. */
  work(index: number): number {
    const holder = this.intakes[index]!.take();
    if (holder === NONE) return NONE;
    this.runner.run(holder);
    this.intakes[index]!.finish(holder);
    return holder;
  }
}

function output(delegator: Delegator, holder: number): string {
  const { holders } = delegator;
  const offset = holders.payloadOffset(holder);
  return holders.bytes.toString('utf8', offset, offset + holders.outputSize(holder));
}

test('a task goes to a worker and its result comes back to its accept thread', () => {
  const fixture = new Fixture(1);
  const [first, second] = fixture.delegators as [Delegator, Delegator];
  const holder = fixture.delegate(1, 7);
  equal(second.holders.state(holder), QUEUED);
  equal(second.hasCompletions(), false);
  equal(fixture.intakes[0]!.hasTasks(), true);
  equal(fixture.work(0), holder);
  equal(first.hasCompletions(), false);
  equal(first.takeCompletions(), false);
  equal(second.hasCompletions(), true);
  equal(second.nextCompletion(), NONE);
  equal(second.takeCompletions(), true);
  equal(second.hasCompletions(), true);
  equal(second.nextCompletion(), holder);
  equal(second.hasCompletions(), false);
  equal(second.holders.exchange(holder), 7);
  equal(second.holders.exchangeGeneration(holder), 107);
  equal(second.holders.status(holder), 200);
  equal(output(second, holder), '/hello');
  equal(second.holdersUsed, 1);
  second.release(holder);
  equal(second.holders.state(holder), FREE);
  second.assertAllFree();
  equal(second.delegatedCount, 1);
  equal(second.completedCount, 1);
});

test('completions come in the order they were done, those taken earlier first', () => {
  const fixture = new Fixture(1);
  const delegator = fixture.delegators[0]!;
  for (let i = 0; i < 3; i++) fixture.delegate(0);
  const done = [fixture.work(0), fixture.work(0)];
  delegator.takeCompletions();
  done.push(fixture.work(0));
  const back = [delegator.nextCompletion()];
  delegator.takeCompletions();
  back.push(delegator.nextCompletion());
  equal(delegator.nextCompletion(), NONE);
  delegator.takeCompletions();
  back.push(delegator.nextCompletion());
  deepEqual(back, done);
});

test('a dry share and an input too large are answers, counted', () => {
  const fixture = new Fixture(1);
  const delegator = fixture.delegators[0]!;
  equal(delegator.delegate(0, 0, 0, Buffer.alloc(65), 0, 65), TOO_LARGE);
  equal(delegator.holdersUsed, 0);
  for (let i = 0; i < 3; i++) fixture.delegate(0);
  equal(fixture.delegate(0), NONE);
  equal(delegator.dryCount, 1);
  equal(delegator.tooLargeCount, 1);
  equal(delegator.delegatedCount, 3);
  equal(delegator.holdersHighWater, 3);
  throws(() => delegator.assertAllFree(), /"task holders": 3/);
  equal(fixture.delegate(1) >= 0, true);
});

test('one sleeping worker is woken for each task, and none that is awake', () => {
  const fixture = new Fixture(3);
  fixture.delegate(0);
  deepEqual(fixture.wokenWorkers, []);
  equal(fixture.intakes[0]!.sleep(), false);
  fixture.work(0);
  for (const intake of fixture.intakes) equal(intake.sleep(), true);
  fixture.intakes[1]!.wake();
  for (let i = 0; i < 2; i++) fixture.delegate(0);
  fixture.delegate(1);
  deepEqual(fixture.wokenWorkers, [0, 2]);
  equal(fixture.delegators[0]!.wakeupsCount, 2);
});

test('the accept thread is woken only while it sleeps', () => {
  const fixture = new Fixture(1);
  const delegator = fixture.delegators[1]!;
  for (let i = 0; i < 3; i++) fixture.delegate(1);
  equal(delegator.sleep(), true);
  fixture.work(0);
  fixture.work(0);
  deepEqual(fixture.wokenAcceptThreads, [1]);
  equal(delegator.sleep(), false);
  delegator.takeCompletions();
  equal(delegator.sleep(), false);
  for (let i = 0; i < 2; i++) delegator.nextCompletion();
  equal(delegator.sleep(), true);
  delegator.wake();
  fixture.work(0);
  deepEqual(fixture.wokenAcceptThreads, [1]);
  equal(fixture.intakes[0]!.wakeupsCount, 1);
});

test('without workers a task runs at once in its holder', () => {
  const fixture = new Fixture(0);
  const delegator = fixture.delegators[0]!;
  const { runner } = fixture;
  const holder = delegator.runInline(runner, 0, 1, 2, TARGET, 4, 6);
  equal(output(delegator, holder), '/hello');
  equal(delegator.holders.status(holder), 200);
  equal(delegator.hasCompletions(), false);
  equal(delegator.runInline(runner, 0, 1, 2, Buffer.alloc(65), 0, 65), TOO_LARGE);
  delegator.release(holder);
  delegator.assertAllFree();
  equal(delegator.completedCount, 1);
  throws(() => fixture.delegate(0), /with no workers/);
});

test('misuse is asserted: a release by another thread, or before the task was done', () => {
  const fixture = new Fixture(1);
  const holder = fixture.delegate(0);
  throws(() => fixture.delegators[1]!.release(holder), /returns home/);
  throws(() => fixture.delegators[0]!.release(holder), /done|owner/);
});

test('an accept thread that asks without end takes neither holders nor cells of another', () => {
  const fixture = new Fixture(1);
  const intake = fixture.intakes[0]!;
  // Many laps of the queue, which has 8 cells.
  for (let round = 0; round < 50; round++) {
    while (fixture.delegate(0) !== NONE);
    const other = fixture.delegate(1);
    notEqual(other, NONE);
    equal(fixture.delegate(0), NONE);
    // First in, first out: no more than a share is before the task of the other.
    const taken = [intake.take(), intake.take(), intake.take(), intake.take()];
    deepEqual(taken.indexOf(other), 3);
    for (const holder of taken) {
      fixture.runner.run(holder);
      intake.finish(holder);
    }
    for (const delegator of fixture.delegators) {
      delegator.takeCompletions();
      for (let holder = delegator.nextCompletion(); holder !== NONE; ) {
        delegator.release(holder);
        holder = delegator.nextCompletion();
      }
      delegator.assertAllFree();
    }
  }
});
