import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { createDelegateMemory } from './layout.ts';
import { acceptSleepers, Sleepers, workerSleepers } from './sleepers.ts';
import { TaskHolders } from './task-holders.ts';
import { TaskQueue } from './task-queue.ts';

test('a sleeper is claimed once, by number or by anybody, lowest first', () => {
  const sleepers = new Sleepers(new Int32Array(new SharedArrayBuffer(12)), 1, 64);
  equal(sleepers.claimAny(), NONE);
  for (const index of [63, 31, 40, 7]) sleepers.sleep(index);
  equal(sleepers.claim(40), true);
  equal(sleepers.claim(40), false);
  equal(sleepers.wake(7), true);
  equal(sleepers.wake(7), false);
  deepEqual([sleepers.claimAny(), sleepers.claimAny(), sleepers.claimAny()], [31, 63, NONE]);
  throws(() => sleepers.sleep(64), /has a bit/);
  throws(() => sleepers.claim(-1), /has a bit/);
});

test('workers and accept threads have bitmaps of their own', () => {
  const threads = { acceptThreads: 40, workerThreads: 70 };
  const memory = createDelegateMemory({ ...threads, holdersPerAcceptThread: 1 });
  const [workers, acceptThreads] = [workerSleepers(memory), acceptSleepers(memory)];
  for (let i = 0; i < 70; i++) workers.sleep(i);
  equal(acceptThreads.claimAny(), NONE);
  for (let i = 0; i < 40; i++) acceptThreads.sleep(i);
  for (let i = 0; i < 70; i++) equal(workers.claimAny(), i);
  equal(workers.claimAny(), NONE);
  for (let i = 0; i < 40; i++) equal(acceptThreads.claim(i), true);
});

// The interleavings: threads are generators, one atomic operation between two yields, and a seeded
// scheduler picks the one that goes next. A generator that yields false cannot go on for now.

type Thread = Generator<boolean, void>;

/** Runs until no thread can go on. Mulberry32, a published 32-bit generator. */
function interleave(seed: number, threads: Thread[]): void {
  let state = seed;
  const stuck = new Set<Thread>();
  const alive = new Set(threads);
  while (stuck.size < alive.size) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const candidates = [...alive];
    const thread = candidates[((mixed ^ (mixed >>> 14)) >>> 0) % candidates.length]!;
    const { done, value } = thread.next();
    if (done) alive.delete(thread);
    if (value === false) stuck.add(thread);
    else stuck.clear();
  }
}

type Outcome = { queued: number; taken: number; wakeups: number };

/**
 * Each producer pushes `tasks`; each worker takes at most `takes` and is busy for ever after that.
 * `careful` workers look for work once more after they announced their sleep.
 */
function simulate(seed: number, workers: number, tasks: number, takes: number, careful: boolean) {
  const producers = 2;
  const memory = createDelegateMemory({
    acceptThreads: producers,
    workerThreads: workers,
    holdersPerAcceptThread: tasks,
    holderSize: 128,
  });
  const holders = new TaskHolders(memory);
  const queue = new TaskQueue(memory, holders);
  const sleepers = workerSleepers(memory);
  const eventfds = new Uint8Array(workers);
  const outcome: Outcome = { queued: 0, taken: 0, wakeups: 0 };

  function* producer(thread: number): Thread {
    for (let i = 0; i < tasks; i++) {
      const holder = thread * tasks + i;
      holders.build(holder, thread, 0, 0, 0);
      queue.push(holder, thread);
      yield true;
      const worker = sleepers.claimAny();
      yield true;
      if (worker === NONE) continue;
      eventfds[worker] = 1;
      outcome.wakeups++;
      yield true;
    }
  }

  function* worker(index: number): Thread {
    for (let taken = 0; taken < takes; ) {
      const holder = queue.take(producers + index);
      yield true;
      if (holder !== NONE) {
        taken++;
        outcome.taken++;
        continue;
      }
      sleepers.sleep(index);
      yield true;
      const found = careful && queue.hasTasks();
      yield true;
      while (!found && eventfds[index] === 0) yield false;
      if (!found) eventfds[index] = 0;
      sleepers.wake(index);
      yield true;
    }
  }

  const threads: Thread[] = [];
  for (let thread = 0; thread < producers; thread++) threads.push(producer(thread));
  for (let index = 0; index < workers; index++) threads.push(worker(index));
  interleave(seed, threads);
  outcome.queued = queue.size;
  return outcome;
}

test('no wake-up is lost, in 3000 interleavings', () => {
  for (let seed = 0; seed < 3000; seed++) {
    const outcome = simulate(seed, 1 + (seed % 3), 4, Infinity, true);
    equal(outcome.queued, 0, `seed ${seed}`);
    equal(outcome.taken, 8);
  }
});

test('one wake-up for each task is enough: no worker sleeps beside a task', () => {
  for (let seed = 0; seed < 3000; seed++) {
    // Three workers that are busy for ever after one task each: three tasks must be taken.
    const outcome = simulate(seed, 3, 1 + (seed % 3), 1, true);
    equal(outcome.taken, Math.min(3, 2 * (1 + (seed % 3))), `seed ${seed}`);
    ok(outcome.wakeups <= 6);
  }
});

test('the interleavings find the lost wake-up of a worker that does not look again', () => {
  let lost = 0;
  for (let seed = 0; seed < 300; seed++) {
    if (simulate(seed, 2, 4, Infinity, false).queued > 0) lost++;
  }
  notEqual(lost, 0);
});
