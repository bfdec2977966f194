// The receive side of the connections of a thread: submits receives, and keeps the bytes that could
// not be used yet, a request that has not arrived in full mostly, in a block of a bounded pool.
//
//     block  [ read | not read yet | space ]
//                   ^start         ^end
//
// Bytes are put into a block only when at most a head's worth is kept there, a receive buffer's
// worth at a time: a block of both sizes together can never overflow. What arrives while the
// connection waits for its task, or for its peer to take responses, stays in its receive buffers:
// they are held, in order, and the receive that repeats is cancelled.
//
// Owner: one thread. Data plane.

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { PARSER_STATE_WORDS } from '../http/request-parser.ts';
import type { Io } from '../io/io.ts';
import { RECV } from '../io/token.ts';
import type { BlockPool } from '../memory/block-pool.ts';
import { NONE } from '../memory/pool.ts';
import { SlotQueue } from '../memory/slot-queue.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  FLOODS,
  isLeaving,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  TERMINATING,
} from './connection-table.ts';
import type { UnreadBytes } from './departures.ts';

// A connection that holds fewer buffers than this is not the one that takes them all.
const HELD_FEW = 4;

export class RecvSide {
  readonly #io: Io;
  readonly #table: ConnectionTable;
  readonly #blocks: BlockPool;
  readonly #counters: Counters;
  // How far the head in each block was parsed.
  readonly #parserStates: Int32Array;
  // Connections whose receive found no buffer.
  readonly #starved: SlotQueue;
  // By buffer that is held for a connection: how many bytes, and the next one of the connection.
  readonly #heldSize: Int32Array;
  readonly #heldNext: Int32Array;
  readonly #heldManyMax: number;
  readonly #heldMax: number;
  #heldCount = 0;

  constructor(io: Io, table: ConnectionTable, blocks: BlockPool, counters: Counters) {
    this.#io = io;
    this.#table = table;
    this.#blocks = blocks;
    this.#counters = counters;
    this.#parserStates = new Int32Array(blocks.pool.capacity * PARSER_STATE_WORDS);
    this.#starved = new SlotQueue(table.pool.capacity);
    this.#heldSize = new Int32Array(io.bufferCount);
    this.#heldNext = new Int32Array(io.bufferCount);
    this.#heldManyMax = io.bufferCount >> 1;
    this.#heldMax = io.bufferCount - (io.bufferCount >> 2);
  }

  /**
   * Submits a receive, unless one is in flight. The first one of a connection is for once: many
   * peers send one request and are then closed, which a receive that repeats would only hold up.
   */
  arm(slot: number): void {
    const table = this.#table;
    if (table.has(slot, RECV_IN_FLIGHT)) return;
    table.setFlag(slot, RECV_IN_FLIGHT);
    this.#submit(slot);
  }

  /**
   * Every receive buffer was taken: the receive is submitted again in the release phase of this
   * tick, by when the buffers of this tick are back. Until then it counts as in flight.
   */
  starve(slot: number): void {
    count(this.#counters, Counter.recvBuffersDry);
    this.#table.setFlag(slot, RECV_IN_FLIGHT);
    this.#starved.push(slot);
  }

  /**
   * The release phase of a tick. Answers a connection that began to end or to leave while it
   * starved, whose receive is no longer in flight, or NONE. Call until NONE.
   */
  feed(): number {
    const table = this.#table;
    for (let slot = this.#starved.shift(); slot !== NONE; slot = this.#starved.shift()) {
      if (table.state(slot) === TERMINATING || isLeaving(table.flags(slot))) {
        table.clearFlag(slot, RECV_IN_FLIGHT | RECV_CANCELLED);
        return slot;
      }
      this.#submit(slot);
    }
    return NONE;
  }

  /**
   * Holds a receive buffer for later: its bytes came while the connection was not ready for them.
   * The receive that brought them, if it repeats, is asked to end. False when too many are held:
   * once it is half of all, only who holds a few may hold more, and a quarter is always left for
   * the connections that are served.
   */
  hold(slot: number, buffer: number, size: number, more: boolean): boolean {
    const table = this.#table;
    const held = table.heldCount(slot);
    const limit = held < HELD_FEW ? this.#heldMax : this.#heldManyMax;
    if (this.#heldCount >= limit) {
      count(this.#counters, Counter.recvBuffersHeldMax);
      return false;
    }
    this.#heldCount++;
    this.#heldSize[buffer] = size;
    this.#heldNext[buffer] = NONE;
    const last = table.heldLast(slot);
    if (last === NONE) table.setHeld(slot, buffer, buffer, 1);
    else {
      this.#heldNext[last] = buffer;
      table.setHeld(slot, table.heldFirst(slot), buffer, held + 1);
    }
    this.throttle(slot, more);
    return true;
  }

  /**
   * The peer sends more than was asked for: from now on it is asked for one buffer's worth at a
   * time, and the rest waits in the kernel, where it holds the peer back (TCP's window).
   */
  throttle(slot: number, more: boolean): void {
    const table = this.#table;
    table.setFlag(slot, FLOODS);
    if (!more || table.has(slot, RECV_CANCELLED)) return;
    table.setFlag(slot, RECV_CANCELLED);
    this.#io.cancel(RECV, slot, table.generation(slot));
  }

  /** Takes the first buffer that is held, or NONE. Its caller releases it. */
  takeHeld(slot: number): number {
    const table = this.#table;
    const buffer = table.heldFirst(slot);
    if (buffer === NONE) return NONE;
    const next = this.#heldNext[buffer]!;
    const last = next === NONE ? NONE : table.heldLast(slot);
    table.setHeld(slot, next, last, table.heldCount(slot) - 1);
    this.#heldCount--;
    return buffer;
  }

  /** How many bytes lie in a buffer that was held. */
  heldSize(buffer: number): number {
    return this.#heldSize[buffer]!;
  }

  /** True exactly when unread bytes are kept. */
  hasUnread(slot: number): boolean {
    return this.#table.recvBlock(slot) !== NONE;
  }

  /** True exactly when bytes were received that were not looked at to the end. */
  isWaiting(slot: number): boolean {
    return this.hasUnread(slot) || this.#table.heldFirst(slot) !== NONE;
  }

  /** How many bytes were received that were not looked at to the end. */
  waitingSize(slot: number): number {
    const table = this.#table;
    let size = table.recvEnd(slot) - table.recvStart(slot);
    let buffer = table.heldFirst(slot);
    for (; buffer !== NONE; buffer = this.#heldNext[buffer]!) size += this.#heldSize[buffer]!;
    return size;
  }

  /** Gives these bytes away, in order, and their memory back. */
  pack(slot: number, unread: UnreadBytes): void {
    const { bytes } = this.#io.memory;
    if (this.hasUnread(slot)) unread.write(bytes, this.unreadStart(slot), this.unreadEnd(slot));
    this.forgetUnread(slot);
    for (let buffer = this.takeHeld(slot); buffer !== NONE; buffer = this.takeHeld(slot)) {
      const offset = this.#io.bufferOffset(buffer);
      unread.write(bytes, offset, offset + this.#heldSize[buffer]!);
      this.#io.releaseBuffer(buffer);
    }
  }

  /** Where the unread bytes begin and end, as offsets into the bytes of the `Io`. */
  unreadStart(slot: number): number {
    return this.#blocks.offset(this.#table.recvBlock(slot)) + this.#table.recvStart(slot);
  }

  unreadEnd(slot: number): number {
    return this.#blocks.offset(this.#table.recvBlock(slot)) + this.#table.recvEnd(slot);
  }

  /**
   * Keeps the bytes from `start` to `end`, which lie in a receive buffer or in the connection's
   * block, with the state of the parser that stopped at `start`. False when the pool is dry.
   */
  keep(slot: number, start: number, end: number, parser: RequestParser): boolean {
    const table = this.#table;
    let block = table.recvBlock(slot);
    if (block === NONE) {
      block = this.#blocks.acquire();
      if (block === NONE) {
        count(this.#counters, Counter.recvBlocksDry);
        return false;
      }
      table.setRecvBlock(slot, block);
      this.#io.memory.bytes.copyWithin(this.#blocks.offset(block), start, end);
      table.setRecvRange(slot, 0, end - start);
    } else {
      const offset = this.#blocks.offset(block);
      table.setRecvRange(slot, start - offset, end - offset);
    }
    parser.save(this.#parserStates, block * PARSER_STATE_WORDS);
    return true;
  }

  /** Puts bytes of a receive buffer behind the unread ones. */
  append(slot: number, start: number, end: number): void {
    const table = this.#table;
    const offset = this.#blocks.offset(table.recvBlock(slot));
    const size = end - start;
    let keptStart = table.recvStart(slot);
    let keptEnd = table.recvEnd(slot);
    const bytes = this.#io.memory.bytes;
    if (keptEnd + size > this.#blocks.blockSize) {
      bytes.copyWithin(offset, offset + keptStart, offset + keptEnd);
      keptEnd -= keptStart;
      keptStart = 0;
    }
    assert(keptEnd + size <= this.#blocks.blockSize, 'a block holds a head and a receive buffer');
    bytes.copyWithin(offset + keptEnd, start, end);
    table.setRecvRange(slot, keptStart, keptEnd + size);
  }

  /** Gets the parser to where it stopped in the unread bytes. */
  restoreParser(slot: number, parser: RequestParser): void {
    parser.restore(this.#parserStates, this.#table.recvBlock(slot) * PARSER_STATE_WORDS);
  }

  /** Forgets the bytes that are kept or held, if there are any. Answers whether there were. */
  release(slot: number): boolean {
    let dropped = this.hasUnread(slot);
    for (let buffer = this.takeHeld(slot); buffer !== NONE; buffer = this.takeHeld(slot)) {
      this.#io.releaseBuffer(buffer);
      dropped = true;
    }
    this.forgetUnread(slot);
    return dropped;
  }

  /** Forgets the bytes that are kept, if there are any. */
  forgetUnread(slot: number): void {
    if (this.hasUnread(slot)) this.releaseTaken(this.takeUnread(slot));
  }

  /** Takes the block with the bytes that are kept. Its caller gives it back: `releaseTaken`. */
  takeUnread(slot: number): number {
    const table = this.#table;
    const block = table.recvBlock(slot);
    assert(block !== NONE, 'what is taken is there');
    table.setRecvBlock(slot, NONE);
    table.setRecvRange(slot, 0, 0);
    return block;
  }

  releaseTaken(block: number): void {
    this.#blocks.release(block);
  }

  #submit(slot: number): void {
    const table = this.#table;
    const repeat = table.requests(slot) > 0 && !table.has(slot, FLOODS);
    this.#io.recv(table.fd(slot), slot, table.generation(slot), repeat);
  }
}
