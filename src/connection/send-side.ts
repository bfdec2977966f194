// The send side of the connections of a thread: responses are written one behind the other into a
// pooled block, and leave in one send per tick.
//
//     block  [ sent | in flight | written, not sent | space ]
//                   ^start      ^                   ^end
//
// The kernel reads only what is in flight; new responses go behind it. A block goes back to the
// pool when everything in it was taken: a connection that owes nothing holds none.
//
// Owner: one thread. Data plane.

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Io } from '../io/io.ts';
import { NONE } from '../memory/pool.ts';
import { SlotQueue } from '../memory/slot-queue.ts';
import type { ConnectionTable } from './connection-table.ts';
import { SEND_IN_FLIGHT, SEND_QUEUED, TERMINATING } from './connection-table.ts';
import type { Deadlines } from './deadlines.ts';
import type { SendBlocks } from './send-blocks.ts';

/** What `onSend` answers. */
export const SEND_FAILED = 0;
export const SEND_GOES_ON = 1;
export const SEND_DRAINED = 2;

export class SendSide {
  readonly #io: Io;
  readonly #table: ConnectionTable;
  readonly #blocks: SendBlocks;
  readonly #deadlines: Deadlines;
  readonly #counters: Counters;
  // Connections with something to send: those with the flag SEND_QUEUED.
  readonly #queue: SlotQueue;

  constructor(
    io: Io,
    table: ConnectionTable,
    blocks: SendBlocks,
    deadlines: Deadlines,
    counters: Counters,
  ) {
    this.#io = io;
    this.#table = table;
    this.#blocks = blocks;
    this.#deadlines = deadlines;
    this.#counters = counters;
    this.#queue = new SlotQueue(table.pool.capacity);
  }

  /**
   * Where the next bytes are written; NONE when there is no block left. Of `size` bytes that are
   * going to be written, as many as possible should fit.
   */
  reserve(slot: number, size: number): number {
    const table = this.#table;
    let block = table.sendBlock(slot);
    if (block === NONE) {
      block = this.#blocks.acquire(size);
      if (block === NONE) {
        count(this.#counters, Counter.sendBlocksDry);
        return NONE;
      }
      table.setSendBlock(slot, block);
      table.setSendRange(slot, 0, 0);
    }
    return this.#blocks.offset(block) + table.sendEnd(slot);
  }

  /** Where the space of a connection with a block ends: an offset like those of `reserve`. */
  limit(slot: number): number {
    const block = this.#table.sendBlock(slot);
    return this.#blocks.offset(block) + this.#blocks.size(block);
  }

  /** Notes that a response was written up to `end`, an offset like those of `reserve`. */
  commit(slot: number, end: number): void {
    const table = this.#table;
    const block = table.sendBlock(slot);
    const blockEnd = end - this.#blocks.offset(block);
    assert(blockEnd <= this.#blocks.size(block), 'a response stays within its block');
    table.setSendRange(slot, table.sendStart(slot), blockEnd);
    this.#enqueue(slot);
  }

  /** True exactly when something written was not taken yet. */
  isOwing(slot: number): boolean {
    const table = this.#table;
    return table.sendBlock(slot) !== NONE && table.sendStart(slot) !== table.sendEnd(slot);
  }

  /** True exactly when the connection holds a block. */
  hasBlock(slot: number): boolean {
    return this.#table.sendBlock(slot) !== NONE;
  }

  /** True exactly when something was written since the send phase. */
  get isQueued(): boolean {
    return this.#queue.count > 0;
  }

  /** The send phase of a tick. A connection that began to end after it was queued sends no more. */
  flush(): void {
    const table = this.#table;
    for (let slot = this.#queue.shift(); slot !== NONE; slot = this.#queue.shift()) {
      table.clearFlag(slot, SEND_QUEUED);
      const waits = table.has(slot, SEND_IN_FLIGHT) || table.state(slot) === TERMINATING;
      if (!waits && this.isOwing(slot)) this.#send(slot);
    }
  }

  onSend(slot: number, result: number): number {
    const table = this.#table;
    table.clearFlag(slot, SEND_IN_FLIGHT);
    if (result <= 0) return SEND_FAILED;
    const start = table.sendStart(slot) + result;
    table.setSendRange(slot, start, table.sendEnd(slot));
    if (start < table.sendEnd(slot)) {
      this.#enqueue(slot);
      return SEND_GOES_ON;
    }
    this.release(slot);
    return SEND_DRAINED;
  }

  /** Gives the block back, if the connection holds one, with whatever was not sent. */
  release(slot: number): void {
    const table = this.#table;
    const block = table.sendBlock(slot);
    if (block === NONE) return;
    assert(!table.has(slot, SEND_IN_FLIGHT), 'memory is released when the kernel has let go of it');
    table.setSendBlock(slot, NONE);
    table.setSendRange(slot, 0, 0);
    this.#blocks.release(block);
  }

  #send(slot: number): void {
    const table = this.#table;
    const start = table.sendStart(slot);
    const offset = this.#blocks.offset(table.sendBlock(slot)) + start;
    table.setFlag(slot, SEND_IN_FLIGHT);
    // A peer has its time for the block, not for each byte of it that it takes.
    if (start === 0) this.#deadlines.beginSend(slot);
    this.#io.send(
      table.fd(slot),
      offset,
      table.sendEnd(slot) - start,
      slot,
      table.generation(slot),
    );
  }

  #enqueue(slot: number): void {
    const table = this.#table;
    if (table.has(slot, SEND_QUEUED)) return;
    table.setFlag(slot, SEND_QUEUED);
    this.#queue.push(slot);
  }
}
