import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { createDelegateMemory, delegateLayout } from './layout.ts';
import { QUEUED, RUNNING, TaskHolders } from './task-holders.ts';
import { TaskQueue } from './task-queue.ts';

const WORKER = 1;
const HOLDERS = 6;

class Fixture {
  readonly holders: TaskHolders;
  readonly queue: TaskQueue;
  readonly words: Int32Array;
  readonly tail: number;

  constructor(queueStart = 0) {
    const threads = { acceptThreads: 1, workerThreads: 1 };
    const options = { ...threads, holdersPerAcceptThread: HOLDERS, holderSize: 128, queueStart };
    const memory = createDelegateMemory(options);
    this.holders = new TaskHolders(memory);
    this.queue = new TaskQueue(memory, this.holders);
    this.words = new Int32Array(memory.buffer);
    this.tail = delegateLayout(options).tail;
  }

  push(holder: number): number {
    this.holders.build(holder, 0, 0, 0, 0);
    return this.queue.push(holder, 0);
  }

  /** Takes a task and gives its holder back. */
  take(): number {
    const holder = this.queue.take(WORKER);
    if (holder !== NONE) this.finish(holder);
    return holder;
  }

  /** The accept thread wants a task back that no worker has begun. */
  takeBack(holder: number): void {
    equal(this.holders.tryTakeBack(holder, 0), true);
    this.finish(holder, 0);
  }

  finish(holder: number, thread = WORKER): void {
    this.holders.setStatus(holder, 200);
    this.holders.markDone(holder, thread);
    this.holders.markFree(holder);
  }
}

// Positions wrap from 2^31 - 1 to -2^31 and from -1 to 0; the lap of 8 cells is 18 bits wide, so
// it wraps every 2^21 positions; and a queue may begin in the middle of a lap.
const STARTS = [0, 5, 2 ** 31 - 3, -3, 2 ** 21 - 3, -(2 ** 21) - 3];

test('first in, first out, over many laps, wherever positions begin', () => {
  for (const start of STARTS) {
    const fixture = new Fixture(start);
    const expected: number[] = [];
    equal(fixture.queue.capacity, 8);
    equal(fixture.take(), NONE);
    let next = 0;
    for (let round = 0; round < 200; round++) {
      const count = 1 + (round % HOLDERS);
      for (let i = 0; i < count; i++) {
        equal(fixture.push(next), 1);
        expected.push(next);
        next = (next + 1) % HOLDERS;
      }
      equal(fixture.queue.size, count);
      equal(fixture.queue.hasTasks(), true);
      while (expected.length > 0) equal(fixture.take(), expected.shift());
      equal(fixture.queue.hasTasks(), false);
      equal(fixture.take(), NONE);
    }
  }
});

test('what was taken is counted, and what is queued is not', () => {
  const fixture = new Fixture(-2);
  for (const taken of [-2, -1, 0, 1]) {
    equal(fixture.queue.taken, taken);
    fixture.push(0);
    equal(fixture.queue.taken, taken);
    fixture.take();
  }
});

test('what an earlier lap left in a cell is not an entry', () => {
  for (const start of STARTS) {
    const fixture = new Fixture(start);
    for (let i = 0; i < 40; i++) {
      equal(fixture.take(), NONE);
      fixture.push(i % HOLDERS);
      equal(fixture.take(), i % HOLDERS);
    }
  }
});

test('a position claimed and not published hides those behind it until it is filled', () => {
  const fixture = new Fixture(-2);
  // The claim of a producer that goes no further, for now.
  Atomics.add(fixture.words, fixture.tail, 1);
  equal(fixture.push(1), 1);
  equal(fixture.push(2), 1);
  equal(fixture.queue.hasTasks(), false);
  equal(fixture.take(), NONE);
  equal(fixture.queue.size, 3);
  // It died: the repair fills the hole, here with a holder that is not queued.
  equal(fixture.queue.fillHoles(0), 1);
  equal(fixture.queue.fillHoles(0), 0);
  deepEqual([fixture.take(), fixture.take(), fixture.take()], [1, 2, NONE]);
  equal(fixture.queue.fillHoles(0), 0);
});

test('a hole filled with a queued holder runs that task once', () => {
  const fixture = new Fixture();
  Atomics.add(fixture.words, fixture.tail, 1);
  fixture.push(1);
  fixture.push(2);
  equal(fixture.queue.fillHoles(2), 1);
  deepEqual([fixture.take(), fixture.take(), fixture.take()], [2, 1, NONE]);
});

test('a producer whose position was filled by mistake claims another', () => {
  const fixture = new Fixture(2 ** 31 - 1);
  const { words, tail, queue } = fixture;
  const add = Atomics.add;
  const position = Atomics.load(words, tail);
  // Between the claim and the publication, the repair comes along.
  Atomics.add = ((array: Int32Array, index: number, value: number) => {
    Atomics.add = add;
    const claimed = add(array, index, value);
    equal(queue.fillHoles(0), 1);
    return claimed;
  }) as typeof Atomics.add;
  try {
    equal(fixture.push(3), 1);
  } finally {
    Atomics.add = add;
  }
  equal(fixture.holders.queuePosition(3), (position + 1) | 0);
  deepEqual([fixture.take(), fixture.take()], [3, NONE]);
});

test('a push wakes one worker for each task it kept hidden', () => {
  const fixture = new Fixture();
  fixture.holders.build(4, 0, 0, 0, 0);
  const add = Atomics.add;
  // Another producer claims and publishes while ours is between its claim and its publication.
  Atomics.add = ((array: Int32Array, index: number, value: number) => {
    Atomics.add = add;
    const claimed = add(array, index, value);
    equal(fixture.push(5), 1);
    equal(fixture.take(), NONE);
    return claimed;
  }) as typeof Atomics.add;
  try {
    equal(fixture.queue.push(4, 0), 2);
  } finally {
    Atomics.add = add;
  }
  deepEqual([fixture.take(), fixture.take(), fixture.take()], [4, 5, NONE]);
});

test('a queue that moved on by a lap while a worker looked is not empty', () => {
  for (const look of [(q: TaskQueue) => q.take(WORKER) === 3, (q: TaskQueue) => q.hasTasks()]) {
    const fixture = new Fixture();
    const load = Atomics.load;
    fixture.push(0);
    // After the worker read `head`, others take the entry there and reuse its cell.
    Atomics.load = ((array: Int32Array, index: number) => {
      Atomics.load = load;
      const head = load(array, index);
      for (let i = 0; i < 8; i++) {
        fixture.take();
        fixture.push(i === 7 ? 3 : 1);
      }
      return head;
    }) as typeof Atomics.load;
    try {
      equal(look(fixture.queue), true);
    } finally {
      Atomics.load = load;
    }
  }
});

test('tasks that are taken back fill no cells, however many they are', () => {
  for (const start of STARTS) {
    const fixture = new Fixture(start);
    const { queue } = fixture;
    for (let round = 0; round < 5 * queue.capacity; round++) {
      for (let holder = 0; holder < HOLDERS; holder++) {
        fixture.push(holder);
        fixture.takeBack(holder);
      }
      equal(queue.size, HOLDERS);
    }
    fixture.push(4);
    fixture.push(1);
    // Each has the place of the first that was taken back.
    deepEqual([fixture.take(), fixture.take(), fixture.take()], [1, 4, NONE]);
    equal(queue.size, 0);
    fixture.push(4);
    deepEqual([fixture.take(), fixture.take()], [4, NONE]);
  }
});

test('a task that has the place of one taken back is not lost when a worker passes it', () => {
  // Before the new task is queued, or after it: the worker looks for it there, or does not.
  for (const finds of [false, true]) {
    const fixture = new Fixture();
    const { holders, queue } = fixture;
    fixture.push(3);
    fixture.takeBack(3);
    holders.build(3, 0, 0, 0, 0);
    const { markQueued } = holders;
    let taken = NONE;
    holders.markQueued = (holder, thread, position) => {
      if (!finds) taken = queue.take(WORKER);
      markQueued.call(holders, holder, thread, position);
      if (finds) taken = queue.take(WORKER);
    };
    queue.push(3, 0);
    holders.markQueued = markQueued;
    equal(taken, finds ? 3 : NONE);
    equal(queue.take(WORKER), finds ? NONE : 3);
    equal(queue.size, 0);
  }
});

test('a worker that died after it took the entry leaves a QUEUED holder behind `head`', () => {
  const fixture = new Fixture();
  const { holders, queue } = fixture;
  const tryRun = holders.tryRun;
  fixture.push(2);
  holders.tryRun = () => {
    throw new Error('terminated');
  };
  throws(() => queue.take(WORKER), /terminated/);
  holders.tryRun = tryRun;
  equal(queue.take(WORKER), NONE);
  equal(holders.state(2), QUEUED);
  equal(holders.tryRun(2, 0), true);
  equal(holders.state(2), RUNNING);
});
