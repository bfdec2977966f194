// Whose a connection is: at every moment one thread may use its descriptor, and the holders in the
// shared memory say which. Derived from them alone, so that it does not depend on what the threads
// believe.

import { HandOffRecords } from '../../src/delegate/hand-off-records.ts';
import type { DelegateMemory } from '../../src/delegate/layout.ts';
import { CONNECTION } from '../../src/delegate/payload-kind.ts';
import { QUEUED, RUNNING, TaskHolders } from '../../src/delegate/task-holders.ts';

export class Ownership {
  readonly #holders: TaskHolders;
  readonly #records: HandOffRecords;

  constructor(memory: DelegateMemory) {
    this.#holders = new TaskHolders(memory);
    this.#records = new HandOffRecords(memory, this.#holders);
  }

  /** Why a thread may not use the descriptor of a connection that `home` accepted, or undefined. */
  objection(fd: number, thread: number, home: number): string | undefined {
    const holder = this.#away(fd);
    if (holder < 0) return thread === home ? undefined : 'it has not adopted the connection';
    if (this.#holders.state(holder) === QUEUED) return 'the connection waits for a worker';
    const owner = this.#holders.thread(holder);
    return owner === thread ? undefined : `thread ${owner} has the connection`;
  }

  /** True exactly when the connection waits for a worker. */
  isQueued(fd: number): boolean {
    const holder = this.#away(fd);
    return holder >= 0 && this.#holders.state(holder) === QUEUED;
  }

  /** The thread that has a connection which was handed off, or undefined. */
  threadOf(fd: number): number | undefined {
    const holder = this.#away(fd);
    if (holder < 0 || this.#holders.state(holder) !== RUNNING) return undefined;
    return this.#holders.thread(holder);
  }

  /** The threads that run tasks of an accept thread. */
  runners(acceptThread: number): number[] {
    const holders = this.#holders;
    const threads: number[] = [];
    for (let holder = 0; holder < holders.count; holder++) {
      if (holders.acceptThread(holder) !== acceptThread) continue;
      if (holders.state(holder) !== RUNNING || holders.inputKind(holder) === CONNECTION) continue;
      threads.push(holders.thread(holder));
    }
    return threads;
  }

  // The holder of a connection that is away, or -1.
  #away(fd: number): number {
    for (let holder = 0; holder < this.#holders.count; holder++) {
      if (!this.#isAway(holder) || this.#holders.inputKind(holder) !== CONNECTION) continue;
      if (this.#records.fd(holder) === fd) return holder;
    }
    return -1;
  }

  #isAway(holder: number): boolean {
    const state = this.#holders.state(holder);
    return state === QUEUED || state === RUNNING;
  }
}
