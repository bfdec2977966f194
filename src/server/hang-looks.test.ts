import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Delegator } from '../delegate/delegator.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { NO_WAKEUPS } from '../delegate/no-wakeups.test-data.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { HangLooks, IDLE_LOOKS_MAX, LateRun } from './hang-looks.ts';

// Looks until there are no more; answers how many there were.
function looks(hangLooks: HangLooks, taken: number): number {
  let count = 0;
  while (hangLooks.begin(taken)) count++;
  equal(hangLooks.begin(taken), false);
  return count;
}

test('looking stops when no task was taken for some looks, and begins again with the next', () => {
  const hangLooks = new HangLooks();
  equal(looks(hangLooks, 0), IDLE_LOOKS_MAX);
  for (const taken of [1, 7, -5]) equal(looks(hangLooks, taken), IDLE_LOOKS_MAX);
});

test('looking goes on as long as a task runs', () => {
  const hangLooks = new HangLooks();
  for (let look = 0; look < 3 * IDLE_LOOKS_MAX; look++) {
    equal(hangLooks.begin(1), true);
    hangLooks.foundRunning();
  }
  equal(looks(hangLooks, 1), IDLE_LOOKS_MAX);
});

test('what was late goes on until it ends or puts its deadline off, whoever is next', () => {
  const memory = createDelegateMemory({
    acceptThreads: 1,
    workerThreads: 2,
    holdersPerAcceptThread: 1,
  });
  const delegator = new Delegator(memory, 0, () => {});
  const { holders } = delegator;
  const intakes = [0, 1].map((worker) => new TaskIntake(memory, worker, NO_WAKEUPS));
  const begin = (worker: number, deadlineMs: number): LateRun => {
    delegator.delegate(3, 1, 7, Buffer.from('/'), 0, 1, deadlineMs);
    return new LateRun(holders, intakes[worker]!.take());
  };
  const end = (worker: number): void => {
    holders.setStatus(0, 200);
    intakes[worker]!.finish(0);
    delegator.takeCompletions();
    delegator.release(delegator.nextCompletion());
  };
  const runs = [begin(0, 1000)];
  equal(runs[0]!.task, 3);
  equal(runs[0]!.goesOn, true);
  end(0);
  equal(runs[0]!.goesOn, false);
  // The next in its holder: later, or by another thread.
  runs.push(begin(0, 1500));
  deepEqual([runs[0]!.goesOn, runs[1]!.goesOn], [false, true]);
  end(0);
  runs.push(begin(1, 1500));
  deepEqual([runs[1]!.goesOn, runs[2]!.goesOn], [false, true]);
  holders.setDeadline(0, 2000);
  equal(runs[2]!.goesOn, false);
  end(1);
});
