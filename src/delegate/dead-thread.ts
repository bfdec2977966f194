// What a thread that died leaves in the shared memory, put right. Nobody waits for it in the
// meantime: other workers go on, its own task and a wake-up it was asked for are all that hangs.
//
// Control plane. Runs in any thread that lives, the main thread mostly, when the dead one is known
// to run no more, and before its number is given away. `layout.ts` has the table of what is left.

import { assert } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { CompletionStack } from './completion-stack.ts';
import { HandOffRecords } from './hand-off-records.ts';
import type { DelegateMemory } from './layout.ts';
import { CONNECTION } from './payload-kind.ts';
import { acceptSleepers, type Wakeups, workerSleepers } from './sleepers.ts';
import { STATUS_FAILED, STATUS_LATE } from './task.ts';
import { BUILDING, DONE, QUEUED, RUNNING, TaskHolders } from './task-holders.ts';
import { TaskQueue } from './task-queue.ts';

export interface Repair {
  /** Tasks that ran in the dead thread: done with status 500, or 504 behind their deadline. */
  readonly failed: number;
  /** Which tasks these were. */
  readonly failedTasks: readonly number[];
  /**
   * Which task the thread died of: the one whose code had it, and if there was none, the only one
   * that ran. NONE when that is not known.
   */
  readonly diedOf: number;
  /** Tasks that were taken from the queue and not begun: in it again, for another worker. */
  readonly requeued: number;
}

/**
 * Ends what worker `worker` was doing when it died, and wakes every thread that it may have been
 * about to wake, or that another one may have counted on it for. A second call finds nothing.
 * `nowMs` is the time of the clock that deadlines are of.
 *
 * A task that the thread had marked as done may have been published or not, and only its accept
 * thread can tell: it is ORPHANED, and told of the death.
 */
export function repairDeadWorker(
  memory: DelegateMemory,
  worker: number,
  wakeups: Wakeups,
  nowMs: number,
): Repair {
  const { acceptThreads, workerThreads } = memory.options;
  assert(worker >= 0 && worker < workerThreads, 'the worker existed');
  const thread = acceptThreads + worker;
  const holders = new TaskHolders(memory);
  const queue = new TaskQueue(memory, holders);
  // Nobody claims it from here on.
  workerSleepers(memory).claim(worker);
  const stacks = Array.from(
    { length: acceptThreads },
    (_, index) => new CompletionStack(memory, holders, index),
  );
  const orphaned = new Set<number>();
  const failedTasks: number[] = [];
  const hadThread = new Set<number>();
  let requeued = 0;
  for (let holder = 0; holder < holders.count; holder++) {
    const state = holders.state(holder);
    if (state === RUNNING && holders.thread(holder) === thread) {
      failedTasks.push(holders.taskIndex(holder));
      if (!holders.sharesThread(holder)) hadThread.add(holders.taskIndex(holder));
      holders.setStatus(holder, holders.isLate(holder, nowMs) ? STATUS_LATE : STATUS_FAILED);
      holders.markDone(holder, thread);
      stacks[holders.acceptThread(holder)]!.push(holder);
    } else if (state === DONE && holders.tryOrphan(holder, thread)) {
      orphaned.add(holders.acceptThread(holder));
    } else if (state === QUEUED && queue.hasPassed(holder)) {
      // A thread that lives may be about to run it: then this entry will mean nothing.
      queue.pushAgain(holder);
      requeued++;
    }
  }
  for (const acceptThread of orphaned) stacks[acceptThread]!.addDeath();
  // It may have claimed a sleeper and not written its eventfd, or been claimed itself.
  for (let index = 0; index < acceptThreads; index++) wakeups.wakeAcceptThread(index);
  for (let index = 0; index < workerThreads; index++) wakeups.wakeWorker(index);
  const suspects = hadThread.size > 0 ? hadThread : new Set(failedTasks);
  const diedOf = suspects.size === 1 ? [...suspects][0]! : NONE;
  return { failed: failedTasks.length, failedTasks, diedOf, requeued };
}

/**
 * Frees what accept thread `acceptThread` had in hand when it died, and cancels what workers run
 * for it, which its replacement inherits. Answers the descriptors of connections that waited for a
 * worker: they are to be closed. Before the replacement is started, and some time after the death:
 * a worker that was about to publish a result has done so.
 */
export function repairDeadAcceptThread(
  memory: DelegateMemory,
  acceptThread: number,
  wakeups: Wakeups,
): number[] {
  const { acceptThreads, workerThreads, holdersPerAcceptThread: share } = memory.options;
  assert(acceptThread >= 0 && acceptThread < acceptThreads, 'the accept thread existed');
  const holders = new TaskHolders(memory);
  const records = new HandOffRecords(memory, holders);
  const fds: number[] = [];
  const free = (holder: number): void => {
    holders.setStatus(holder, STATUS_FAILED);
    holders.markDone(holder, acceptThread);
    holders.markFree(holder);
  };
  // Nobody claims it from here on.
  acceptSleepers(memory).claim(acceptThread);
  for (let holder = acceptThread * share; holder < (acceptThread + 1) * share; holder++) {
    const state = holders.state(holder);
    if (state === BUILDING) {
      holders.runInline(holder, acceptThread);
      free(holder);
    } else if (state === QUEUED && holders.tryTakeBack(holder, acceptThread)) {
      if (holders.inputKind(holder) === CONNECTION) fds.push(records.fd(holder));
      free(holder);
    } else if (state === RUNNING && holders.thread(holder) === acceptThread) free(holder);
    else if (state === RUNNING || state === QUEUED) holders.cancel(holder);
    else if (state === DONE) holders.tryOrphan(holder, holders.thread(holder));
  }
  new TaskQueue(memory, holders).fillHoles(acceptThread * share);
  for (let index = 0; index < workerThreads; index++) wakeups.wakeWorker(index);
  return fds;
}

/** The replacement of an accept thread is there: it looks for what its predecessor had taken. */
export function announceDeath(memory: DelegateMemory, acceptThread: number): void {
  new CompletionStack(memory, new TaskHolders(memory), acceptThread).addDeath();
}
