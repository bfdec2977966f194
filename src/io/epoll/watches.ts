// What a loop waits for beside its connections: its timer, its wake-ups, and Node's own loop.
//
// The timer is a descriptor, so a wait has no timeout, needs no clock, and ends to the nanosecond
// on every kernel. An eventfd is watched edge-triggered: each write is an event, and the counter is
// never read. A watch is level-triggered and tells once, since nobody here reads what it watches.
//
// Data plane, `release` apart. Owner: one thread.

import { assert } from '../../base/assert.ts';
import type { Epoll } from '../../kernel/epoll.ts';
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT } from '../../kernel/epoll.ts';
import { TimerFd } from '../../kernel/timerfd.ts';
import { NONE } from '../../memory/pool.ts';
import { TIMER, WAKEUP, WATCH } from '../token.ts';
import type { CompletionQueue } from './completion-queue.ts';

const NO_POINTER = -1n;

export class Watches {
  readonly #epoll: Epoll;
  readonly #completions: CompletionQueue;
  readonly #timer = new TimerFd();
  #timerSet = false;
  #wakeupFd = NONE;
  #watchFd = NONE;
  #watchPointer = NO_POINTER;
  #watching = false;

  /** @throws SystemError when descriptors or memory are short. */
  constructor(epoll: Epoll, completions: CompletionQueue) {
    this.#epoll = epoll;
    this.#completions = completions;
    const error = epoll.add(this.#timer.fd, this.#timer.pointer, EPOLLIN | EPOLLET);
    assert(error === 0, 'a timer can be watched');
  }

  setTimer(delayMs: number): void {
    assert(delayMs >= 0, 'a timer is set for the future');
    this.#timer.set(delayMs);
    this.#timerSet = true;
  }

  watchWakeups(fd: number): void {
    this.#wakeupFd = fd;
    const error = this.#epoll.add(fd, this.#pointer(fd), EPOLLIN | EPOLLET);
    assert(error === 0, 'an eventfd can be watched');
  }

  /**
   * Modifying tells whether it is readable now. `streamEvents` are those of a descriptor that is a
   * stream too, and goes on telling them; 0 for any other.
   */
  watch(fd: number, streamEvents: number): void {
    if (fd !== this.#watchFd) {
      this.#watchFd = fd;
      this.#watchPointer = this.#pointer(fd);
    }
    this.#watching = true;
    const events = streamEvents === 0 ? EPOLLIN | EPOLLONESHOT : streamEvents;
    if (this.#epoll.modify(fd, this.#watchPointer, events) === 0) return;
    const error = this.#epoll.add(fd, this.#watchPointer, events);
    assert(error === 0, 'what is watched is open, and can be');
  }

  /** True exactly when the event of `fd` was for one of these. */
  onEvent(fd: number, events: number): boolean {
    if (fd === this.#watchFd) {
      if ((events & ~EPOLLOUT) === 0) return false;
      if (this.#watching) this.#completions.push(WATCH, 0, 0, 0, NONE, false);
      this.#watching = false;
    } else if (fd === this.#wakeupFd) this.#completions.push(WAKEUP, 0, 0, 0, NONE, true);
    else if (fd === this.#timer.fd) {
      if (this.#timerSet) this.#completions.push(TIMER, 0, 0, 0, NONE, false);
      this.#timerSet = false;
    } else return false;
    return true;
  }

  release(): void {
    this.#timer.close();
  }

  // Control plane: once for each descriptor.
  #pointer(fd: number): bigint {
    return BigInt(fd);
  }
}
