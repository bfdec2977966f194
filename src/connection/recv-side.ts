// The receive side of the connections of a thread: submits receives, and keeps the bytes that could not
// be used yet, a request that has not arrived in full mostly, in a block of a bounded pool.
//
//     block  [ read | not read yet | space ]
//                   ^start         ^end
//
// A receive is submitted only when at most a head's worth of unread bytes is kept, and brings at most
// a receive buffer's worth: a block of both sizes together can never overflow.
//
// Owner: one thread. Data plane.

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { PARSER_STATE_WORDS } from '../http/request-parser.ts';
import type { Io } from '../io/io.ts';
import type { BlockPool } from '../memory/block-pool.ts';
import { NONE } from '../memory/pool.ts';
import type { ConnectionTable } from './connection-table.ts';
import { RECV_IN_FLIGHT } from './connection-table.ts';

export class RecvSide {
  readonly #io: Io;
  readonly #table: ConnectionTable;
  readonly #blocks: BlockPool;
  readonly #counters: Counters;
  // How far the head in each block was parsed.
  readonly #parserStates: Int32Array;
  // Connections whose receive found no buffer.
  readonly #starved: Int32Array;
  #starvedCount = 0;

  constructor(io: Io, table: ConnectionTable, blocks: BlockPool, counters: Counters) {
    this.#io = io;
    this.#table = table;
    this.#blocks = blocks;
    this.#counters = counters;
    this.#parserStates = new Int32Array(blocks.pool.capacity * PARSER_STATE_WORDS);
    this.#starved = new Int32Array(table.pool.capacity);
  }

  /** Submits a receive, unless one is in flight. */
  arm(slot: number): void {
    const table = this.#table;
    if (table.has(slot, RECV_IN_FLIGHT)) return;
    table.setFlag(slot, RECV_IN_FLIGHT);
    this.#io.recv(table.fd(slot), slot, table.generation(slot));
  }

  /**
   * Every receive buffer was taken: the receive is submitted again in the release phase of this tick,
   * by when the buffers of this tick are back. Until then it counts as in flight.
   */
  starve(slot: number): void {
    count(this.#counters, Counter.recvBuffersDry);
    this.#table.setFlag(slot, RECV_IN_FLIGHT);
    this.#starved[this.#starvedCount++] = slot;
  }

  /** The release phase of a tick. */
  feed(): void {
    const table = this.#table;
    for (let index = 0; index < this.#starvedCount; index++) {
      const slot = this.#starved[index]!;
      this.#io.recv(table.fd(slot), slot, table.generation(slot));
    }
    this.#starvedCount = 0;
  }

  /** True exactly when unread bytes are kept. */
  hasUnread(slot: number): boolean {
    return this.#table.recvBlock(slot) !== NONE;
  }

  /** Where the unread bytes begin and end, as offsets into the bytes of the `Io`. */
  unreadStart(slot: number): number {
    return this.#blocks.offset(this.#table.recvBlock(slot)) + this.#table.recvStart(slot);
  }

  unreadEnd(slot: number): number {
    return this.#blocks.offset(this.#table.recvBlock(slot)) + this.#table.recvEnd(slot);
  }

  /**
   * Keeps the bytes from `start` to `end`, which lie in a receive buffer or in the connection's block,
   * with the state of the parser that stopped at `start`. False when the pool is dry.
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

  /** Forgets the unread bytes, if there are any. */
  release(slot: number): void {
    const table = this.#table;
    const block = table.recvBlock(slot);
    if (block === NONE) return;
    table.setRecvBlock(slot, NONE);
    table.setRecvRange(slot, 0, 0);
    this.#blocks.release(block);
  }
}
