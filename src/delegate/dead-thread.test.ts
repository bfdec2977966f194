import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { repairDeadAcceptThread, repairDeadWorker } from './dead-thread.ts';
import { Delegator } from './delegator.ts';
import { createDelegateMemory, type DelegateMemory } from './layout.ts';
import { NO_WAKEUPS } from './no-wakeups.test-data.ts';
import { workerSleepers } from './sleepers.ts';
import { DONE, ORPHANED, QUEUED, RUNNING, TaskHolders } from './task-holders.ts';
import { TaskIntake } from './task-intake.ts';
import { TaskQueue } from './task-queue.ts';

/** Two accept threads and three workers, the second of which dies. */
class Fixture {
  readonly memory: DelegateMemory = createDelegateMemory({
    acceptThreads: 2,
    workerThreads: 3,
    holdersPerAcceptThread: 3,
    holderSize: 128,
  });
  readonly delegators = [0, 1].map((index) => new Delegator(this.memory, index, () => {}));
  readonly intakes = [0, 1, 2].map((index) => new TaskIntake(this.memory, index, NO_WAKEUPS));
  readonly holders = new TaskHolders(this.memory);
  woken: string[] = [];

  delegate(acceptThread: number, slot = 0, deadlineMs = 0): number {
    const delegator = this.delegators[acceptThread]!;
    return delegator.delegate(0, slot, 7, Buffer.from('/in'), 0, 3, deadlineMs);
  }

  repair(nowMs = 0): [failed: number, requeued: number] {
    this.woken = [];
    const wakeups = {
      wakeAcceptThread: (index: number) => this.woken.push(`accept-${index}`),
      wakeWorker: (index: number) => this.woken.push(`worker-${index}`),
    };
    const { failed, requeued } = repairDeadWorker(this.memory, 1, wakeups, nowMs);
    return [failed, requeued];
  }

  finish(worker: number, holder: number): void {
    this.holders.setStatus(holder, 200);
    this.intakes[worker]!.finish(holder);
  }

  /** The results that an accept thread finds, its holders given back. */
  results(acceptThread: number): { slot: number; status: number; size: number }[] {
    const delegator = this.delegators[acceptThread]!;
    const results: { slot: number; status: number; size: number }[] = [];
    delegator.takeCompletions();
    for (let holder = delegator.nextCompletion(); holder !== NONE; ) {
      results.push({
        slot: this.holders.exchange(holder),
        status: this.holders.status(holder),
        size: this.holders.outputSize(holder),
      });
      delegator.release(holder);
      holder = delegator.nextCompletion();
    }
    return results;
  }
}

test('the task of a dead worker fails, at the accept thread that delegated it', () => {
  const fixture = new Fixture();
  fixture.delegate(0, 4);
  fixture.delegate(1, 5);
  const other = fixture.intakes[0]!.take();
  const lost = fixture.intakes[1]!.take();
  // It died after the output was written, and before the task had ended.
  fixture.holders.setStatus(lost, 200);
  fixture.holders.setOutput(lost, 'half');
  deepEqual(fixture.repair(), [1, 0]);
  equal(fixture.holders.state(lost), DONE);
  deepEqual(fixture.results(1), [{ slot: 5, status: 500, size: 0 }]);
  deepEqual(fixture.results(0), []);
  equal(fixture.holders.state(other), RUNNING);
  fixture.finish(0, other);
  deepEqual(fixture.results(0), [{ slot: 4, status: 200, size: 0 }]);
  deepEqual(fixture.repair(), [0, 0]);
  for (const delegator of fixture.delegators) delegator.assertAllFree();
});

test('a task that was late when its worker was ended is late, and has not failed', () => {
  const fixture = new Fixture();
  fixture.delegate(1, 5, 1000);
  fixture.intakes[1]!.take();
  deepEqual(fixture.repair(1000), [1, 0]);
  deepEqual(fixture.results(1), [{ slot: 5, status: 504, size: 0 }]);
  fixture.delegate(1, 5, 1001);
  fixture.intakes[1]!.take();
  deepEqual(fixture.repair(1000), [1, 0]);
  deepEqual(fixture.results(1), [{ slot: 5, status: 500, size: 0 }]);
});

test('a thread died of the task whose code had it, or of the only one that ran', () => {
  const fixture = new Fixture();
  const { holders } = fixture;
  // By task: whether it shares the thread, each of these holders.
  const diedOf = (...tasks: [task: number, shares: boolean][]): number => {
    for (const [task, shares] of tasks) {
      fixture.delegators[1]!.delegate(task, 1, 7, Buffer.from('/'), 0, 1);
      holders.setSharesThread(fixture.intakes[1]!.take(), shares);
    }
    const repair = repairDeadWorker(fixture.memory, 1, NO_WAKEUPS, 0);
    equal(repair.failed, tasks.length);
    equal(fixture.results(1).length, tasks.length);
    return repair.diedOf;
  };
  equal(diedOf([4, true], [5, false], [4, true]), 5);
  equal(diedOf([4, true], [4, true], [4, true]), 4);
  equal(diedOf([4, true], [5, true]), NONE);
  equal(diedOf(), NONE);
  // The next task in a holder begins anew.
  equal(diedOf([6, false]), 6);
});

test('every thread is woken, because the dead one may have been about to', () => {
  const fixture = new Fixture();
  deepEqual(fixture.repair(), [0, 0]);
  deepEqual(fixture.woken, ['accept-0', 'accept-1', 'worker-0', 'worker-1', 'worker-2']);
});

test('a dead worker that slept is no sleeper any more: wake-ups go to those who live', () => {
  const fixture = new Fixture();
  for (const intake of fixture.intakes) equal(intake.sleep(), true);
  fixture.repair();
  const sleepers = workerSleepers(fixture.memory);
  equal(sleepers.claim(1), false);
  deepEqual([sleepers.claimAny(), sleepers.claimAny(), sleepers.claimAny()], [0, 2, NONE]);
});

test('a task whose entry a dead worker took, and which it did not begin, is queued again', () => {
  const fixture = new Fixture();
  const taken = fixture.delegate(0, 1);
  const behind = fixture.delegate(0, 2);
  // The second worker dies between the two steps of taking.
  const dying = new TaskHolders(fixture.memory);
  dying.tryRun = () => {
    throw new Error('died');
  };
  throws(() => new TaskQueue(fixture.memory, dying).take(3), /died/);
  equal(fixture.holders.state(taken), QUEUED);
  deepEqual(fixture.repair(), [0, 1]);
  deepEqual(fixture.repair(), [0, 0]);
  const { intakes } = fixture;
  deepEqual([intakes[0]!.take(), intakes[2]!.take(), intakes[0]!.take()], [behind, taken, NONE]);
  fixture.finish(0, behind);
  fixture.finish(2, taken);
  equal(fixture.results(0).length, 2);
});

test('a task that a living worker begins at the same moment is run once', () => {
  const fixture = new Fixture();
  const task = fixture.delegate(0);
  const slow = new TaskHolders(fixture.memory);
  slow.tryRun = (holder, thread) => {
    // The repair comes just before the living worker runs what it took.
    deepEqual(fixture.repair(), [0, 1]);
    return fixture.holders.tryRun(holder, thread);
  };
  equal(new TaskQueue(fixture.memory, slow).take(2), task);
  equal(fixture.intakes[2]!.take(), NONE);
  fixture.finish(0, task);
  equal(fixture.results(0).length, 1);
});

test('only the number of a worker is repaired', () => {
  const { memory } = new Fixture();
  throws(() => repairDeadWorker(memory, 3, NO_WAKEUPS, 0), /the worker existed/);
  throws(() => repairDeadWorker(memory, -1, NO_WAKEUPS, 0), /the worker existed/);
});

test('a result that was not published before its worker died is found, and no other twice', () => {
  const fixture = new Fixture();
  for (const slot of [1, 2, 3]) fixture.delegate(0, slot);
  fixture.delegate(1, 4);
  const [published, lost, running] = [1, 1, 1].map((worker) => fixture.intakes[worker]!.take());
  fixture.finish(1, published!);
  fixture.holders.setStatus(lost!, 201);
  fixture.holders.markDone(lost!, 3);
  // Of another worker, which is about to publish it itself.
  const others = fixture.intakes[2]!.take();
  fixture.holders.setStatus(others, 202);
  fixture.holders.markDone(others, 4);
  deepEqual(fixture.results(1), []);
  deepEqual(fixture.repair(), [1, 0]);
  equal(fixture.holders.state(lost!), ORPHANED);
  equal(fixture.holders.state(others), DONE);
  ok(fixture.delegators[0]!.hasCompletions());
  deepEqual(
    fixture.results(0).map(({ slot, status }) => [slot, status]),
    [
      [2, 201],
      [1, 200],
      [3, 500],
    ],
  );
  equal(running, 2);
  ok(!fixture.delegators[0]!.hasCompletions());
  deepEqual(fixture.results(0), []);
  fixture.delegators[0]!.assertAllFree();
  deepEqual(fixture.repair(), [0, 0]);
});

test('an orphan that its accept thread reads just now is freed once', () => {
  const fixture = new Fixture();
  const holder = fixture.delegate(0, 1);
  fixture.intakes[1]!.take();
  fixture.finish(1, holder);
  const delegator = fixture.delegators[0]!;
  delegator.takeCompletions();
  equal(delegator.nextCompletion(), holder);
  deepEqual(fixture.repair(), [0, 0]);
  equal(fixture.holders.state(holder), ORPHANED);
  delegator.release(holder);
  deepEqual(fixture.results(0), []);
  delegator.assertAllFree();
  fixture.delegate(0, 2);
  fixture.finish(1, fixture.intakes[1]!.take());
  deepEqual(fixture.results(0), [{ slot: 2, status: 200, size: 0 }]);
});

test('the entries that dead accept threads have left are used again', () => {
  const fixture = new Fixture();
  const queue = new TaskQueue(fixture.memory, fixture.holders);
  for (let death = 0; death <= queue.capacity; death++) {
    fixture.delegators[0] = new Delegator(fixture.memory, 0, () => {});
    for (const slot of [1, 2, 3]) fixture.delegate(0, slot);
    equal(queue.size, 3);
    repairDeadAcceptThread(fixture.memory, 0, NO_WAKEUPS);
  }
  equal(fixture.intakes[0]!.take(), NONE);
});

test('the entry of a task that is queued again, and that runs already, is used again', () => {
  const fixture = new Fixture();
  const queue = new TaskQueue(fixture.memory, fixture.holders);
  const task = fixture.delegate(0);
  const slow = new TaskHolders(fixture.memory);
  slow.tryRun = (holder, thread) => {
    fixture.repair();
    return fixture.holders.tryRun(holder, thread);
  };
  new TaskQueue(fixture.memory, slow).take(2);
  fixture.finish(0, task);
  equal(fixture.results(0).length, 1);
  equal(queue.size, 1);
  equal(fixture.delegate(0), task);
  equal(queue.size, 1);
  equal(fixture.intakes[0]!.take(), task);
});
