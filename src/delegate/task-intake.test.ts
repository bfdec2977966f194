import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { Delegator } from './delegator.ts';
import { createDelegateMemory } from './layout.ts';
import { NO_WAKEUPS } from './no-wakeups.test-data.ts';
import { DONE, RUNNING } from './task-holders.ts';
import { TaskIntake } from './task-intake.ts';

function create() {
  const options = { acceptThreads: 1, workerThreads: 2, holdersPerAcceptThread: 2 };
  const memory = createDelegateMemory({ ...options, holderSize: 128 });
  const woken: number[] = [];
  const wakeups = { ...NO_WAKEUPS, wakeWorker: (worker: number) => woken.push(worker) };
  const intakes = [0, 1].map((worker) => new TaskIntake(memory, worker, wakeups));
  const delegator = new Delegator(memory, 0, wakeups.wakeWorker);
  return { memory, woken, delegator, first: intakes[0]!, second: intakes[1]! };
}

test('a task is taken by one worker only, which then owns its holder', () => {
  const { delegator, first, second } = create();
  equal(first.take(), NONE);
  const holder = delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  equal(second.take(), holder);
  equal(first.take(), NONE);
  equal(second.holders.state(holder), RUNNING);
  equal(second.holders.thread(holder), 2);
  second.holders.setStatus(holder, 200);
  throws(() => first.finish(holder), /changed by its owner/);
  second.finish(holder);
  equal(delegator.holders.state(holder), DONE);
  deepEqual([first.takenCount, second.takenCount, second.finishedCount], [0, 1, 1]);
});

test('a worker that is about to sleep finds the task that was just delegated', () => {
  const { delegator, first } = create();
  equal(first.sleep(), true);
  first.wake();
  delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  equal(first.hasTasks(), true);
  equal(first.sleep(), false);
  delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  equal(delegator.wakeupsCount, 0);
});

test('a worker that was woken and may take no task wakes another one, once', () => {
  const { delegator, woken, first, second } = create();
  first.sleep();
  second.sleep();
  const holder = delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  first.wake();
  deepEqual(woken, [0]);
  first.passOn();
  first.passOn();
  deepEqual(woken, [0, 1]);
  second.wake();
  equal(second.take(), holder);
});

test('a worker that was not woken for a task, or has taken it, wakes nobody', () => {
  const { delegator, woken, first, second } = create();
  first.sleep();
  first.wake();
  second.sleep();
  delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  first.passOn();
  deepEqual(woken, [1]);
  second.wake();
  second.take();
  first.sleep();
  second.passOn();
  deepEqual(woken, [1]);
});

test('misuse is asserted: a task finished without a status, a worker that does not exist', () => {
  const { memory, delegator, first } = create();
  delegator.delegate(0, 0, 0, Buffer.alloc(0), 0, 0);
  const holder = first.take();
  throws(() => first.finish(holder), /has a status/);
  throws(() => new TaskIntake(memory, 2, NO_WAKEUPS), /exists/);
});
