// Which threads sleep: one bit for each thread, set before it blocks in the kernel. A notification
// costs a system call only when its target sleeps.
//
// One bitmap for the workers, one for the accept threads; shared by all. Data plane, no locks. A
// thread sets only its own bit; whoever clears it (`claim`) must write that thread's eventfd.
//
// No wake-up is lost. Atomics have one total order, and each side writes before it reads:
//
//     notifier:  1. publishes (a cell, a stack)        sleeper:  3. sets its bit
//                2. reads the bits                               4. looks for work, or blocks
//
// If 4 does not see what 1 published, 4 came before 1, so 3 came before 2: the notifier sees the
// bit. And the eventfd remembers a write that comes before the block.
//
// One wake-up for each task is enough: workers never sleep beside a task that nobody was woken
// for. Let worker s sleep. At its step 4 the queue was empty, so every task queued now was pushed
// later, and its notifier, which could have had s, claimed some other worker for it. A claimed
// worker takes a task before it sleeps again, or claims another one in its place: meanwhile it may
// have become full, or have to serve somebody who blocks it. So there are at least as many claimed
// workers on their way as there are tasks, whichever takes which. (A queue that only looked empty,
// because a position was not yet published, is why `TaskQueue.push` may ask for more than one.)

import { assert } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { type DelegateMemory, delegateLayout } from './layout.ts';

/** Write the eventfds of other threads: both are written without asking who sleeps. */
export interface Wakeups {
  readonly wakeAcceptThread: (acceptThread: number) => void;
  readonly wakeWorker: (worker: number) => void;
}

export class Sleepers {
  readonly count: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #first: number;
  readonly #end: number;

  constructor(words: Int32Array<SharedArrayBuffer>, first: number, count: number) {
    assert(count >= 0, 'threads are counted');
    this.count = count;
    this.#words = words;
    this.#first = first;
    this.#end = first + Math.ceil(count / 32);
    assert(this.#end <= words.length, 'the bitmap lies within its memory');
  }

  /** Announces that thread `index` is about to block: it looks for work once more, then may. */
  sleep(index: number): void {
    assert(index >= 0 && index < this.count, 'the thread has a bit');
    Atomics.or(this.#words, this.#first + (index >>> 5), 1 << (index & 31));
  }

  /** Thread `index` does not block, or no longer. Answers false when it was claimed or awake. */
  wake(index: number): boolean {
    return this.claim(index);
  }

  /** True: the thread slept, and the caller must write its eventfd. Nobody else will. */
  claim(index: number): boolean {
    assert(index >= 0 && index < this.count, 'the thread has a bit');
    const at = this.#first + (index >>> 5);
    const bit = 1 << (index & 31);
    // A load first: threads that are awake are asked often, and a load leaves the line shared.
    if ((Atomics.load(this.#words, at) & bit) === 0) return false;
    return (Atomics.and(this.#words, at, ~bit) & bit) !== 0;
  }

  /**
   * Claims one sleeping thread, or answers NONE. The lowest number comes first: under light load
   * the same few threads work and stay warm.
   */
  claimAny(): number {
    for (let at = this.#first; at < this.#end; at++) {
      let bits = Atomics.load(this.#words, at);
      while (bits !== 0) {
        const bit = bits & -bits;
        bits = Atomics.and(this.#words, at, ~bit);
        if ((bits & bit) !== 0) return (at - this.#first) * 32 + 31 - Math.clz32(bit);
      }
    }
    return NONE;
  }
}

/** Control plane. */
export function workerSleepers(memory: DelegateMemory): Sleepers {
  const { workerSleepers: first } = delegateLayout(memory.options);
  return new Sleepers(new Int32Array(memory.buffer), first, memory.options.workerThreads);
}

/** Control plane. */
export function acceptSleepers(memory: DelegateMemory): Sleepers {
  const { acceptSleepers: first } = delegateLayout(memory.options);
  return new Sleepers(new Int32Array(memory.buffer), first, memory.options.acceptThreads);
}
