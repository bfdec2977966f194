// What travels with a connection that is handed to another thread, and back: the record, in the
// payload of its holder, and its unread bytes, in blocks of shared memory.
//
//     payload  [ fd | requests | reason | state | start | end | blocks | block, block, ... ]
//                                        of the bytes, within the blocks, one behind another
//
// The first `state` of the bytes are the application's: what one side of a hand-off tells the
// other.
//
// Only the owner of the holder touches its record and its blocks (`task-holders.ts`). The blocks
// are those of the accept thread, which alone takes them and gives them back; whoever returns a
// connection puts what it has not read into the blocks that came with it: one has room for all that
// a connection can keep of what it received by itself (`server/memory-plan.ts`).
//
// Every thread has its own view of the same memory. Data plane, once for each hand-off.

import { assert } from '../base/assert.ts';
import type { DelegateMemory } from './layout.ts';
import type { TaskHolders } from './task-holders.ts';

const FD = 0;
const REQUESTS = 1;
const REASON = 2;
const STATE = 3;
const START = 4;
const END = 5;
const BLOCKS = 6;
const FIRST_BLOCK = 7;

/** The most blocks of one connection. */
export const BLOCKS_MAX = 128;

/** The end of a hand-off, as the status of its holder. */
export const RETURNED = 200;
/** The connection has ended with the worker, in order: its descriptor is to be closed. */
export const ENDED = 204;
/** Anything else: the worker died, and what it had sent of a response is not known. */

export class HandOffRecords {
  readonly blockSize: number;
  readonly #holders: TaskHolders;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #blocksMax: number;

  constructor(memory: DelegateMemory, holders: TaskHolders) {
    this.blockSize = memory.options.unreadBlockSize;
    this.#holders = holders;
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.unread);
    this.#blocksMax = Math.min(BLOCKS_MAX, holders.payloadSize / 4 - FIRST_BLOCK);
  }

  /** A record without bytes or blocks. */
  begin(holder: number, fd: number, requests: number): void {
    const at = this.#at(holder);
    this.#words[at + FD] = fd;
    this.#words[at + REQUESTS] = requests;
    this.#words[at + REASON] = 0;
    this.#words[at + STATE] = 0;
    this.#words[at + START] = 0;
    this.#words[at + END] = 0;
    this.#words[at + BLOCKS] = 0;
  }

  fd(holder: number): number {
    return this.#words[this.#at(holder) + FD]!;
  }

  /** Requests that the connection has had. */
  requests(holder: number): number {
    return this.#words[this.#at(holder) + REQUESTS]!;
  }

  setRequests(holder: number, requests: number): void {
    this.#words[this.#at(holder) + REQUESTS] = requests;
  }

  /** Why a connection has ended with the worker: the place of a counter. */
  reason(holder: number): number {
    return this.#words[this.#at(holder) + REASON]!;
  }

  setReason(holder: number, reason: number): void {
    this.#words[this.#at(holder) + REASON] = reason;
  }

  /** How many bytes at the beginning are the application's. */
  stateSize(holder: number): number {
    return this.#words[this.#at(holder) + STATE]!;
  }

  setStateSize(holder: number, size: number): void {
    this.#words[this.#at(holder) + STATE] = size;
  }

  /** Adds a block behind the others. False when a record has no more. */
  addBlock(holder: number, block: number): boolean {
    const at = this.#at(holder);
    const count = this.#words[at + BLOCKS]!;
    if (count >= this.#blocksMax) return false;
    this.#words[at + FIRST_BLOCK + count] = block;
    this.#words[at + BLOCKS] = count + 1;
    return true;
  }

  /** The blocks. Control plane. */
  blocks(holder: number): number[] {
    const first = this.#at(holder) + FIRST_BLOCK;
    return [...this.#words.subarray(first, first + this.#words[this.#at(holder) + BLOCKS]!)];
  }

  /** Takes the last block off, or answers -1. */
  takeBlock(holder: number): number {
    const at = this.#at(holder);
    const count = this.#words[at + BLOCKS]!;
    if (count === 0) return -1;
    this.#words[at + BLOCKS] = count - 1;
    return this.#words[at + FIRST_BLOCK + count - 1]!;
  }

  /** How many bytes can be written behind those that are there. */
  space(holder: number): number {
    const at = this.#at(holder);
    return this.#words[at + BLOCKS]! * this.blockSize - this.#words[at + END]!;
  }

  /** How many bytes were not read. */
  size(holder: number): number {
    const at = this.#at(holder);
    return this.#words[at + END]! - this.#words[at + START]!;
  }

  /** Forgets the bytes; the blocks stay. */
  clear(holder: number): void {
    const at = this.#at(holder);
    this.#words[at + STATE] = 0;
    this.#words[at + START] = 0;
    this.#words[at + END] = 0;
  }

  /** Puts the bytes from `start` to `end`, for which there is space, behind the others. */
  write(holder: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.#at(holder);
    let to = this.#words[at + END]!;
    assert(end - start <= this.space(holder), 'unread bytes have their space');
    for (let from = start; from < end; ) {
      const size = Math.min(end - from, this.blockSize - (to % this.blockSize));
      this.#bytes.set(bytes.subarray(from, from + size), this.#place(at, to));
      from += size;
      to += size;
    }
    this.#words[at + END] = to;
  }

  /** Reads at most `sizeMax` bytes to `offset` of `target`. Answers how many. */
  read(holder: number, target: Uint8Array, offset: number, sizeMax: number): number {
    const at = this.#at(holder);
    const start = this.#words[at + START]!;
    const size = Math.min(sizeMax, this.#words[at + END]! - start);
    for (let done = 0; done < size; ) {
      const from = start + done;
      const piece = Math.min(size - done, this.blockSize - (from % this.blockSize));
      const place = this.#place(at, from);
      target.set(this.#bytes.subarray(place, place + piece), offset + done);
      done += piece;
    }
    this.#words[at + START] = start + size;
    return size;
  }

  // Where the record begins, in words.
  #at(holder: number): number {
    return this.#holders.payloadOffset(holder) / 4;
  }

  // Where byte `index` of a connection lies in the blocks.
  #place(at: number, index: number): number {
    const block = this.#words[at + FIRST_BLOCK + Math.trunc(index / this.blockSize)]!;
    return block * this.blockSize + (index % this.blockSize);
  }
}

/** The unread bytes of one holder after the other, as whoever reads or writes them sees them. */
export class RecordBytes {
  readonly #records: HandOffRecords;
  #holder = -1;

  constructor(records: HandOffRecords) {
    this.#records = records;
  }

  of(holder: number): this {
    this.#holder = holder;
    return this;
  }

  get size(): number {
    return this.#records.size(this.#holder);
  }

  get stateSize(): number {
    return this.#records.stateSize(this.#holder);
  }

  set stateSize(size: number) {
    this.#records.setStateSize(this.#holder, size);
  }

  read(target: Uint8Array, offset: number, sizeMax: number): number {
    return this.#records.read(this.#holder, target, offset, sizeMax);
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.#records.write(this.#holder, bytes, start, end);
  }
}
