// `Io` on the simulated kernel. It keeps the rules of `src/io/io.ts`, as `test/contract/` shows,
// and uses every liberty that they leave: results are short, operations of different descriptors
// complete in any order, a cancellation comes too late.
//
// With `checks` it also asserts, at every call, what a real kernel would punish later: two
// operations of a kind for one slot, a close while one is in flight, a descriptor that is not open,
// memory that changes while it is sent.

import type { Io, IoMemory } from '../../src/io/io.ts';
import type { IoOptions } from '../../src/io/io-options.ts';
import { ACCEPT, CLOSE, RECV, SEND, TIMER, WAKEUP, WATCH } from '../../src/io/token.ts';
import { SHUT_WR } from '../../src/kernel/sockets.ts';
import type { Kernel } from './kernel.ts';
import type { Operation } from './operation.ts';
import {
  acceptResult,
  EBADF,
  fileOf,
  GOES_ON,
  isReady,
  OPERATION_NAMES,
  recvResult,
  sendResult,
} from './operation.ts';
import type { Socket } from './socket.ts';

const CANCEL = 8;
const POISON = 0xdb;
const NOTHING = new Uint8Array(0);

interface Completion {
  readonly operation: number;
  readonly slot: number;
  readonly generation: number;
  readonly result: number;
  readonly buffer: number;
  readonly more: boolean;
  readonly socket: Socket | undefined;
  /** Of a SEND: not all of its bytes were taken. */
  readonly isShort: boolean;
  /** It comes a second time, and nothing is in flight for it. */
  readonly isStale?: boolean;
}

/** What a simulation wants to know of, and to judge. */
export interface IoChecks {
  fail(message: string): never;
  /** ACCEPT, RECV, SEND and CLOSE, as they are submitted. */
  onSubmit(operation: Operation): void;
  onShutdown(fd: number, how: number): void;
  /** The descriptor goes to another thread. */
  onDetach(fd: number): void;
  /** The thread sees a completion that concerns a socket, from now on. */
  onReaped(socket: Socket, operation: number, result: number, isShort: boolean): void;
  onAccepted(socket: Socket, fd: number, slot: number): void;
  /** Before the descriptor goes. */
  onClose(socket: Socket, fd: number, slot: number): void;
}

export class SimIo implements Io {
  readonly backend = 'io_uring';
  readonly memory: IoMemory;
  readonly bufferCount: number;
  readonly bufferSize: number;
  readonly kernel: Kernel;
  operation = 0;
  slot = 0;
  generation = 0;
  result = 0;
  buffer = -1;
  more = false;
  inFlight = 0;
  buffersHighWater = 0;
  /** ACCEPTs, RECVs, SENDs and CLOSEs ever submitted. */
  operationsCount = 0;
  /** Its thread has died, and nobody has closed the ring yet: what it holds goes on. */
  isDead = false;
  /** Sleeps for who calls `submitAndWait`, until there is a completion if it may wait. */
  onWait: ((wait: boolean) => void) | undefined;
  readonly #checks: IoChecks | undefined;
  readonly #freeBuffers: number[];
  readonly #submitted: Operation[] = [];
  readonly #held: Operation[] = [];
  readonly #completed: Completion[] = [];
  // By slot, of connections that were closed: whose receive will complete once more.
  readonly #staleGenerations = new Map<number, number>();
  #reaped = 0;
  #destroyed = false;

  constructor(kernel: Kernel, options: IoOptions, checks?: IoChecks) {
    const { recvBuffers, recvBufferSize, blocksSize } = options;
    const blocksOffset = recvBuffers * recvBufferSize;
    this.kernel = kernel;
    this.memory = { bytes: new Uint8Array(blocksOffset + blocksSize), blocksOffset };
    this.bufferCount = recvBuffers;
    this.bufferSize = recvBufferSize;
    this.#freeBuffers = Array.from({ length: recvBuffers }, (_, index) => recvBuffers - 1 - index);
    this.#checks = checks;
    kernel.ios.push(this);
  }

  accept(fd: number, slot: number, generation: number): void {
    this.#submit(ACCEPT, fd, slot, generation);
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    this.#submit(RECV, fd, slot, generation, repeat);
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    const { bytes, blocksOffset } = this.memory;
    const fits = size > 0 && offset >= blocksOffset && offset + size <= bytes.length;
    if (!fits) this.#checks?.fail('a send has bytes, and they lie in a block');
    this.#submit(SEND, fd, slot, generation, false, offset, bytes.slice(offset, offset + size));
  }

  close(fd: number, slot: number, generation: number): void {
    this.#submit(CLOSE, fd, slot, generation);
  }

  detach(fd: number): void {
    if (this.holds(fd)) this.#checks?.fail('a descriptor leaves when nothing is in flight');
    this.#checks?.onDetach(fd);
  }

  cancel(operation: number, slot: number, generation: number): void {
    this.kernel.trace?.(`  cancel ${OPERATION_NAMES[operation]} of slot ${slot}`);
    this.#submitted.push({ ...this.#make(CANCEL, -1, slot, generation), target: operation });
  }

  shutdown(fd: number, how: number): void {
    const file = this.kernel.file(fd);
    this.#checks?.onShutdown(fd, how);
    if (file?.kind !== 'socket') return;
    file.shutWrite = true;
    file.toPeer.ended = true;
    if (how !== SHUT_WR) file.shutRead = true;
  }

  setTimer(delayMs: number): void {
    // A timer that has just run out is not moved: TIMER is on its way.
    if (this.#completed.some(({ operation }) => operation === TIMER)) return;
    const dueMs = this.kernel.nowMs + delayMs;
    const set = [...this.#submitted, ...this.#held].find(({ operation }) => operation === TIMER);
    if (set !== undefined) {
      set.dueMs = dueMs;
      return;
    }
    const timer = this.#make(TIMER, -1, 0, 0);
    timer.dueMs = dueMs;
    this.#submitted.push(timer);
  }

  get timerDueMs(): number {
    for (const each of this.#held) if (each.operation === TIMER) return each.dueMs;
    return Number.POSITIVE_INFINITY;
  }

  watch(fd: number): void {
    this.#submitted.push(this.#make(WATCH, fd, 0, 0));
  }

  watchWakeups(fd: number): void {
    this.#submitted.push(this.#make(WAKEUP, fd, 0, 0));
  }

  submitAndWait(wait: boolean): void {
    this.submit();
    this.onWait?.(wait);
    // A thread that has the simulation to itself sleeps by letting the world go on.
    while (wait && !this.hasCompletion) {
      if (this.kernel.progressOne()) continue;
      const next = this.kernel.nextTimerMs();
      if (!Number.isFinite(next)) throw new Error('the only thread sleeps for ever');
      this.kernel.nowMs = Math.max(this.kernel.nowMs, next);
    }
    this.reap();
  }

  /** The first half of `submitAndWait`: the kernel gets what was submitted. */
  submit(): void {
    const { random, faults } = this.kernel;
    // What completes here may be cancelled by what follows: each in its turn.
    for (const operation of this.#submitted.splice(0)) {
      if (operation.operation === CANCEL) this.#cancel(operation);
      else {
        this.#hold(operation);
        // The kernel looks into a backlog when it gets the accept.
        const isLate = operation.operation !== ACCEPT && random.chance(faults.lateCompletion);
        if (!isLate && this.#isReady(operation)) {
          this.progress(operation);
        }
      }
    }
    if (faults.lateCompletion === 0) this.#progressAll();
  }

  /** A thread that sleeps in `submitAndWait` may go on. */
  get hasCompletion(): boolean {
    return this.#completed.length > 0;
  }

  /** The second half: the thread sees the completions that are there. */
  reap(): void {
    for (let index = this.#reaped; index < this.#completed.length; index++) {
      const { socket, operation, result, isShort } = this.#completed[index]!;
      if (socket !== undefined) this.#checks?.onReaped(socket, operation, result, isShort);
    }
    this.#reaped = this.#completed.length;
  }

  get hasSubmissions(): boolean {
    return this.#submitted.length > 0;
  }

  get completionsReady(): number {
    return this.#reaped;
  }

  nextCompletion(): boolean {
    if (this.#reaped === 0) return false;
    const completion = this.#completed.shift()!;
    this.#reaped--;
    this.operation = completion.operation;
    this.slot = completion.slot;
    this.generation = completion.generation;
    this.result = completion.result;
    this.buffer = completion.buffer;
    this.more = completion.more;
    const isLast = !completion.more && completion.isStale !== true;
    if (completion.operation <= CLOSE && isLast) this.inFlight--;
    return true;
  }

  bufferOffset(buffer: number): number {
    return buffer * this.bufferSize;
  }

  takeBuffer(): number {
    const buffer = this.#freeBuffers.pop() ?? -1;
    this.buffersHighWater = Math.max(this.buffersHighWater, this.buffersUsed);
    return buffer;
  }

  releaseBuffer(buffer: number): void {
    if (this.#freeBuffers.includes(buffer)) this.#checks?.fail('a receive buffer goes back twice');
    const offset = this.bufferOffset(buffer);
    this.memory.bytes.fill(POISON, offset, offset + this.bufferSize);
    this.#freeBuffers.push(buffer);
  }

  get buffersUsed(): number {
    return this.bufferCount - this.#freeBuffers.length;
  }

  destroy(): void {
    this.#destroyed = true;
    if (this.inFlight !== 0) this.#checks?.fail('an Io is destroyed when nothing is in flight');
    this.abandon();
  }

  /** The thread dies: its ring goes on with what it holds of sockets. `abandon` closes it. */
  die(): void {
    this.isDead = true;
    this.#submitted.length = 0;
    this.#completed.length = 0;
    this.#reaped = 0;
    for (const each of this.#held.splice(0)) {
      this.#unwatch(each);
      if (each.operation === RECV || each.operation === SEND) this.#held.push(each);
    }
  }

  /** The thread is gone, and its ring with it. */
  abandon(): void {
    const { ios } = this.kernel;
    if (ios.includes(this)) ios.splice(ios.indexOf(this), 1);
    for (const each of this.#held) this.#unwatch(each);
  }

  /** The operation of a slot that is in flight. */
  find(operation: number, slot: number): Operation | undefined {
    const isIt = (each: Operation) => each.operation === operation && each.slot === slot;
    return this.#held.find(isIt) ?? this.#submitted.find(isIt);
  }

  /** True exactly when the thread has not taken the last completion of an operation of a slot. */
  isInFlight(operation: number, slot: number): boolean {
    if (this.find(operation, slot) !== undefined) return true;
    return this.#completed.some(
      (each) =>
        each.operation === operation && each.slot === slot && !each.more && each.isStale !== true,
    );
  }

  /** True exactly when an operation on a descriptor is in flight. */
  holds(fd: number): boolean {
    const file = this.kernel.file(fd);
    const isOn = (each: Operation) =>
      each.fd === fd &&
      (each.operation === RECV || each.operation === SEND) &&
      (!this.isDead || each.file === file);
    return this.#held.some(isOn) || this.#submitted.some(isOn);
  }

  /** Adds the operations that can go on now. */
  collectReady(ready: Operation[]): void {
    for (const operation of this.#held) if (this.#isReady(operation)) ready.push(operation);
  }

  /** Lets an operation go on that can. */
  progress(operation: Operation): void {
    switch (operation.operation) {
      case ACCEPT: {
        const { result, socket } = acceptResult(this.kernel, operation);
        if (socket !== undefined) this.#checks?.onAccepted(socket, result, operation.slot);
        this.#complete(operation, result);
        break;
      }
      case RECV:
        this.#progressRecv(operation);
        break;
      case SEND: {
        this.#checkUnchanged(operation);
        const result = sendResult(this.kernel, operation);
        if (result !== GOES_ON) this.#complete(operation, result);
        break;
      }
      case WAKEUP:
        operation.pending = false;
        this.#post(operation, 0, -1, true);
        break;
      default:
        this.#complete(operation, operation.closeResult);
    }
  }

  #progressAll(): void {
    for (const operation of [...this.#held]) {
      while (this.#held.includes(operation) && this.#isReady(operation)) this.progress(operation);
    }
  }

  #isReady(operation: Operation): boolean {
    if (!isReady(this.kernel, operation)) return false;
    // Sends of one descriptor take their bytes in the order in which they were submitted.
    if (operation.operation === SEND) {
      const { fd } = operation;
      return this.#held.find((each) => each.operation === SEND && each.fd === fd) === operation;
    }
    // A wake-up that waits to be reaped tells of a further write as well.
    if (operation.operation === WAKEUP) {
      return !this.#completed.some((each) => each.operation === WAKEUP);
    }
    return true;
  }

  #progressRecv(operation: Operation): void {
    const { random, faults } = this.kernel;
    const sizeMax = this.#freeBuffers.length > 0 ? this.bufferSize : 0;
    const result = recvResult(this.kernel, operation, sizeMax);
    if (result <= 0) {
      this.#complete(operation, result);
      return;
    }
    const socket = fileOf(this.kernel, operation) as Socket;
    const buffer = this.#freeBuffers.pop()!;
    this.memory.bytes.set(socket.toServer.take(result), this.bufferOffset(buffer));
    this.buffersHighWater = Math.max(this.buffersHighWater, this.buffersUsed);
    if (operation.repeat && !random.chance(faults.recvEnds)) {
      this.#post(operation, result, buffer, true);
    } else this.#complete(operation, result, buffer);
  }

  #checkUnchanged({ offset, bytes }: Operation): void {
    const now = this.memory.bytes.subarray(offset, offset + bytes.length);
    if (Buffer.compare(now, bytes) !== 0) this.#checks?.fail('memory that is sent has changed');
  }

  #complete(operation: Operation, result: number, buffer = -1): void {
    this.#held.splice(this.#held.indexOf(operation), 1);
    this.#unwatch(operation);
    this.#post(operation, result, buffer, false);
  }

  #post(operation: Operation, result: number, buffer: number, more: boolean): void {
    if (this.isDead) return;
    const { fd, slot, generation } = operation;
    const kind = operation.operation;
    const file = kind === RECV || kind === SEND ? this.kernel.file(fd) : undefined;
    const socket = file?.kind === 'socket' ? file : undefined;
    this.kernel.trace?.(`  kernel: ${OPERATION_NAMES[kind]} of slot ${slot} answers ${result}`);
    const isShort = result < operation.bytes.length;
    const completion = { operation: kind, slot, generation, result, buffer, more, socket, isShort };
    this.#completed.push(completion);
  }

  #cancel({ target, slot, generation }: Operation): void {
    for (const each of this.#held) {
      if (each.operation === target && each.slot === slot && each.generation === generation) {
        each.cancelled = true;
      }
    }
  }

  // The last receive of the connection before completes again, now that this one receives.
  #repeatStale({ slot }: Operation): void {
    const generation = this.#staleGenerations.get(slot);
    if (generation === undefined) return;
    this.#staleGenerations.delete(slot);
    const stale = { operation: RECV, slot, generation, result: 0, buffer: -1, more: false };
    this.#completed.push({ ...stale, socket: undefined, isShort: false, isStale: true });
  }

  #hold(operation: Operation): void {
    const { kernel } = this;
    operation.file = kernel.file(operation.fd);
    this.#held.push(operation);
    if (operation.operation === RECV) this.#repeatStale(operation);
    if (operation.operation === CLOSE) {
      if (kernel.random.chance(kernel.faults.staleCompletion)) {
        this.#staleGenerations.set(operation.slot, operation.generation);
      }
      const file = kernel.file(operation.fd);
      if (file?.kind === 'socket') this.#checks?.onClose(file, operation.fd, operation.slot);
      else this.#checks?.fail('a descriptor is closed that is not open');
      if (!kernel.close(operation.fd)) operation.closeResult = -EBADF;
    } else if (operation.operation === WAKEUP) {
      const file = kernel.file(operation.fd);
      if (file?.kind !== 'eventfd') return;
      // A poll tells at once of what was written before.
      operation.pending = file.written;
      file.polls.add(operation);
    }
  }

  #unwatch(operation: Operation): void {
    if (operation.operation !== WAKEUP) return;
    const file = this.kernel.file(operation.fd);
    if (file?.kind === 'eventfd') file.polls.delete(operation);
  }

  #submit(
    operation: number,
    fd: number,
    slot: number,
    generation: number,
    repeat = false,
    offset = 0,
    bytes = NOTHING,
  ): void {
    const made = this.#make(operation, fd, slot, generation, repeat, offset, bytes);
    this.kernel.trace?.(`  ${OPERATION_NAMES[operation]} of slot ${slot}, descriptor ${fd}`);
    if (this.#destroyed) this.#checks?.fail('an Io is not used after it was destroyed');
    this.#checks?.onSubmit(made);
    this.inFlight++;
    this.operationsCount++;
    this.#submitted.push(made);
  }

  #make(
    operation: number,
    fd: number,
    slot: number,
    generation: number,
    repeat = false,
    offset = 0,
    bytes = NOTHING,
  ): Operation {
    return {
      io: this,
      operation,
      fd,
      slot,
      generation,
      repeat,
      offset,
      bytes,
      taken: 0,
      cancelled: false,
      closeResult: 0,
      pending: false,
      dueMs: 0,
      target: 0,
      file: undefined,
    };
  }
}
