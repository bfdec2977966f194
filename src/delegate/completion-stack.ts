// The completions of one accept thread: an intrusive stack that every worker pushes to and only
// the accept thread takes from, the whole of it at once.
//
// Data plane, no locks. The links lie side by side, not in the holders: who follows them waits once
// for many holders for a cache line that the workers have written.
//
//     top -> 9 -> 4 -> 7 -> NONE      pushed: 7, 4, 9
//     taken and reversed:  7 -> 4 -> 9 -> NONE, a list of the accept thread alone
//
// A push is a compare-and-exchange of `top`. It cannot mistake an old `top` for a new one (the
// "ABA" error): the new holder's link is the value compared with, whatever lies below it, and
// nobody takes single holders. A worker that dies before its push leaves only its own holder
// unpublished. Then the main thread makes all that it had done ORPHANED, and adds to `deaths`: the
// accept thread looks for orphans, then takes the stack: an orphan that it saw, and that is not in
// what it took, was never pushed.

import { assert, VERIFY } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';
import { type DelegateMemory, delegateLayout, LINE_WORDS } from './layout.ts';
import { DONE, ORPHANED, type TaskHolders } from './task-holders.ts';

export class CompletionStack {
  readonly acceptThread: number;
  readonly #holders: TaskHolders;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #top: number;
  readonly #deaths: number;
  readonly #links: number;
  // What `#deaths` was when orphans were last looked for.
  #deathsSeen: number;
  readonly #first: number;
  // By holder of this thread.
  readonly #isOrphan: Uint8Array;

  constructor(memory: DelegateMemory, holders: TaskHolders, acceptThread: number) {
    assert(acceptThread >= 0, 'accept threads are numbered from zero');
    assert(acceptThread < memory.options.acceptThreads, 'the accept thread exists');
    this.acceptThread = acceptThread;
    this.#holders = holders;
    this.#words = new Int32Array(memory.buffer);
    const { completions, links } = delegateLayout(memory.options);
    this.#top = completions + acceptThread * LINE_WORDS;
    this.#links = links;
    this.#deaths = this.#top + 1;
    this.#deathsSeen = Atomics.load(this.#words, this.#deaths);
    this.#first = acceptThread * memory.options.holdersPerAcceptThread;
    this.#isOrphan = new Uint8Array(memory.options.holdersPerAcceptThread);
  }

  /** Publishes a holder that is done. Any thread. */
  push(holder: number): void {
    assert(this.#holders.state(holder) === DONE, 'only a task that is done is a completion');
    assert(this.#holders.acceptThread(holder) === this.acceptThread, 'a holder returns home');
    for (;;) {
      const top = Atomics.load(this.#words, this.#top);
      this.#setNext(holder, top);
      if (Atomics.compareExchange(this.#words, this.#top, top, holder) === top) return;
    }
  }

  /** Takes all: answers the oldest holder, linked to the newer ones, or NONE. Accept thread. */
  takeAll(): number {
    // The load spares an idle thread the exchange, which would take the line from the workers.
    if (this.isEmpty()) return NONE;
    const deaths = Atomics.load(this.#words, this.#deaths);
    const isBereaved = deaths !== this.#deathsSeen;
    // Before the stack is taken: what is an orphan now, and was pushed, is in what is taken then.
    if (isBereaved) this.#findOrphans();
    let holder = Atomics.exchange(this.#words, this.#top, NONE);
    let oldest = NONE;
    let count = 0;
    while (holder !== NONE) {
      const older = this.next(holder);
      this.#setNext(holder, oldest);
      // Each was just written by a worker: looked at in a row, their cache lines come at once.
      this.#holders.assertDone(holder);
      oldest = holder;
      holder = older;
      count++;
    }
    if (VERIFY) this.#invariants(oldest, count);
    if (!isBereaved) return oldest;
    this.#deathsSeen = deaths;
    return this.#addOrphans(oldest);
  }

  /** The completion after this one in what was taken, or NONE. Accept thread. */
  next(holder: number): number {
    return this.#words[this.#links + holder]!;
  }

  #setNext(holder: number, next: number): void {
    this.#words[this.#links + holder] = next;
  }

  /** False: `takeAll` has something to look at, mostly a holder. */
  isEmpty(): boolean {
    if (Atomics.load(this.#words, this.#top) !== NONE) return false;
    return Atomics.load(this.#words, this.#deaths) === this.#deathsSeen;
  }

  /** A worker has died, and what it had done is ORPHANED. The accept thread has to be woken. */
  addDeath(): void {
    Atomics.add(this.#words, this.#deaths, 1);
  }

  #findOrphans(): void {
    for (let index = 0; index < this.#isOrphan.length; index++) {
      this.#isOrphan[index] = this.#holders.state(this.#first + index) === ORPHANED ? 1 : 0;
    }
  }

  // Puts those that were not published before the list that begins at `oldest`.
  #addOrphans(oldest: number): number {
    let first = oldest;
    for (let index = 0; index < this.#isOrphan.length; index++) {
      const orphan = this.#first + index;
      if (this.#isOrphan[index] === 0 || this.#isIn(oldest, orphan)) continue;
      this.#setNext(orphan, first);
      first = orphan;
    }
    return first;
  }

  // A holder that was pushed twice makes a cycle, which its reversal goes through and leaves.
  #invariants(oldest: number, count: number): void {
    let holder = oldest;
    for (let i = 0; i < count; i++) holder = this.next(holder);
    assert(holder === NONE, 'a list of completions has no cycle');
  }

  #isIn(oldest: number, orphan: number): boolean {
    for (let at = oldest; at !== NONE; at = this.next(at)) if (at === orphan) return true;
    return false;
  }
}
