// The completions of one accept thread: an intrusive stack that every worker pushes to and only
// the accept thread takes from, the whole of it at once.
//
// Data plane, no locks. The links are the holders' own `next` words.
//
//     top -> 9 -> 4 -> 7 -> NONE      pushed: 7, 4, 9
//     taken and reversed:  7 -> 4 -> 9 -> NONE, a list of the accept thread alone
//
// A push is a compare-and-exchange of `top`. It cannot mistake an old `top` for a new one (the
// "ABA" error): the new holder's link is the value compared with, whatever lies below it, and
// nobody takes single holders. A worker that dies before its push leaves only its own holder
// unpublished; its state word tells, see `layout.ts`.

import { assert, VERIFY } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { type DelegateMemory, delegateLayout, LINE_WORDS } from './layout.ts';
import { DONE, type TaskHolders } from './task-holders.ts';

export class CompletionStack {
  readonly acceptThread: number;
  readonly #holders: TaskHolders;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #top: number;

  constructor(memory: DelegateMemory, holders: TaskHolders, acceptThread: number) {
    assert(acceptThread >= 0, 'accept threads are numbered from zero');
    assert(acceptThread < memory.options.acceptThreads, 'the accept thread exists');
    this.acceptThread = acceptThread;
    this.#holders = holders;
    this.#words = new Int32Array(memory.buffer);
    this.#top = delegateLayout(memory.options).completions + acceptThread * LINE_WORDS;
  }

  /** Publishes a holder that is done. Any thread. */
  push(holder: number): void {
    assert(this.#holders.state(holder) === DONE, 'only a task that is done is a completion');
    assert(this.#holders.acceptThread(holder) === this.acceptThread, 'a holder returns home');
    for (;;) {
      const top = Atomics.load(this.#words, this.#top);
      this.#holders.setNext(holder, top);
      if (Atomics.compareExchange(this.#words, this.#top, top, holder) === top) return;
    }
  }

  /** Takes all: answers the oldest holder, linked to the newer ones, or NONE. Accept thread. */
  takeAll(): number {
    // The load spares an idle thread the exchange, which would take the line from the workers.
    if (this.isEmpty()) return NONE;
    let holder = Atomics.exchange(this.#words, this.#top, NONE);
    let oldest = NONE;
    let count = 0;
    while (holder !== NONE) {
      const older = this.#holders.next(holder);
      this.#holders.setNext(holder, oldest);
      oldest = holder;
      holder = older;
      count++;
    }
    if (VERIFY) this.#invariants(oldest, count);
    return oldest;
  }

  isEmpty(): boolean {
    return Atomics.load(this.#words, this.#top) === NONE;
  }

  // A holder that was pushed twice makes a cycle, which its reversal goes through and leaves.
  #invariants(oldest: number, count: number): void {
    let holder = oldest;
    for (let i = 0; i < count; i++) holder = this.#holders.next(holder);
    assert(holder === NONE, 'a list of completions has no cycle');
  }
}
