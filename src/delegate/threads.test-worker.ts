// One thread of `threads.test.ts`: an accept thread or a worker; a shared word is its eventfd.

import { equal } from 'node:assert/strict';
import { workerData } from 'node:worker_threads';
import { NONE } from '../memory/pool.ts';
import { Delegator } from './delegator.ts';
import type { DelegateMemory } from './layout.ts';
import { TaskIntake } from './task-intake.ts';
import { TaskRunner } from './task-runner.ts';
import { noAsync, server } from './task-server.test-data.ts';

export type ThreadData = {
  memory: DelegateMemory;
  role: 'accept' | 'worker';
  index: number;
  tasksPerAcceptThread: number;
  /** A word for each thread, then: accept threads that ended, tasks that ran. */
  control: Int32Array<SharedArrayBuffer>;
  /** The numbers of the tasks in the order they ran. */
  log: Int32Array<SharedArrayBuffer>;
};

const LOST_WAKEUP_MS = 20_000;

const { memory, role, index, tasksPerAcceptThread, control, log } = workerData as ThreadData;
const { acceptThreads, workerThreads } = memory.options;
const ENDED = acceptThreads + workerThreads;
const RAN = ENDED + 1;

if (role === 'accept') accept();
else work();

function signal(thread: number): void {
  Atomics.store(control, thread, 1);
  Atomics.notify(control, thread);
}

/** Blocks until signalled, as a read of an eventfd. */
function block(thread: number): void {
  while (Atomics.exchange(control, thread, 0) === 0) {
    const outcome = Atomics.wait(control, thread, 0, LOST_WAKEUP_MS);
    if (outcome === 'timed-out') throw new Error(`${role} ${index} was never woken`);
  }
}

function accept(): void {
  const delegator = new Delegator(memory, index, (worker) => signal(acceptThreads + worker));
  const { holders } = delegator;
  const input = Buffer.alloc(32);
  const back = new Uint8Array(tasksPerAcceptThread);
  let completed = 0;
  let next = 0;
  while (completed < tasksPerAcceptThread) {
    while (next < tasksPerAcceptThread) {
      const number = index * tasksPerAcceptThread + next;
      const size = input.write(String(number));
      if (delegator.delegate(0, next, number, input, 0, size) === NONE) break;
      next++;
    }
    if (!delegator.takeCompletions()) {
      if (delegator.sleep()) block(index);
      delegator.wake();
      continue;
    }
    let holder = delegator.nextCompletion();
    for (; holder !== NONE; holder = delegator.nextCompletion()) {
      const slot = holders.exchange(holder);
      const offset = holders.payloadOffset(holder);
      const end = offset + holders.outputSize(holder);
      const number = index * tasksPerAcceptThread + slot;
      equal(holders.exchangeGeneration(holder), number);
      equal(holders.status(holder), 201);
      equal(holders.bytes.toString('latin1', offset, end), `<${number}>`);
      equal(back[slot], 0);
      back[slot] = 1;
      completed++;
      delegator.release(holder);
    }
  }
  delegator.assertAllFree();
  equal(back.indexOf(0), -1);
  Atomics.add(control, ENDED, 1);
  for (let worker = 0; worker < workerThreads; worker++) signal(acceptThreads + worker);
}

function work(): void {
  const intake = new TaskIntake(memory, index, {
    wakeAcceptThread: signal,
    wakeWorker: (worker) => signal(acceptThreads + worker),
  });
  const echo = {
    name: 'echo',
    run: (task: { target: string; end(body: string, status: number): boolean }) => {
      log[Atomics.add(control, RAN, 1)] = Number(task.target);
      task.end(`<${task.target}>`, 201);
    },
  };
  const runner = new TaskRunner(
    intake.holders,
    [echo],
    server,
    (_, error) => {
      throw error;
    },
    noAsync,
  );
  while (Atomics.load(control, ENDED) < acceptThreads) {
    let holder = intake.take();
    for (; holder !== NONE; holder = intake.take()) {
      runner.run(holder);
      intake.finish(holder);
    }
    if (intake.sleep()) block(acceptThreads + index);
    intake.wake();
  }
}
