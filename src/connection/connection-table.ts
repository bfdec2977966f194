// The connections of a thread: a `ConnectionCtx` is one row of sixteen 32-bit words, one cache
// line, and lives from the accept of its connection to the close, whichever side ends it.
//
//     FREE -> ACCEPTING -> OPEN         requests come, and responses go
//               |           |
//               v           v
//             FREE      LINGERING       our side has ended, what the peer still sends is read and
//                           |           dropped, so that it reads our last response instead of a
//                           |           reset (RFC 9112 section 9.6). OPEN may skip this
//                           v
//                         TERMINATING -> FREE              when the kernel holds nothing of it
//
// Owner: one thread. Data plane. The rows lie in shared memory: descriptors outlive a thread, and
// whoever replaces it has to find them.

import { assert } from '../base/assert.ts';
import { NONE, Pool } from '../memory/pool.ts';

export const FREE = 0;
export const ACCEPTING = 1;
export const OPEN = 2;
export const LINGERING = 3;
export const TERMINATING = 4;
/** Another thread has the connection: its row keeps its place, and nothing of it is in flight. */
export const HANDED_OFF = 5;

// By state: the states that may follow, as bits.
const FOLLOWS = Uint8Array.of(
  1 << ACCEPTING,
  (1 << OPEN) | (1 << FREE),
  (1 << LINGERING) | (1 << TERMINATING) | (1 << HANDED_OFF),
  1 << TERMINATING,
  1 << FREE,
  (1 << OPEN) | (1 << FREE),
);

// Flags. Each is true exactly when ...
/** ... a receive is submitted and its last completion has not come. */
export const RECV_IN_FLIGHT = 1;
/** ... a send is submitted and not completed. */
export const SEND_IN_FLIGHT = 2;
/** ... the connection is in the list of those that have something to send. */
export const SEND_QUEUED = 4;
/** ... no further request is looked at; the connection ends when all before has been answered. */
export const CLOSE_AFTER_SEND = 8;
/** ... it ends with a linger, because the peer may have sent what was not read. */
export const LINGER_AFTER_SEND = 16;
/** ... the peer has ended its side. */
export const PEER_ENDED = 32;
/** ... received requests wait until there is space for responses, or those before are done. */
export const SUSPENDED = 64;
/** ... the connection is in the list of those whose received bytes are looked at again. */
export const DEFERRED = 128;
/** ... received bytes of a body wait until the handler wants them. */
export const BODY_PAUSED = 256;
/** ... the receive in flight was asked to end. */
export const RECV_CANCELLED = 1024;
/** ... the peer once sent more than was asked for: its receives no longer repeat. */
export const FLOODS = 2048;
/** ... responses are still to be formed: exchanges are queued. */
export const AWAITED = 4096;
/** ... what arrives is the body of a request. */
export const RECEIVES_BODY = 8192;
/** ... it goes to another thread when all it has been asked here was answered. */
export const LEAVES = 16384;
/** ... the request for which it leaves is a HEAD. */
export const LEAVES_FOR_HEAD = 65536;
/** ... it speaks a protocol of the application's own. */
export const RAW = 32768;
/** ... the kernel closes the descriptor. */
export const CLOSE_IN_FLIGHT = 512;

// The list of deferred connections holds a slot as the kernel does: it must not be another one's.
const IN_FLIGHT = RECV_IN_FLIGHT | SEND_IN_FLIGHT | CLOSE_IN_FLIGHT | DEFERRED;

// Words of a row.
const FD = 0;
const STATE = 1;
const FLAGS = 2;
const SEND_BLOCK = 3;
const SEND_START = 4;
const SEND_END = 5;
const RECV_BLOCK = 6;
const RECV_START = 7;
const RECV_END = 8;
const REASON = 9;
const REQUESTS = 10;
const HELD_FIRST = 11;
const HELD_LAST = 12;
const HELD_COUNT = 13;
const PROTOCOL = 14;
const DROPPED = 15;
const WORDS = 16;

export const CONNECTION_CTX_SIZE = WORDS * 4;

/** True exactly when bytes that arrive are for another thread. */
export function isLeaving(flags: number): boolean {
  return (flags & (LEAVES | RECEIVES_BODY | CLOSE_AFTER_SEND)) === LEAVES;
}

/** True exactly when what still arrives is of no interest: the connection ends. */
export function isDropping(flags: number): boolean {
  return (flags & (CLOSE_AFTER_SEND | RECEIVES_BODY)) === CLOSE_AFTER_SEND;
}

/**
 * The descriptors in the rows of a thread that has died, which nobody closes any more. Those that
 * the kernel was asked to close are not among them: another connection may have their numbers. Nor
 * are those of connections that workers have. Control plane.
 */
export function openDescriptors(memory: SharedArrayBuffer): number[] {
  const rows = new Int32Array(memory);
  const fds: number[] = [];
  for (let row = 0; row < rows.length; row += WORDS) {
    const state = rows[row + STATE]!;
    const isHere = state === OPEN || state === LINGERING || state === TERMINATING;
    if (isHere && (rows[row + FLAGS]! & CLOSE_IN_FLIGHT) === 0) fds.push(rows[row + FD]!);
  }
  return fds;
}

export class ConnectionTable {
  readonly pool: Pool;
  readonly #rows: Int32Array;

  /** `memory` holds `capacity` rows of CONNECTION_CTX_SIZE bytes, all zero. */
  constructor(memory: SharedArrayBuffer, capacity: number) {
    assert(memory.byteLength >= capacity * CONNECTION_CTX_SIZE, 'every connection has a row');
    this.pool = new Pool('connections', capacity);
    this.#rows = new Int32Array(memory, 0, capacity * WORDS);
  }

  /** Reserves a slot for a connection that is going to be accepted; NONE at capacity. */
  acquire(protocol = 0): number {
    const slot = this.pool.acquire();
    if (slot === NONE) return NONE;
    const row = slot * WORDS;
    this.#rows.fill(0, row, row + WORDS);
    this.#rows[row + PROTOCOL] = protocol;
    this.#rows[row + FD] = NONE;
    this.#rows[row + SEND_BLOCK] = NONE;
    this.#rows[row + RECV_BLOCK] = NONE;
    this.#rows[row + HELD_FIRST] = NONE;
    this.#rows[row + HELD_LAST] = NONE;
    this.setState(slot, ACCEPTING);
    return slot;
  }

  /** Gives a slot back: the kernel holds neither its descriptor nor its memory. */
  release(slot: number): void {
    assert(!this.isInFlight(slot), 'a slot is released when nothing of it is in flight');
    assert(this.sendBlock(slot) === NONE, 'a released connection holds no send block');
    assert(this.recvBlock(slot) === NONE, 'a released connection holds no receive block');
    assert(this.heldFirst(slot) === NONE, 'a released connection holds no receive buffer');
    this.setState(slot, FREE);
    this.#rows[slot * WORDS + FD] = NONE;
    this.pool.release(slot);
  }

  /** 0 for HTTP; others are the application's, in their order. */
  protocol(slot: number): number {
    return this.#rows[slot * WORDS + PROTOCOL]!;
  }

  generation(slot: number): number {
    return this.pool.generation(slot);
  }

  state(slot: number): number {
    return this.#rows[slot * WORDS + STATE]!;
  }

  setState(slot: number, state: number): void {
    const index = slot * WORDS + STATE;
    assert((FOLLOWS[this.#rows[index]!]! & (1 << state)) !== 0, 'the transition is in the table');
    this.#rows[index] = state;
  }

  fd(slot: number): number {
    return this.#rows[slot * WORDS + FD]!;
  }

  setFd(slot: number, fd: number): void {
    this.#rows[slot * WORDS + FD] = fd;
  }

  has(slot: number, flag: number): boolean {
    return (this.#rows[slot * WORDS + FLAGS]! & flag) !== 0;
  }

  /** All flags at once. */
  flags(slot: number): number {
    return this.#rows[slot * WORDS + FLAGS]!;
  }

  setFlag(slot: number, flag: number): void {
    this.#rows[slot * WORDS + FLAGS]! |= flag;
  }

  clearFlag(slot: number, flag: number): void {
    this.#rows[slot * WORDS + FLAGS]! &= ~flag;
  }

  /** True exactly when the kernel, or the list of deferred connections, holds the connection. */
  isInFlight(slot: number): boolean {
    return this.has(slot, IN_FLIGHT);
  }

  sendBlock(slot: number): number {
    return this.#rows[slot * WORDS + SEND_BLOCK]!;
  }

  setSendBlock(slot: number, block: number): void {
    this.#rows[slot * WORDS + SEND_BLOCK] = block;
  }

  /** Where the bytes that were not sent yet begin, within the send block. */
  sendStart(slot: number): number {
    return this.#rows[slot * WORDS + SEND_START]!;
  }

  sendEnd(slot: number): number {
    return this.#rows[slot * WORDS + SEND_END]!;
  }

  setSendRange(slot: number, start: number, end: number): void {
    assert(start <= end, 'no more is sent than was written');
    this.#rows[slot * WORDS + SEND_START] = start;
    this.#rows[slot * WORDS + SEND_END] = end;
  }

  recvBlock(slot: number): number {
    return this.#rows[slot * WORDS + RECV_BLOCK]!;
  }

  setRecvBlock(slot: number, block: number): void {
    this.#rows[slot * WORDS + RECV_BLOCK] = block;
  }

  /** Where the bytes that were not read yet begin, within the receive block. */
  recvStart(slot: number): number {
    return this.#rows[slot * WORDS + RECV_START]!;
  }

  recvEnd(slot: number): number {
    return this.#rows[slot * WORDS + RECV_END]!;
  }

  setRecvRange(slot: number, start: number, end: number): void {
    assert(start <= end, 'no more is read than was received');
    this.#rows[slot * WORDS + RECV_START] = start;
    this.#rows[slot * WORDS + RECV_END] = end;
  }

  /** The first and the last of the receive buffers that are held for later, or NONE. */
  heldFirst(slot: number): number {
    return this.#rows[slot * WORDS + HELD_FIRST]!;
  }

  heldLast(slot: number): number {
    return this.#rows[slot * WORDS + HELD_LAST]!;
  }

  /** How many receive buffers are held for later. */
  heldCount(slot: number): number {
    return this.#rows[slot * WORDS + HELD_COUNT]!;
  }

  setHeld(slot: number, first: number, last: number, count: number): void {
    assert((first === NONE) === (last === NONE), 'a list has both ends or none');
    assert((first === NONE) === (count === 0), 'a list without ends is empty');
    this.#rows[slot * WORDS + HELD_COUNT] = count;
    this.#rows[slot * WORDS + HELD_FIRST] = first;
    this.#rows[slot * WORDS + HELD_LAST] = last;
  }

  reason(slot: number): number {
    return this.#rows[slot * WORDS + REASON]!;
  }

  setReason(slot: number, reason: number): void {
    this.#rows[slot * WORDS + REASON] = reason;
  }

  requests(slot: number): number {
    return this.#rows[slot * WORDS + REQUESTS]!;
  }

  setRequests(slot: number, requests: number): void {
    this.#rows[slot * WORDS + REQUESTS] = requests;
  }

  /** How many bytes were dropped after the last request. */
  dropped(slot: number): number {
    return this.#rows[slot * WORDS + DROPPED]!;
  }

  countDropped(slot: number, size: number): void {
    this.#rows[slot * WORDS + DROPPED]! += size;
  }

  countRequest(slot: number): void {
    const index = slot * WORDS + REQUESTS;
    this.#rows[index] = (this.#rows[index]! + 1) | 0;
  }
}
