// ACCEPT on listening sockets: accepts that wait, the oldest first. A listener is in the set
// edge-triggered: while no accept waits, as at capacity, connections that wait in its backlog are
// no event, and do not keep the thread awake.
//
// Data plane. Owner: one thread.

import type { Epoll } from '../../kernel/epoll.ts';
import { EPOLLET, EPOLLIN } from '../../kernel/epoll.ts';
import { EAGAIN, ECANCELED, EINTR, ENOMEM, ENOSPC } from '../../kernel/errno.ts';
import { acceptStream, closeStream } from '../../kernel/stream-calls.ts';
import { NONE } from '../../memory/pool.ts';
import { ACCEPT } from '../token.ts';
import type { CompletionQueue } from './completion-queue.ts';
import { type DescriptorTable, LISTED, LISTENER, READABLE } from './descriptor-table.ts';
import type { Streams } from './streams.ts';

const CAPACITY_MIN = 64;

export class Accepts {
  readonly #epoll: Epoll;
  readonly #table: DescriptorTable;
  readonly #completions: CompletionQueue;
  readonly #streams: Streams;
  // By place in the line: the listener, NONE when the accept was cancelled, and for whom it is.
  #listeners = new Int32Array(CAPACITY_MIN);
  #slots = new Int32Array(CAPACITY_MIN);
  #generations = new Int32Array(CAPACITY_MIN);
  #count = 0;
  #hasWork = false;

  constructor(
    epoll: Epoll,
    table: DescriptorTable,
    completions: CompletionQueue,
    streams: Streams,
  ) {
    this.#epoll = epoll;
    this.#table = table;
    this.#completions = completions;
    this.#streams = streams;
  }

  /** True exactly when the next run has something to try. */
  get hasWork(): boolean {
    return this.#hasWork;
  }

  submit(listenerFd: number, slot: number, generation: number): void {
    const flags = this.#table.flags(listenerFd);
    if ((flags & LISTENER) === 0) {
      const error = this.#watch(listenerFd, slot, generation);
      if (error !== 0) {
        this.#completions.push(ACCEPT, slot, generation, error, NONE, false);
        return;
      }
    }
    if (this.#count === this.#slots.length) this.#grow();
    this.#put(this.#count++, listenerFd, slot, generation);
    if ((flags & READABLE) !== 0) this.#hasWork = true;
  }

  cancel(slot: number, generation: number): void {
    for (let index = 0; index < this.#count; index++) {
      if (this.#slots[index] !== slot || this.#generations[index] !== generation) continue;
      this.#listeners[index] = NONE;
      this.#hasWork = true;
    }
  }

  onEvent(listenerFd: number): void {
    this.#table.setFlag(listenerFd, READABLE);
    this.#hasWork = this.#count > 0;
  }

  /** Accepts for those who wait, while there are connections, and room for completions. */
  run(): void {
    if (!this.#hasWork) return;
    this.#hasWork = false;
    let kept = 0;
    let failed = false;
    for (let index = 0; index < this.#count; index++) {
      const listenerFd = this.#listeners[index]!;
      const slot = this.#slots[index]!;
      const generation = this.#generations[index]!;
      let result = -EAGAIN;
      if (this.#completions.isFull) this.#hasWork = true;
      else if (listenerFd === NONE) result = -ECANCELED;
      else if ((this.#table.flags(listenerFd) & READABLE) === 0) result = -EAGAIN;
      // A process without descriptors fails one accept in a run, and not all that wait.
      else if (failed) this.#hasWork = true;
      else {
        result = this.#accept(listenerFd, slot, generation);
        failed = result < 0 && result !== -EAGAIN;
      }
      if (result === -EAGAIN) this.#put(kept++, listenerFd, slot, generation);
      else this.#completions.push(ACCEPT, slot, generation, result, NONE, false);
    }
    this.#count = kept;
  }

  // Answers a descriptor, or an error number negated: -EAGAIN when the accept goes on waiting.
  #accept(listenerFd: number, slot: number, generation: number): number {
    const table = this.#table;
    const fd = acceptStream(table.pointer(listenerFd));
    if (fd === -EAGAIN) table.clearFlag(listenerFd, READABLE);
    if (fd === -EINTR) {
      this.#hasWork = true;
      return -EAGAIN;
    }
    if (fd < 0) return fd;
    const error = this.#streams.own(fd, slot, generation);
    if (error === 0) return fd;
    closeStream(table.makePointer(fd));
    // fs.epoll.max_user_watches (epoll(7)): a want of memory as far as others are concerned.
    return error === -ENOSPC ? -ENOMEM : error;
  }

  #watch(listenerFd: number, slot: number, generation: number): number {
    const table = this.#table;
    const pointer = table.makePointer(listenerFd);
    const error = this.#epoll.add(listenerFd, pointer, EPOLLIN | EPOLLET);
    if (error !== 0) return error;
    table.enter(listenerFd, pointer, slot, generation);
    table.clearFlag(listenerFd, ~LISTED);
    table.setFlag(listenerFd, LISTENER);
    return 0;
  }

  #put(index: number, listenerFd: number, slot: number, generation: number): void {
    this.#listeners[index] = listenerFd;
    this.#slots[index] = slot;
    this.#generations[index] = generation;
  }

  // Control plane: an accept thread has fewer accepts in flight than there is room for at first.
  #grow(): void {
    const grown = (words: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(2 * words.length);
      larger.set(words);
      return larger;
    };
    this.#listeners = grown(this.#listeners);
    this.#slots = grown(this.#slots);
    this.#generations = grown(this.#generations);
  }
}
