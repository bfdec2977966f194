// `Io` on epoll, where io_uring is not to be had: completions are made here, by non-blocking calls
// on descriptors that are ready.
//
//     submit:          notes what is asked, lists the descriptor if there is a reason to try
//     submitAndWait:   run: try what is listed -> events of the kernel: list more -> run
//     completions:     seen from the end of submitAndWait on
//
// Data plane, the constructor and `destroy` apart. Owner: one thread.

import { unreachable } from '../../base/assert.ts';
import { Epoll } from '../../kernel/epoll.ts';
import type { Mapping } from '../../kernel/mapping.ts';
import { mapMemory, unmapMemory } from '../../kernel/mapping.ts';
import { shutdownSocket } from '../../kernel/sockets.ts';
import { RecvBuffers } from '../../memory/recv-buffers.ts';
import type { Io, IoMemory } from '../io.ts';
import type { IoOptions } from '../io-options.ts';
import { blocksOffset, buffersOffset, ioMemorySize } from '../io-options.ts';
import { ACCEPT, CLOSE, RECV, SEND } from '../token.ts';
import { Accepts } from './accepts.ts';
import { CompletionQueue } from './completion-queue.ts';
import { DescriptorTable, LISTENER, STREAM } from './descriptor-table.ts';
import { Streams } from './streams.ts';
import { Watches } from './watches.ts';

/** Events taken from the kernel at a time; the rest is taken by the next wait. */
const EVENTS_MAX = 256;

export class EpollIo implements Io {
  readonly backend = 'epoll';
  readonly memory: IoMemory;
  inFlight = 0;

  readonly #mapping: Mapping;
  readonly #buffers: RecvBuffers;
  readonly #epoll: Epoll;
  readonly #table = new DescriptorTable();
  readonly #completions: CompletionQueue;
  readonly #streams: Streams;
  readonly #accepts: Accepts;
  readonly #watches: Watches;

  /** @throws SystemError when descriptors (EMFILE) or memory (ENOMEM) are short. */
  constructor(options: IoOptions) {
    const { recvBuffers, recvBufferSize } = options;
    this.#mapping = mapMemory(ioMemorySize(options));
    this.#epoll = new Epoll(EVENTS_MAX);
    this.#completions = new CompletionQueue(options.completions);
    this.#watches = new Watches(this.#epoll, this.#completions);
    const bytes = new Uint8Array(this.#mapping.buffer);
    this.memory = { bytes, blocksOffset: blocksOffset(options) };
    this.#buffers = new RecvBuffers(bytes, buffersOffset(options), recvBuffers, recvBufferSize);
    this.#streams = new Streams(
      this.#epoll,
      this.#table,
      this.#completions,
      this.#buffers,
      this.#mapping,
    );
    this.#accepts = new Accepts(this.#epoll, this.#table, this.#completions, this.#streams);
  }

  /** The descriptor of the set. */
  get fd(): number {
    return this.#epoll.fd;
  }

  accept(listenerFd: number, slot: number, generation: number): void {
    this.inFlight++;
    this.#accepts.submit(listenerFd, slot, generation);
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    this.inFlight++;
    this.#streams.recv(fd, slot, generation, repeat);
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    this.inFlight++;
    this.#streams.send(fd, offset, size, slot, generation);
  }

  close(fd: number, slot: number, generation: number): void {
    this.inFlight++;
    this.#streams.close(fd, slot, generation);
  }

  detach(fd: number): void {
    this.#streams.detach(fd);
  }

  cancel(operation: number, slot: number, generation: number): void {
    if (operation === ACCEPT) this.#accepts.cancel(slot, generation);
    else if (operation === RECV || operation === SEND) {
      this.#streams.cancel(operation, slot, generation);
    } else unreachable(operation as never);
  }

  shutdown(fd: number, how: number): void {
    shutdownSocket(fd, how);
  }

  setTimer(delayMs: number): void {
    this.#watches.setTimer(delayMs);
  }

  watch(fd: number): void {
    const isStream = (this.#table.flags(fd) & STREAM) !== 0;
    this.#watches.watch(fd, isStream ? this.#streams.events(fd) : 0);
  }

  watchWakeups(fd: number): void {
    this.#watches.watchWakeups(fd);
  }

  submitAndWait(wait: boolean): void {
    const completions = this.#completions;
    this.#run();
    let goesOn: boolean;
    do {
      const sleeps = wait && completions.count === 0 && !this.#hasWork();
      goesOn = this.#takeEvents(sleeps) && sleeps;
      this.#run();
    } while (goesOn && completions.count === 0);
    completions.publish();
  }

  get hasSubmissions(): boolean {
    return this.#completions.count > 0 || this.#hasWork();
  }

  get completionsReady(): number {
    return this.#completions.ready;
  }

  nextCompletion(): boolean {
    if (!this.#completions.next()) return false;
    if (this.#completions.operation <= CLOSE && !this.#completions.more) this.inFlight--;
    return true;
  }

  get operation(): number {
    return this.#completions.operation;
  }

  get slot(): number {
    return this.#completions.slot;
  }

  get generation(): number {
    return this.#completions.generation;
  }

  get result(): number {
    return this.#completions.result;
  }

  get buffer(): number {
    return this.#completions.buffer;
  }

  get more(): boolean {
    return this.#completions.more;
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
    this.#watches.release();
    this.#epoll.close();
    this.#streams.destroy();
    unmapMemory(this.#mapping);
  }

  #run(): void {
    this.#streams.run();
    this.#accepts.run();
  }

  #hasWork(): boolean {
    return this.#table.listed > 0 || this.#accepts.hasWork;
  }

  // False when a signal came instead.
  #takeEvents(sleep: boolean): boolean {
    const epoll = this.#epoll;
    const count = epoll.wait(sleep);
    for (let index = 0; index < count; index++) {
      const fd = epoll.eventFd(index);
      const flags = this.#table.flags(fd);
      const events = epoll.eventBits(index);
      // What is watched may be a stream as well, so this comes first.
      if (this.#watches.onEvent(fd, events) && (flags & STREAM) === 0) continue;
      if ((flags & STREAM) !== 0) this.#streams.onEvent(fd, events);
      else if ((flags & LISTENER) !== 0) this.#accepts.onEvent(fd);
    }
    return count >= 0;
  }
}
