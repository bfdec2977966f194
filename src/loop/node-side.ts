// Node's side of a turn: what code of the user may have queued there, when that was last asked, and
// when Node wants its own turn.
//
// Owner: one thread. Data plane.

import type { Clock } from '../base/clock.ts';
import { msBetween } from '../base/clock.ts';
import { NONE } from '../memory/pool.ts';

/** Node's own loop, in which that of the thread lives. */
export interface OuterLoop {
  /** Readable when it has something to look at. */
  readonly backendFd: number;
  /** Within the immediate of a turn, before `timeoutMs` is first asked. */
  beginTurn(): void;
  /** Milliseconds until it has something to do, 0 when it has, or NOTHING_PLANNED. */
  timeoutMs(): number;
  /** Runs what promises and `process.nextTick` have queued. */
  runMicrotasks(): void;
  /** What is thrown now ends the thread, whatever the application does with its errors. */
  failForGood(): void;
}

export class NodeSide {
  /** True exactly when code of the user ran in this turn, or Node had work when it began. */
  hasUserCode = false;
  /** True exactly when code of the user ran and what it has queued was not looked at. */
  isUnasked = false;
  /** True exactly when code of the user ran and microtasks did not since. */
  hasMicrotasks = false;
  readonly #outer: OuterLoop;
  readonly #clock: Clock;
  #inMicrotasks = false;
  // The earliest of Node's timers, as it was when it was last asked.
  #timerSet = false;
  #dueMs = 0;
  #askedMs = 0;

  constructor(outer: OuterLoop, clock: Clock) {
    this.#outer = outer;
    this.#clock = clock;
  }

  get backendFd(): number {
    return this.#outer.backendFd;
  }

  beginTurn(): void {
    this.hasMicrotasks = false;
    this.#outer.beginTurn();
    this.hasUserCode = this.hasWork();
  }

  userCodeRan(): void {
    this.hasUserCode = true;
    this.isUnasked = true;
    this.hasMicrotasks = true;
  }

  /** Asks Node whether it has something to do now, and when it will have. */
  hasWork(): boolean {
    this.#clock.update();
    const timeoutMs = this.#outer.timeoutMs();
    this.#askedMs = this.#clock.nowMs;
    this.isUnasked = timeoutMs === 0;
    this.#timerSet = timeoutMs > 0;
    this.#dueMs = (this.#clock.nowMs + timeoutMs) | 0;
    return timeoutMs === 0;
  }

  /** Behind a tick. A busy thread, which asks no sooner, asks once a millisecond. */
  isDue(): boolean {
    const { nowMs } = this.#clock;
    if (this.#timerSet && msBetween(nowMs, this.#dueMs) <= 0) return true;
    return this.isUnasked && nowMs !== this.#askedMs && this.hasWork();
  }

  /** Milliseconds until a timer of Node's is due, or NONE. */
  dueInMs(): number {
    if (!this.#timerSet) return NONE;
    return Math.max(0, msBetween(this.#clock.nowMs, this.#dueMs));
  }

  /** Nobody looks at what is queued before this turn is over. */
  forget(): void {
    this.isUnasked = false;
    this.#timerSet = false;
  }

  // What waits for a promise goes on when all that was said before is on its way: it may break its
  // connection off.
  runMicrotasks(): void {
    this.#inMicrotasks = true;
    this.#outer.runMicrotasks();
    this.#inMicrotasks = false;
    this.hasMicrotasks = false;
  }

  /**
   * An error has left the turn. True: code of the user threw it in a microtask, which the user may
   * have a handler for, and the next tick does the rest. Otherwise a tick broke off, and left
   * connections that nobody would ever look at again: the thread ends.
   */
  mayGoOn(): boolean {
    const may = this.#inMicrotasks;
    this.#inMicrotasks = false;
    if (!may) this.#outer.failForGood();
    return may;
  }
}
