// The submission side of a ring: takes an entry, clears it, hands it to the kernel at the next
// enter.
//
//     sqes   [done][done][ a ][ b ][ c ][free]...
//                         ^kernel's head  ^tail (ours)      queued = 3
//
// Plain loads and stores are enough on the ring: with IORING_SETUP_DEFER_TASKRUN the kernel touches
// it only within this thread's own system call.
//
// Data plane. Owner: one thread.

import { assert } from '../../base/assert.ts';
import { EAGAIN, EBUSY, EINTR } from '../../kernel/errno.ts';
import { errno } from '../../kernel/ffi.ts';
import type { Ring } from '../../kernel/io-uring.ts';
import { enter, SQE_WORDS } from '../../kernel/io-uring.ts';

export class SubmissionQueue {
  /** The entries: the caller of `take` writes words 3 to 7 and 10 on of its own. */
  readonly words: Int32Array;
  readonly #ring: Ring;
  readonly #mask: number;
  #tail = 0;
  #queued = 0;

  constructor(ring: Ring) {
    this.#ring = ring;
    this.words = ring.sqes;
    this.#mask = ring.sqEntries - 1;
  }

  /** True exactly when entries wait for the next `submit`. */
  get hasEntries(): boolean {
    return this.#queued > 0;
  }

  /**
   * Takes an entry and answers the index of its first word, with everything zero but these:
   * `head` is opcode | flags << 8 | ioprio << 16; `slot` and `token` are user_data.
   */
  take(head: number, fd: number, slot: number, token: number): number {
    if (this.#queued > this.#mask) this.submit(false);
    assert(this.#queued <= this.#mask, 'the kernel takes what is submitted');
    const word = (this.#tail & this.#mask) * SQE_WORDS;
    this.#tail = (this.#tail + 1) | 0;
    this.#queued++;
    const words = this.words;
    words[word] = head;
    words[word + 1] = fd;
    words[word + 2] = 0;
    words[word + 3] = 0;
    words[word + 4] = 0;
    words[word + 5] = 0;
    words[word + 6] = 0;
    words[word + 7] = 0;
    words[word + 8] = slot;
    words[word + 9] = token;
    words[word + 10] = 0;
    words[word + 11] = 0;
    return word;
  }

  /** Submits what is queued, runs the kernel's deferred work, and sleeps if asked to. */
  submit(wait: boolean): void {
    this.#ring.words[this.#ring.sqTail] = this.#tail;
    const taken = enter(this.#ring, this.#queued, wait);
    if (taken >= 0) this.#queued -= taken;
    else this.#checkInterrupted();
  }

  // A signal, or completions that must be taken first: the next tick tries again. Anything else
  // means that the ring itself was misused.
  #checkInterrupted(): void {
    const error = errno();
    assert(error === EINTR || error === EAGAIN || error === EBUSY, 'io_uring_enter is well-formed');
  }
}
