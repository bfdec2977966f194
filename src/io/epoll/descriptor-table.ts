// What is known of each descriptor, by its number: a row of words in one typed array, so that a
// stale number can never reach memory of another. Also the list of descriptors that have something
// to try, each in it once at most, so that it needs no limit of its own.
//
//     row   [flags][next in the list][owner][RECV][SEND, offset, size][CLOSE]
//           an owner, RECV, SEND or CLOSE is a slot and a generation
//
// The kernel gives the lowest number that is free, so numbers stay below the most descriptors the
// process ever had open at once. The table begins small and doubles when a descriptor beyond it is
// first used, after the kernel has taken it: it never grows for a number that is not a descriptor,
// nor to the limit of the process, which may be a billion.
//
// Data plane, growing apart. Owner: one thread.

import { assert } from '../../base/assert.ts';
import { NONE } from '../../memory/pool.ts';

// Flags of a descriptor. Readiness is a hint: a wrong one costs a call that answers EAGAIN.
/** A connection: in the set of epoll, edge-triggered. */
export const STREAM = 1 << 0;
/** A listening socket: in the set of epoll, edge-triggered. */
export const LISTENER = 1 << 1;
/** There may be something to receive or to accept. */
export const READABLE = 1 << 2;
/**
 * An end, an error or an urgent byte was announced: a receive that did not fill its buffer does not
 * mean that nothing is left.
 */
export const READ_ON = 1 << 3;
/** The last send found no room: wait for EPOLLOUT. */
export const BLOCKED = 1 << 4;
/** EPOLLOUT is asked for: from the first send on that found no room. */
export const OUT_ARMED = 1 << 5;
export const RECV_WAITS = 1 << 6;
export const RECV_REPEATS = 1 << 7;
export const RECV_CANCELLED = 1 << 8;
export const SEND_WAITS = 1 << 9;
export const SEND_CANCELLED = 1 << 10;
export const CLOSE_WAITS = 1 << 11;
/** In the list of those with something to try. */
export const LISTED = 1 << 12;

// A row: the word of each part.
const FLAGS = 0;
const NEXT = 1;
const OWNER = 2;
const RECV = 4;
const SEND = 6;
const SEND_OFFSET = 8;
const SEND_SIZE = 9;
const CLOSE = 10;
const ROW_WORDS = 12;
/** Bytes of a descriptor: its row, its pointer, and the place of that in an array. */
export const DESCRIPTOR_SIZE = ROW_WORDS * 4 + 24 + 8;
const CAPACITY_MIN = 1024;
const NO_POINTER = -1n;

export class DescriptorTable {
  #words = new Int32Array(CAPACITY_MIN * ROW_WORDS);
  // The number of each descriptor as a BigInt, made when it is first used.
  #pointers: bigint[] = new Array(CAPACITY_MIN).fill(NO_POINTER);
  #capacity = CAPACITY_MIN;
  #first = NONE;
  #last = NONE;
  #listed = 0;

  /** Descriptors in the list. */
  get listed(): number {
    return this.#listed;
  }

  /** The flags of a descriptor; 0 for one that is not known. */
  flags(fd: number): number {
    return fd < this.#capacity ? this.#words[fd * ROW_WORDS + FLAGS]! : 0;
  }

  setFlag(fd: number, flag: number): void {
    this.#words[fd * ROW_WORDS + FLAGS]! |= flag;
  }

  clearFlag(fd: number, flag: number): void {
    this.#words[fd * ROW_WORDS + FLAGS]! &= ~flag;
  }

  /** Of a descriptor that was `enter`ed once. */
  pointer(fd: number): bigint {
    return this.#pointers[fd]!;
  }

  /**
   * True exactly when the descriptor is a stream that this slot was the last to use. Otherwise it
   * may be another one with an old number, closed where it could not be seen.
   */
  isOwner(fd: number, slot: number, generation: number): boolean {
    if (fd >= this.#capacity) return false;
    const words = this.#words;
    const row = fd * ROW_WORDS;
    return (
      words[row + OWNER] === slot &&
      words[row + OWNER + 1] === generation &&
      (words[row + FLAGS]! & STREAM) !== 0
    );
  }

  /** Makes room for a descriptor that is open, and notes who uses it. */
  enter(fd: number, fdPointer: bigint, slot: number, generation: number): void {
    if (fd >= this.#capacity) this.#grow(fd);
    this.#pointers[fd] = fdPointer;
    this.#words[fd * ROW_WORDS + OWNER] = slot;
    this.#words[fd * ROW_WORDS + OWNER + 1] = generation;
  }

  /** The pointer of a descriptor, also of one that was never entered. Control plane. */
  makePointer(fd: number): bigint {
    const known = fd < this.#capacity ? this.#pointers[fd]! : NO_POINTER;
    return known === NO_POINTER ? BigInt(fd) : known;
  }

  setRecv(fd: number, slot: number, generation: number): void {
    this.#words[fd * ROW_WORDS + RECV] = slot;
    this.#words[fd * ROW_WORDS + RECV + 1] = generation;
  }

  recvSlot(fd: number): number {
    return this.#words[fd * ROW_WORDS + RECV]!;
  }

  recvGeneration(fd: number): number {
    return this.#words[fd * ROW_WORDS + RECV + 1]!;
  }

  setSend(fd: number, slot: number, generation: number, offset: number, size: number): void {
    const words = this.#words;
    const row = fd * ROW_WORDS;
    words[row + SEND] = slot;
    words[row + SEND + 1] = generation;
    words[row + SEND_OFFSET] = offset;
    words[row + SEND_SIZE] = size;
  }

  sendSlot(fd: number): number {
    return this.#words[fd * ROW_WORDS + SEND]!;
  }

  sendGeneration(fd: number): number {
    return this.#words[fd * ROW_WORDS + SEND + 1]!;
  }

  /** Below 4 GiB: a mapping is smaller than that. */
  sendOffset(fd: number): number {
    return this.#words[fd * ROW_WORDS + SEND_OFFSET]!;
  }

  sendSize(fd: number): number {
    return this.#words[fd * ROW_WORDS + SEND_SIZE]!;
  }

  setClose(fd: number, slot: number, generation: number): void {
    this.#words[fd * ROW_WORDS + CLOSE] = slot;
    this.#words[fd * ROW_WORDS + CLOSE + 1] = generation;
  }

  closeSlot(fd: number): number {
    return this.#words[fd * ROW_WORDS + CLOSE]!;
  }

  closeGeneration(fd: number): number {
    return this.#words[fd * ROW_WORDS + CLOSE + 1]!;
  }

  /** Puts a descriptor at the end of the list, unless it is in it. */
  list(fd: number): void {
    const words = this.#words;
    const row = fd * ROW_WORDS;
    if ((words[row + FLAGS]! & LISTED) !== 0) return;
    words[row + FLAGS]! |= LISTED;
    words[row + NEXT] = NONE;
    if (this.#last === NONE) this.#first = fd;
    else words[this.#last * ROW_WORDS + NEXT] = fd;
    this.#last = fd;
    this.#listed++;
  }

  /** Takes the first descriptor of the list, which is not empty. */
  unlist(): number {
    const fd = this.#first;
    assert(fd !== NONE, 'a descriptor is taken from a list that has one');
    const row = fd * ROW_WORDS;
    this.#first = this.#words[row + NEXT]!;
    if (this.#first === NONE) this.#last = NONE;
    this.#words[row + FLAGS]! &= ~LISTED;
    this.#listed--;
    return fd;
  }

  // Control plane: as often as the number of descriptors doubles.
  #grow(fd: number): void {
    let capacity = this.#capacity;
    while (capacity <= fd) capacity *= 2;
    const words = new Int32Array(capacity * ROW_WORDS);
    words.set(this.#words);
    this.#words = words;
    const pointers: bigint[] = new Array(capacity).fill(NO_POINTER);
    for (let index = 0; index < this.#capacity; index++) pointers[index] = this.#pointers[index]!;
    this.#pointers = pointers;
    this.#capacity = capacity;
  }
}
