// The worker's side of delegation: takes tasks, publishes their results.
//
// Owner: one worker thread. Data plane. A holder that `take` answered is this thread's until
// `finish`; in between, `TaskRunner.run` leaves the result in it.

import { assert } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { CompletionStack } from './completion-stack.ts';
import type { DelegateMemory } from './layout.ts';
import { acceptSleepers, type Sleepers, type Wakeups, workerSleepers } from './sleepers.ts';
import { TaskHolders } from './task-holders.ts';
import { TaskQueue } from './task-queue.ts';

export class TaskIntake {
  readonly worker: number;
  readonly holders: TaskHolders;
  /** Counters of this thread. */
  takenCount = 0;
  finishedCount = 0;
  wakeupsCount = 0;
  readonly #thread: number;
  readonly #queue: TaskQueue;
  readonly #completions: CompletionStack[] = [];
  readonly #workers: Sleepers;
  readonly #acceptThreads: Sleepers;
  readonly #wakeups: Wakeups;
  // True exactly when the thread was claimed for a task, and has not looked for it yet.
  #isClaimed = false;

  /** Control plane. */
  constructor(memory: DelegateMemory, worker: number, wakeups: Wakeups) {
    const { acceptThreads, workerThreads } = memory.options;
    assert(worker >= 0 && worker < workerThreads, 'the worker exists');
    this.worker = worker;
    this.holders = new TaskHolders(memory);
    this.#thread = acceptThreads + worker;
    this.#queue = new TaskQueue(memory, this.holders);
    for (let thread = 0; thread < acceptThreads; thread++) {
      this.#completions.push(new CompletionStack(memory, this.holders, thread));
    }
    this.#workers = workerSleepers(memory);
    this.#acceptThreads = acceptSleepers(memory);
    this.#wakeups = wakeups;
  }

  /** The oldest task, this thread's from here on, or NONE. */
  take(): number {
    this.#isClaimed = false;
    const holder = this.#queue.take(this.#thread);
    if (holder !== NONE) this.takenCount++;
    return holder;
  }

  /** Publishes the result of a task and wakes its accept thread, if that sleeps. */
  finish(holder: number): void {
    const acceptThread = this.holders.acceptThread(holder);
    this.holders.markDone(holder, this.#thread);
    this.#completions[acceptThread]!.push(holder);
    this.finishedCount++;
    if (!this.#acceptThreads.claim(acceptThread)) return;
    this.wakeupsCount++;
    this.#wakeups.wakeAcceptThread(acceptThread);
  }

  hasTasks(): boolean {
    return this.#queue.hasTasks();
  }

  /** Before blocking: true when the thread may, false when a task waits. */
  sleep(): boolean {
    this.#workers.sleep(this.worker);
    if (!this.hasTasks()) return true;
    this.#workers.wake(this.worker);
    return false;
  }

  /**
   * After blocking. The thread calls `take` or `passOn` before it sleeps again, or runs what may
   * take long: it may have been claimed.
   */
  wake(): void {
    if (!this.#workers.wake(this.worker)) this.#isClaimed = true;
  }

  /** Wakes another worker, if this one was claimed for a task: it may take none now. */
  passOn(): void {
    if (!this.#isClaimed) return;
    this.#isClaimed = false;
    const worker = this.hasTasks() ? this.#workers.claimAny() : NONE;
    if (worker === NONE) return;
    this.wakeupsCount++;
    this.#wakeups.wakeWorker(worker);
  }
}
