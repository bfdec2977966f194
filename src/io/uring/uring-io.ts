// `Io` on io_uring: each operation is one entry, each tick one system call.
//
// Accepts are one-shot, so that a slot is reserved before its connection is accepted. Receives may
// repeat (multishot), which saves an entry and a poll for each request, 5 to 11 % of a small one;
// the price is that bytes arrive unasked (`docs/decisions/0002-receive-once-or-repeat.md`).
//
// Data plane, the constructor and `destroy` excepted. Owner: the thread that made it, because the
// ring has a single issuer.

import { assert } from '../../base/assert.ts';
import type { Ring } from '../../kernel/io-uring.ts';
import {
  CQE_WORDS,
  closeRing,
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_OP_ACCEPT,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_CLOSE,
  IORING_OP_POLL_ADD,
  IORING_OP_RECV,
  IORING_OP_SEND,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
  IORING_POLL_ADD_MULTI,
  IORING_RECV_MULTISHOT,
  IORING_RECVSEND_POLL_FIRST,
  IORING_TIMEOUT_UPDATE,
  IOSQE_BUFFER_SELECT,
  openRing,
  registerBufferRing,
} from '../../kernel/io-uring.ts';
import type { Mapping } from '../../kernel/mapping.ts';
import { mapMemory, unmapMemory } from '../../kernel/mapping.ts';
import {
  MSG_NOSIGNAL,
  MSG_WAITALL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  shutdownSocket,
} from '../../kernel/sockets.ts';
import { BUFFER_RING_ENTRY_SIZE, BufferRing } from '../../memory/buffer-ring.ts';
import type { RecvBuffers } from '../../memory/recv-buffers.ts';
import type { Io, IoMemory } from '../io.ts';
import type { IoOptions } from '../io-options.ts';
import { blocksOffset, buffersOffset, ioMemorySize, TIMESPEC_SIZE } from '../io-options.ts';
import {
  ACCEPT,
  CANCEL,
  CLOSE,
  RECV,
  SEND,
  TIMER,
  tokenGeneration,
  tokenOperation,
  tokenWord,
  WAKEUP,
  WATCH,
} from '../token.ts';
import { SubmissionQueue } from './submission-queue.ts';

const POLLIN = 1;
const NO_BUFFER = -1;
/** Receive buffers offered to the kernel at a time: several ticks' worth, and cache-sized. */
const RECV_WINDOW = 256;

// A socket is normally empty when its first request is waited for: polling first saves the kernel a
// receive that would find nothing.
const HEAD_RECV_ONCE =
  IORING_OP_RECV | (IOSQE_BUFFER_SELECT << 8) | (IORING_RECVSEND_POLL_FIRST << 16);
const HEAD_RECV_REPEAT =
  IORING_OP_RECV | (IOSQE_BUFFER_SELECT << 8) | (IORING_RECV_MULTISHOT << 16);

export class UringIo implements Io {
  readonly backend = 'io_uring';
  readonly memory: IoMemory;
  operation = 0;
  slot = 0;
  generation = 0;
  result = 0;
  buffer = NO_BUFFER;
  more = false;
  inFlight = 0;

  readonly #ring: Ring;
  readonly #ringWords: Int32Array;
  readonly #queue: SubmissionQueue;
  readonly #mapping: Mapping;
  readonly #bufferRing: BufferRing;
  readonly #buffers: RecvBuffers;
  readonly #timespec: Int32Array;
  readonly #timespecLow: number;
  #cqHead: number;
  #cqTail: number;
  #timerSet = false;
  #wakeupFd = -1;

  /** @throws SystemError when io_uring is refused (EPERM, ENOSYS) or memory is short (ENOMEM). */
  constructor(options: IoOptions) {
    this.#ring = openRing(options.submissions, options.completions);
    this.#ringWords = this.#ring.words;
    this.#queue = new SubmissionQueue(this.#ring);
    this.#mapping = mapMemory(ioMemorySize(options));
    this.#bufferRing = new BufferRing(this.#mapping.buffer, {
      count: options.recvBuffers,
      window: Math.min(options.recvBuffers, RECV_WINDOW),
      bufferSize: options.recvBufferSize,
      entriesOffset: 0,
      buffersOffset: buffersOffset(options),
      addressLow: this.#mapping.addressLow,
      addressHigh: this.#mapping.addressHigh,
    });
    this.#buffers = this.#bufferRing.buffers;
    try {
      registerBufferRing(this.#ring, this.#mapping.address, options.recvBuffers);
    } catch (error) {
      this.destroy();
      throw error;
    }
    const timespecOffset = options.recvBuffers * BUFFER_RING_ENTRY_SIZE;
    this.#timespec = new Int32Array(this.#mapping.buffer, timespecOffset, TIMESPEC_SIZE / 4);
    this.#timespecLow = (this.#mapping.addressLow + timespecOffset) | 0;
    this.memory = {
      bytes: new Uint8Array(this.#mapping.buffer),
      blocksOffset: blocksOffset(options),
    };
    this.#cqHead = this.#ringWords[this.#ring.cqHead]!;
    this.#cqTail = this.#cqHead;
  }

  accept(listenerFd: number, slot: number, generation: number): void {
    const word = this.#submission(IORING_OP_ACCEPT, listenerFd, ACCEPT, slot, generation);
    this.#queue.words[word + 7] = SOCK_NONBLOCK | SOCK_CLOEXEC;
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    const head = repeat ? HEAD_RECV_REPEAT : HEAD_RECV_ONCE;
    this.#submission(head, fd, RECV, slot, generation);
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    assert(size > 0, 'a send has bytes');
    const word = this.#submission(IORING_OP_SEND, fd, SEND, slot, generation);
    const words = this.#queue.words;
    words[word + 4] = (this.#mapping.addressLow + offset) | 0;
    words[word + 5] = this.#mapping.addressHigh;
    words[word + 6] = size;
    words[word + 7] = MSG_NOSIGNAL | MSG_WAITALL;
  }

  close(fd: number, slot: number, generation: number): void {
    this.#submission(IORING_OP_CLOSE, fd, CLOSE, slot, generation);
  }

  detach(): void {}

  cancel(operation: number, slot: number, generation: number): void {
    const word = this.#queue.take(IORING_OP_ASYNC_CANCEL, -1, slot, tokenWord(CANCEL, generation));
    this.#queue.words[word + 4] = slot;
    this.#queue.words[word + 5] = tokenWord(operation, generation);
  }

  shutdown(fd: number, how: number): void {
    shutdownSocket(fd, how);
  }

  setTimer(delayMs: number): void {
    assert(delayMs >= 0, 'a timer is set for the future');
    this.#timespec[0] = (delayMs / 1000) | 0;
    this.#timespec[2] = (delayMs % 1000) * 1_000_000;
    const words = this.#queue.words;
    if (this.#timerSet) {
      // The kernel answers ENOENT when the timer has just run out: then TIMER is on its way.
      const word = this.#queue.take(IORING_OP_TIMEOUT_REMOVE, -1, 0, tokenWord(CANCEL, 0));
      words[word + 2] = this.#timespecLow;
      words[word + 3] = this.#mapping.addressHigh;
      words[word + 5] = tokenWord(TIMER, 0);
      words[word + 7] = IORING_TIMEOUT_UPDATE;
    } else {
      const word = this.#queue.take(IORING_OP_TIMEOUT, -1, 0, tokenWord(TIMER, 0));
      words[word + 4] = this.#timespecLow;
      words[word + 5] = this.#mapping.addressHigh;
      words[word + 6] = 1;
      this.#timerSet = true;
    }
  }

  watch(fd: number): void {
    const word = this.#queue.take(IORING_OP_POLL_ADD, fd, 0, tokenWord(WATCH, 0));
    this.#queue.words[word + 7] = POLLIN;
  }

  // A multishot poll reports each new write, edge-triggered: the counter is never read.
  watchWakeups(fd: number): void {
    this.#wakeupFd = fd;
    const word = this.#queue.take(IORING_OP_POLL_ADD, fd, 0, tokenWord(WAKEUP, 0));
    this.#queue.words[word + 6] = IORING_POLL_ADD_MULTI;
    this.#queue.words[word + 7] = POLLIN;
  }

  submitAndWait(wait: boolean): void {
    this.#ringWords[this.#ring.cqHead] = this.#cqHead;
    this.#bufferRing.publish();
    this.#queue.submit(wait);
    this.#cqTail = this.#ringWords[this.#ring.cqTail]!;
  }

  get hasSubmissions(): boolean {
    return this.#queue.hasEntries;
  }

  get completionsReady(): number {
    return (this.#cqTail - this.#cqHead) | 0;
  }

  nextCompletion(): boolean {
    while (this.#cqHead !== this.#cqTail) {
      const ring = this.#ring;
      const words = this.#ringWords;
      const word = ring.cqes + (this.#cqHead & ring.cqMask) * CQE_WORDS;
      this.#cqHead = (this.#cqHead + 1) | 0;
      const token = words[word + 1]!;
      const flags = words[word + 3]!;
      this.slot = words[word]!;
      this.operation = tokenOperation(token);
      this.generation = tokenGeneration(token);
      this.result = words[word + 2]!;
      this.buffer = NO_BUFFER;
      this.more = (flags & IORING_CQE_F_MORE) !== 0;
      if (this.operation <= CLOSE) {
        if (!this.more) this.inFlight--;
        if ((flags & IORING_CQE_F_BUFFER) !== 0) this.#takeBuffer(flags);
        return true;
      }
      if (this.operation === CANCEL) continue;
      if (this.operation === TIMER) this.#timerSet = false;
      else if (this.operation === WAKEUP && !this.more) {
        this.watchWakeups(this.#wakeupFd);
      }
      return true;
    }
    return false;
  }

  bufferOffset(buffer: number): number {
    return this.#buffers.offset(buffer);
  }

  takeBuffer(): number {
    return this.#buffers.borrow();
  }

  releaseBuffer(buffer: number): void {
    this.#buffers.release(buffer);
  }

  get bufferCount(): number {
    return this.#buffers.count;
  }

  get bufferSize(): number {
    return this.#buffers.bufferSize;
  }

  get buffersUsed(): number {
    return this.#buffers.used;
  }

  get buffersHighWater(): number {
    return this.#buffers.highWater;
  }

  destroy(): void {
    closeRing(this.#ring);
    unmapMemory(this.#mapping);
  }

  // A receive that ends without bytes may still name a buffer, which goes straight back.
  #takeBuffer(flags: number): void {
    const buffer = flags >>> IORING_CQE_BUFFER_SHIFT;
    this.#bufferRing.take(buffer);
    if (this.result > 0) this.buffer = buffer;
    else this.#buffers.release(buffer);
  }

  #submission(
    head: number,
    fd: number,
    operation: number,
    slot: number,
    generation: number,
  ): number {
    this.inFlight++;
    return this.#queue.take(head, fd, slot, tokenWord(operation, generation));
  }
}
