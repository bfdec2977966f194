// epoll(7): a set of descriptors, and the events they had. Constants and the layout of an event are
// from <sys/epoll.h>; the functions are those of libc, because the numbers of the system calls
// differ between architectures.
//
// Data plane, opening and closing apart: every signature is of pointers only (see `ffi.ts`).

import { assert } from '../base/assert.ts';
import { checked, EINTR, resultOf } from './errno.ts';
import { bind } from './ffi.ts';
import { forgetDescriptor, noteDescriptor } from './holdings.ts';
import type { Mapping } from './mapping.ts';
import { mapMemory, unmapMemory } from './mapping.ts';
import { closeDescriptor } from './sockets.ts';

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
/** The peer has ended its side (2.6.17). */
export const EPOLLRDHUP = 0x2000;
/** The descriptor tells one event, and then nothing until it is modified. */
export const EPOLLONESHOT = 1 << 30;
/** Edge-triggered: each change is told once, however much of it was read or written. */
export const EPOLLET = 1 << 31;

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1n;
const EPOLL_CTL_DEL = 2n;
const EPOLL_CTL_MOD = 3n;
const AT_ONCE = 0n;
/** The int -1, in the lower half of a register. */
const WITHOUT_LIMIT = 0xffff_ffffn;

// struct epoll_event {u32 events; u64 data}: packed on x86-64, and nowhere else.
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const DATA_WORD = EVENT_WORDS - 2;

const create = bind('epoll_create1', ['int32'], 'int32');
const control = bind('epoll_ctl', ['pointer', 'pointer', 'pointer', 'pointer'], 'int32');
const waitCall = bind('epoll_wait', ['pointer', 'pointer', 'pointer', 'pointer'], 'int32');

export class Epoll {
  readonly fd: number;
  readonly #pointer: bigint;
  readonly #mapping: Mapping;
  // An event to hand to the kernel, then those it answers.
  readonly #words: Int32Array;
  readonly #eventsAddress: bigint;
  readonly #eventsMax: bigint;

  /** @throws SystemError when descriptors or memory are short. */
  constructor(eventsMax: number) {
    this.#mapping = mapMemory((eventsMax + 1) * EVENT_WORDS * 4);
    this.#words = new Int32Array(this.#mapping.buffer);
    this.#eventsAddress = this.#mapping.address + BigInt(EVENT_WORDS * 4);
    this.#eventsMax = BigInt(eventsMax);
    try {
      this.fd = checked('epoll_create1', create(EPOLL_CLOEXEC));
    } catch (error) {
      unmapMemory(this.#mapping);
      throw error;
    }
    noteDescriptor(this.fd);
    this.#pointer = BigInt(this.fd);
  }

  /** Puts a descriptor in. Answers 0, or an error number negated: -EEXIST when it is in. */
  add(fd: number, fdPointer: bigint, events: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, fdPointer, events);
  }

  /** Changes the events of a descriptor. What it is ready for now is told once more. */
  modify(fd: number, fdPointer: bigint, events: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, fdPointer, events);
  }

  /** Takes a descriptor out. */
  remove(fd: number, fdPointer: bigint): void {
    assert(this.#control(EPOLL_CTL_DEL, fd, fdPointer, 0) === 0, 'what is taken out was in');
  }

  /** Takes events, and sleeps until there is one if asked to. Answers how many; -1: a signal. */
  wait(sleep: boolean): number {
    const timeout = sleep ? WITHOUT_LIMIT : AT_ONCE;
    const count = waitCall(this.#pointer, this.#eventsAddress, this.#eventsMax, timeout);
    if (count < 0) assert(resultOf(count) === -EINTR, 'epoll_wait is well-formed');
    return count;
  }

  /** The descriptor of an event that `wait` took. */
  eventFd(index: number): number {
    return this.#words[(index + 1) * EVENT_WORDS + DATA_WORD]!;
  }

  eventBits(index: number): number {
    return this.#words[(index + 1) * EVENT_WORDS]!;
  }

  /** Control plane. */
  close(): void {
    forgetDescriptor(this.fd);
    closeDescriptor(this.fd);
    unmapMemory(this.#mapping);
  }

  #control(operation: bigint, fd: number, fdPointer: bigint, events: number): number {
    this.#words[0] = events;
    this.#words[DATA_WORD] = fd;
    return resultOf(control(this.#pointer, operation, fdPointer, this.#mapping.address));
  }
}
