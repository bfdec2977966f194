import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { VERIFY } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { CompletionStack } from './completion-stack.ts';
import { createDelegateMemory, delegateLayout } from './layout.ts';
import { TaskHolders } from './task-holders.ts';

const memory = createDelegateMemory({
  acceptThreads: 2,
  workerThreads: 1,
  holdersPerAcceptThread: 4,
  holderSize: 128,
});
const holders = new TaskHolders(memory);
const stacks = [0, 1].map((thread) => new CompletionStack(memory, holders, thread));
for (let holder = 0; holder < 8; holder++) {
  holders.build(holder, 0, 0, 0, 0);
  holders.runInline(holder, 0);
  holders.setStatus(holder, 200);
  if (holder < 7) holders.markDone(holder, 0);
}

function takeAll(thread: number): number[] {
  const taken: number[] = [];
  let holder = stacks[thread]!.takeAll();
  for (; holder !== NONE; holder = stacks[thread]!.next(holder)) taken.push(holder);
  return taken;
}

test('all is taken at once, oldest first, and nothing twice', () => {
  equal(stacks[0]!.isEmpty(), true);
  deepEqual(takeAll(0), []);
  for (const holder of [2, 0, 3]) stacks[0]!.push(holder);
  equal(stacks[0]!.isEmpty(), false);
  deepEqual(takeAll(0), [2, 0, 3]);
  equal(stacks[0]!.isEmpty(), true);
  stacks[0]!.push(1);
  deepEqual(takeAll(0), [1]);
});

test('each accept thread has its own', () => {
  stacks[1]!.push(4);
  stacks[0]!.push(0);
  deepEqual(takeAll(1), [4]);
  deepEqual(takeAll(0), [0]);
});

test('two pushes at once lose neither holder', (context) => {
  // Another worker pushes between the first look at `top` and its replacement.
  const { completions } = delegateLayout(memory.options);
  const load = context.mock.method(Atomics, 'load');
  load.mock.mockImplementation(((words: Int32Array, at: number) => {
    const found = words[at]!;
    if (at === completions) {
      load.mock.restore();
      stacks[0]!.push(2);
    }
    return found;
  }) as typeof Atomics.load);
  stacks[0]!.push(1);
  deepEqual(takeAll(0), [2, 1]);
});

test('misuse is asserted: a task that runs, a holder of another thread, a cycle', () => {
  throws(() => stacks[1]!.push(7), /only a task that is done/);
  throws(() => stacks[0]!.push(4), /returns home/);
  throws(() => new CompletionStack(memory, holders, 2), /exists/);
});

test('a holder pushed twice is asserted', { skip: !VERIFY && 'needs MILLRACE_VERIFY=1' }, () => {
  for (const holder of [5, 6, 5]) stacks[1]!.push(holder);
  throws(() => stacks[1]!.takeAll(), /no cycle/);
});
