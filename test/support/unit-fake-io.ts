// An `Io` without a kernel, for tests: it records what is submitted, and completes it when the test
// says so. It also checks, on every call, what the kernel would punish later: two operations of a
// kind in flight for one slot, a close while an operation is in flight, memory that changes while
// it is sent.

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import type { Io, IoMemory } from '../../src/io/io.ts';
import { ACCEPT, CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { SHUT_WR } from '../../src/kernel/sockets.ts';

const NAMES = ['', 'accept', 'recv', 'send', 'close'];

/** What the kernel would hold. */
export interface Submission {
  readonly operation: number;
  readonly fd: number;
  readonly slot: number;
  readonly generation: number;
  /** Of a RECV. */
  readonly repeat: boolean;
  /** Of a SEND: where its bytes lie, and what they were when it was submitted. */
  readonly offset: number;
  readonly bytes: Buffer;
}

export class FakeIo implements Io {
  readonly backend = 'io_uring';
  readonly memory: IoMemory;
  readonly bufferCount: number;
  readonly bufferSize: number;
  readonly completionsReady: number = 0;
  readonly hasSubmissions: boolean = false;
  operation = 0;
  slot = 0;
  generation = 0;
  result = 0;
  buffer = -1;
  more = false;
  buffersHighWater = 0;
  /** Every call that asks for something, such as `recv 0` or `send 0 HTTP/1.1 200 OK`. */
  readonly calls: string[] = [];
  /** What is in flight, the oldest first. */
  readonly submissions: Submission[] = [];
  /** Those of them that were asked to end. */
  readonly cancelled = new Set<Submission>();
  /** By descriptor: how it was shut down, as shutdown(2) takes it. */
  readonly shutdowns = new Map<number, number>();
  readonly #free: number[];

  constructor(recvBuffers: number, recvBufferSize: number, blocksSize: number) {
    const blocksOffset = recvBuffers * recvBufferSize;
    this.memory = { bytes: new Uint8Array(blocksOffset + blocksSize), blocksOffset };
    this.bufferCount = recvBuffers;
    this.bufferSize = recvBufferSize;
    this.#free = Array.from({ length: recvBuffers }, (_, index) => recvBuffers - 1 - index);
  }

  get inFlight(): number {
    return this.submissions.length;
  }

  get buffersUsed(): number {
    return this.bufferCount - this.#free.length;
  }

  accept(fd: number, slot: number, generation: number): void {
    this.#submit({ operation: ACCEPT, fd, slot, generation });
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    this.#submit({ operation: RECV, fd, slot, generation, repeat });
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    ok(size > 0, 'a send has bytes');
    ok(offset >= this.memory.blocksOffset, 'what is sent lies in a block');
    const bytes = Buffer.from(this.memory.bytes.slice(offset, offset + size));
    equal(bytes.length, size);
    this.#submit({ operation: SEND, fd, slot, generation, offset, bytes });
  }

  close(fd: number, slot: number, generation: number): void {
    deepEqual(
      this.submissions.filter((each) => each.fd === fd).map((each) => NAMES[each.operation]),
      [],
      'nothing is in flight when a descriptor is closed',
    );
    this.#submit({ operation: CLOSE, fd, slot, generation });
  }

  detach(fd: number): void {
    deepEqual(
      this.submissions.filter((each) => each.fd === fd).map((each) => NAMES[each.operation]),
      [],
      'nothing is in flight when a descriptor leaves',
    );
    this.calls.push(`detach ${fd}`);
  }

  cancel(operation: number, slot: number, generation: number): void {
    const found = this.find(operation, slot);
    if (found?.generation === generation) this.cancelled.add(found);
    this.calls.push(`cancel ${NAMES[operation]} ${slot}`);
  }

  shutdown(fd: number, how: number): void {
    const sends = this.submissions.filter((each) => each.operation === SEND && each.fd === fd);
    ok(how !== SHUT_WR || sends.length === 0, 'our side ends when everything was sent');
    this.shutdowns.set(fd, how);
    this.calls.push(`shutdown ${fd} ${how === SHUT_WR ? 'write' : 'both'}`);
  }

  setTimer(): void {}
  watch(): void {}
  watchWakeups(): void {}
  submitAndWait(_wait: boolean): void {}
  destroy(): void {}

  nextCompletion(): boolean {
    return false;
  }

  bufferOffset(buffer: number): number {
    return buffer * this.bufferSize;
  }

  takeBuffer(): number {
    return this.#free.pop() ?? -1;
  }

  releaseBuffer(buffer: number): void {
    ok(!this.#free.includes(buffer), 'a receive buffer is given back once');
    const offset = this.bufferOffset(buffer);
    this.memory.bytes.fill(0xdb, offset, offset + this.bufferSize);
    this.#free.push(buffer);
  }

  /** The operation of a slot that is in flight, or undefined. */
  find(operation: number, slot: number): Submission | undefined {
    return this.submissions.find((each) => each.operation === operation && each.slot === slot);
  }

  /** The calls since the last look. */
  takeCalls(): string[] {
    return this.calls.splice(0);
  }

  /** Puts the completion of `submission` in place: for a RECV, `result` may be bytes. */
  complete(submission: Submission, result: number | Uint8Array, more = false): void {
    ok(this.submissions.includes(submission), 'what completes is in flight');
    if (submission.operation === SEND) {
      const { offset, bytes } = submission;
      const now = Buffer.from(this.memory.bytes.slice(offset, offset + bytes.length));
      ok(now.equals(bytes), 'memory that is sent does not change');
    }
    if (more) equal(submission.repeat, true, 'only a receive that repeats goes on');
    else this.submissions.splice(this.submissions.indexOf(submission), 1);
    this.operation = submission.operation;
    this.slot = submission.slot;
    this.generation = submission.generation;
    this.more = more;
    this.buffer = -1;
    this.result = typeof result === 'number' ? result : result.length;
    if (typeof result !== 'number') this.#fill(result);
  }

  get hasFreeBuffer(): boolean {
    return this.#free.length > 0;
  }

  #fill(bytes: Uint8Array): void {
    ok(bytes.length > 0 && bytes.length <= this.bufferSize, 'what arrives fits a receive buffer');
    const buffer = this.#free.pop();
    notEqual(buffer, undefined, 'there is a receive buffer');
    this.buffer = buffer!;
    this.memory.bytes.set(bytes, this.bufferOffset(this.buffer));
    if (this.buffersUsed > this.buffersHighWater) this.buffersHighWater = this.buffersUsed;
  }

  #submit(part: Partial<Submission> & Pick<Submission, 'operation' | 'slot'>): void {
    const { operation, slot } = part;
    equal(this.find(operation, slot), undefined, 'a slot has one operation of a kind in flight');
    equal(this.find(CLOSE, slot), undefined, 'nothing follows a close');
    const submission = { fd: -1, generation: 0, repeat: false, offset: 0, bytes: NOTHING, ...part };
    this.submissions.push(submission);
    const line = submission.bytes.toString('latin1').split('\r\n')[0];
    const detail = operation === SEND ? ` ${line}` : submission.repeat ? ' repeat' : '';
    this.calls.push(`${NAMES[operation]} ${slot}${detail}`);
  }
}

const NOTHING = Buffer.alloc(0);
