// The task holders: fixed blocks of shared memory, each with one task until its result was read.
//
// Every thread has its own TaskHolders over the same memory. Data plane. A holder has one owner at
// a time, named in its state word and changed only by compare-and-exchange; only the owner touches
// the rest, and plainly: whoever sees the new state (or the cell, or the stack, published after it)
// also sees what was written before, because Atomics are sequentially consistent.
//
//     FREE ---> BUILDING ------> QUEUED ------> RUNNING ------> DONE ------> FREE
//     accept     accept     |    nobody    ^     worker     accept thread
//     thread     thread     |              |
//                           +--- inline ---+     (with no workers: RUNNING by the accept thread)
//
// A DONE holder still names the thread that ran it. When that dies, the main thread makes it
// ORPHANED, which the accept thread frees like a DONE one: see `layout.ts`.
// The header is one cache line, the payload follows:
//
//     [ state | task | slot | generation | position | status | sizes | deadline | flags | kinds ]
//     [ payload ... ]
//
// The payload holds the input, and then the output: a task reads its input before it ends.

import { Buffer } from 'node:buffer';
import { assert, VERIFY } from '../base/assert.ts';
import { msBetween } from '../base/clock.ts';
import { type DelegateMemory, delegateLayout, LINE_WORDS } from './layout.ts';
// The global one is looked up at each use.
import { CONNECTION, TEXT } from './payload-kind.ts';

/** In place of a deadline: the holder is never late. */
export const NO_DEADLINE = 0;

export const FREE = 0;
export const BUILDING = 1;
export const QUEUED = 2;
export const RUNNING = 3;
export const DONE = 4;
/** DONE by a thread that died: it may not have been published. */
export const ORPHANED = 5;

// The state word: the state in its low bits, the owning thread above.
const STATE_BITS = 3;
const STATE_MASK = (1 << STATE_BITS) - 1;

// For each state, the set of states that may follow it.
const FOLLOWERS = new Uint8Array(ORPHANED + 1);
FOLLOWERS[FREE] = 1 << BUILDING;
FOLLOWERS[BUILDING] = (1 << QUEUED) | (1 << RUNNING);
FOLLOWERS[QUEUED] = 1 << RUNNING;
FOLLOWERS[RUNNING] = 1 << DONE;
FOLLOWERS[DONE] = (1 << FREE) | (1 << ORPHANED);
FOLLOWERS[ORPHANED] = 1 << FREE;

// The words of the header.
const STATE = 0;
const TASK_INDEX = 1;
const EXCHANGE = 2;
const EXCHANGE_GENERATION = 3;
const QUEUE_POSITION = 4;
const STATUS = 5;
const INPUT_SIZE = 6;
const OUTPUT_SIZE = 7;
const SHARES_THREAD = 8;
const DEADLINE = 9;
const CANCELLED = 10;
// 1: the queue may have an entry of the holder though it is not QUEUED.
const STALE_ENTRY = 11;
// How the bytes of the payload are meant, as in `payload-kind.ts`: of the input, of the output.
const INPUT_KIND = 14;
const OUTPUT_KIND = 15;

const HEADER_SIZE = LINE_WORDS * 4;
const POISON = 0xa5;

export class TaskHolders {
  readonly count: number;
  /** Payload bytes of a holder: the most that an input or an output can have. */
  readonly payloadSize: number;
  /** The whole shared memory as bytes: read a payload at `payloadOffset(holder)`. */
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #first: number;
  readonly #holderWords: number;
  readonly #share: number;
  // By holder, where one was asked for.
  readonly #views: (Uint8Array<SharedArrayBuffer> | undefined)[] = [];

  constructor(memory: DelegateMemory) {
    const layout = delegateLayout(memory.options);
    assert(memory.buffer.byteLength === layout.size, 'the memory was created from its options');
    this.count = layout.holdersCount;
    this.payloadSize = layout.holderWords * 4 - HEADER_SIZE;
    this.bytes = Buffer.from(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#first = layout.holders;
    this.#holderWords = layout.holderWords;
    this.#share = memory.options.holdersPerAcceptThread;
  }

  /** One of FREE, BUILDING, QUEUED, RUNNING, DONE, ORPHANED. */
  state(holder: number): number {
    return Atomics.load(this.#words, this.#at(holder) + STATE) & STATE_MASK;
  }

  /** The thread that builds, runs or ran the task; 0 while the holder is free or queued. */
  thread(holder: number): number {
    return Atomics.load(this.#words, this.#at(holder) + STATE) >>> STATE_BITS;
  }

  /** The accept thread whose share the holder belongs to. */
  acceptThread(holder: number): number {
    assert(holder >= 0 && holder < this.count, 'a holder index is in range');
    return Math.trunc(holder / this.#share);
  }

  taskIndex(holder: number): number {
    return this.#words[this.#at(holder) + TASK_INDEX]!;
  }

  exchange(holder: number): number {
    return this.#words[this.#at(holder) + EXCHANGE]!;
  }

  exchangeGeneration(holder: number): number {
    return this.#words[this.#at(holder) + EXCHANGE_GENERATION]!;
  }

  /** The position in the task queue; valid from QUEUED on. */
  queuePosition(holder: number): number {
    return this.#words[this.#at(holder) + QUEUE_POSITION]!;
  }

  /** When the task is late, in milliseconds as `Clock.nowMs` counts them, in every thread. */
  deadlineMs(holder: number): number {
    return this.#words[this.#at(holder) + DEADLINE]!;
  }

  /** True exactly when the task has a deadline, and `nowMs` of that clock is not before it. */
  isLate(holder: number, nowMs: number): boolean {
    const deadlineMs = this.deadlineMs(holder);
    return deadlineMs !== NO_DEADLINE && msBetween(deadlineMs, nowMs) >= 0;
  }

  /** Puts the deadline off. The owner alone; others may see the old one for a while. */
  setDeadline(holder: number, deadlineMs: number): void {
    const state = this.#ownState(holder);
    assert(state === BUILDING || state === RUNNING, 'a deadline is put off by the owner only');
    this.#words[this.#at(holder) + DEADLINE] = deadlineMs;
  }

  /** False exactly when what runs has the thread: its function has not returned, nor waits. */
  sharesThread(holder: number): boolean {
    return this.#words[this.#at(holder) + SHARES_THREAD] !== 0;
  }

  setSharesThread(holder: number, shares: boolean): void {
    this.#words[this.#at(holder) + SHARES_THREAD] = shares ? 1 : 0;
  }

  /** True exactly when nobody waits for the result any more. Any thread may ask. */
  isCancelled(holder: number): boolean {
    return Atomics.load(this.#words, this.#at(holder) + CANCELLED) !== 0;
  }

  /** Nobody waits for the result any more: whoever runs the task may know it, and stop. */
  cancel(holder: number): void {
    Atomics.store(this.#words, this.#at(holder) + CANCELLED, 1);
  }

  /** The HTTP status of the result. */
  status(holder: number): number {
    return this.#words[this.#at(holder) + STATUS]!;
  }

  /** TEXT, BYTES or JSON_TEXT. */
  inputKind(holder: number): number {
    return this.#words[this.#at(holder) + INPUT_KIND]!;
  }

  /** TEXT, BYTES, JSON_TEXT or ENDED. */
  outputKind(holder: number): number {
    return this.#words[this.#at(holder) + OUTPUT_KIND]!;
  }

  inputSize(holder: number): number {
    return this.#words[this.#at(holder) + INPUT_SIZE]!;
  }

  outputSize(holder: number): number {
    return this.#words[this.#at(holder) + OUTPUT_SIZE]!;
  }

  payloadOffset(holder: number): number {
    return this.#at(holder) * 4 + HEADER_SIZE;
  }

  /** What is built is not a task, but a connection that is handed off. */
  markConnection(holder: number): void {
    assert(this.#ownState(holder) === BUILDING, 'a holder says what it is when it is built');
    this.#words[this.#at(holder) + INPUT_KIND] = CONNECTION;
  }

  /** FREE -> BUILDING, and the task's identity. The input follows with `setInput`. */
  build(
    holder: number,
    thread: number,
    taskIndex: number,
    slot: number,
    generation: number,
    deadlineMs = 0,
  ): void {
    assert(taskIndex >= 0, 'a task has an index');
    this.#mustChange(holder, FREE, 0, BUILDING, thread);
    const at = this.#at(holder);
    this.#words[at + TASK_INDEX] = taskIndex;
    this.#words[at + EXCHANGE] = slot;
    this.#words[at + EXCHANGE_GENERATION] = generation;
    this.#words[at + STATUS] = 0;
    this.#words[at + INPUT_SIZE] = 0;
    this.#words[at + INPUT_KIND] = TEXT;
    this.#words[at + OUTPUT_SIZE] = 0;
    this.#words[at + OUTPUT_KIND] = TEXT;
    this.#words[at + SHARES_THREAD] = 0;
    this.#words[at + DEADLINE] = deadlineMs;
    this.#words[at + CANCELLED] = 0;
  }

  /** Copies the input into the payload. It must fit. */
  setInput(holder: number, bytes: Uint8Array, offset: number, size: number): void {
    assert(this.#ownState(holder) === BUILDING, 'an input belongs to a task that is being built');
    assert(size >= 0 && size <= this.payloadSize, 'an input fits its holder');
    assert(offset >= 0 && offset + size <= bytes.length, 'an input lies within its source');
    const target = this.payloadOffset(holder);
    // A loop, because every way to copy a part of an array at once makes an object for the part.
    for (let i = 0; i < size; i++) this.bytes[target + i] = bytes[offset + i]!;
    this.#words[this.#at(holder) + INPUT_SIZE] = size;
  }

  /** Writes the input into the payload, a string as UTF-8. It must fit, see `sizeOf`. */
  writeInput(holder: number, input: string | Uint8Array, kind: number): void {
    assert(this.#ownState(holder) === BUILDING, 'an input belongs to a task that is being built');
    const size = sizeOf(input);
    assert(size <= this.payloadSize, 'an input fits its holder');
    this.#write(holder, input, size);
    const at = this.#at(holder);
    this.#words[at + INPUT_SIZE] = size;
    this.#words[at + INPUT_KIND] = kind;
  }

  /** BUILDING(thread) -> QUEUED: nobody's, until a worker takes it. */
  markQueued(holder: number, thread: number, position: number): void {
    this.setQueuePosition(holder, position);
    this.#mustChange(holder, BUILDING, thread, QUEUED, 0);
  }

  setQueuePosition(holder: number, position: number): void {
    this.#words[this.#at(holder) + QUEUE_POSITION] = position;
  }

  /** QUEUED -> RUNNING(thread). False when another thread was first: the task is not ours. */
  tryRun(holder: number, thread: number): boolean {
    return this.#change(holder, QUEUED, 0, RUNNING, thread);
  }

  /** The same, by who has not taken its entry from the queue, where that stays. */
  tryTakeBack(holder: number, thread: number): boolean {
    if (!this.tryRun(holder, thread)) return false;
    this.setStaleEntry(holder, true);
    return true;
  }

  /** False: no entry of the holder, which is not QUEUED, is in the queue. */
  mayHaveStaleEntry(holder: number): boolean {
    return this.#words[this.#at(holder) + STALE_ENTRY] !== 0;
  }

  setStaleEntry(holder: number, isThere: boolean): void {
    this.#words[this.#at(holder) + STALE_ENTRY] = isThere ? 1 : 0;
  }

  /** BUILDING(thread) -> RUNNING(thread): the accept thread runs its task itself. */
  runInline(holder: number, thread: number): void {
    this.#mustChange(holder, BUILDING, thread, RUNNING, thread);
  }

  /** RUNNING(thread) -> DONE(thread): the result is the accept thread's. */
  markDone(holder: number, thread: number): void {
    assert(this.status(holder) !== 0, 'a task that is done has a status');
    this.#mustChange(holder, RUNNING, thread, DONE, thread);
  }

  /** DONE -> FREE, by the accept thread, after it read the result. */
  markFree(holder: number): void {
    this.assertDone(holder);
    const thread = this.thread(holder);
    if (VERIFY) {
      const offset = this.payloadOffset(holder);
      this.bytes.fill(POISON, offset, offset + this.payloadSize);
    }
    // The main thread may be making it an orphan.
    if (this.#change(holder, DONE, thread, FREE, 0)) return;
    this.#mustChange(holder, ORPHANED, thread, FREE, 0);
  }

  /** True exactly when the result is there. */
  isDone(holder: number): boolean {
    const state = this.state(holder);
    return state === DONE || state === ORPHANED;
  }

  /** For the accept thread, which has found the holder among its completions: a plain look. */
  assertDone(holder: number): void {
    const state = this.#ownState(holder);
    assert(state === DONE || state === ORPHANED, 'a completion is done');
  }

  /** DONE(thread) -> ORPHANED(thread), by the main thread, when `thread` has died. */
  tryOrphan(holder: number, thread: number): boolean {
    return this.#change(holder, DONE, thread, ORPHANED, thread);
  }

  /** The result with no output. */
  setStatus(holder: number, status: number): void {
    assert(this.#ownState(holder) === RUNNING, 'only a task that runs has its result set');
    const at = this.#at(holder);
    this.#words[at + STATUS] = status;
    this.#words[at + OUTPUT_SIZE] = 0;
  }

  /** Writes the output over the input. False, and nothing is written, when it does not fit. */
  setOutput(holder: number, body: string | Uint8Array, kind = TEXT): boolean {
    assert(this.#ownState(holder) === RUNNING, 'only a task that runs has its result set');
    // A string has at least one byte for each of its code units: a huge one is not even counted.
    if (body.length > this.payloadSize) return false;
    const size = sizeOf(body);
    if (size > this.payloadSize) return false;
    this.#write(holder, body, size);
    const at = this.#at(holder);
    this.#words[at + OUTPUT_SIZE] = size;
    this.#words[at + OUTPUT_KIND] = kind;
    return true;
  }

  #write(holder: number, body: string | Uint8Array, size: number): void {
    if (size === 0) return;
    const offset = this.payloadOffset(holder);
    if (typeof body === 'string') this.bytes.write(body, offset, size, 'utf8');
    else if (body.buffer !== this.bytes.buffer || body.byteOffset !== offset) {
      this.bytes.set(body, offset);
    }
  }

  /**
   * The first `size` bytes of the payload, where they lie. The view is kept, and answered again for
   * as long as the size stays the same: tasks of one size make no views.
   */
  view(holder: number, size: number): Uint8Array<SharedArrayBuffer> {
    assert(size >= 0 && size <= this.payloadSize, 'a view lies within its payload');
    let view = this.#views[holder];
    if (view === undefined || view.length !== size) {
      view = new Uint8Array(this.bytes.buffer, this.payloadOffset(holder), size);
      this.#views[holder] = view;
    }
    return view;
  }

  // Where the holder begins, in words.
  #at(holder: number): number {
    assert(holder >= 0 && holder < this.count, 'a holder index is in range');
    return this.#first + holder * this.#holderWords;
  }

  // As `state`, of a holder that the calling thread owns: a plain look, because nobody changes it.
  #ownState(holder: number): number {
    return this.#words[this.#at(holder) + STATE]! & STATE_MASK;
  }

  #mustChange(holder: number, from: number, owner: number, to: number, thread: number): void {
    assert(this.#change(holder, from, owner, to, thread), 'a holder is changed by its owner only');
  }

  #change(holder: number, from: number, owner: number, to: number, thread: number): boolean {
    assert((FOLLOWERS[from]! & (1 << to)) !== 0, 'a state is followed by one of its followers');
    assert(thread >= 0, 'threads are numbered from zero');
    const before = (owner << STATE_BITS) | from;
    const after = (thread << STATE_BITS) | to;
    const at = this.#at(holder) + STATE;
    return Atomics.compareExchange(this.#words, at, before, after) === before;
  }
}

/** Bytes of what is written into a payload. */
export function sizeOf(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}
