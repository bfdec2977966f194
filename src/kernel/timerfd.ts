// timerfd_create(2): a timer that is a descriptor, so that whoever waits for descriptors needs no
// clock of its own and no timeout. Control plane: opening and closing. Data plane: `set`.

import { assert } from '../base/assert.ts';
import { checked } from './errno.ts';
import { bind } from './ffi.ts';
import { forgetDescriptor, noteDescriptor } from './holdings.ts';
import type { Mapping } from './mapping.ts';
import { mapMemory, unmapMemory } from './mapping.ts';
import { closeDescriptor } from './sockets.ts';

const create = bind('timerfd_create', ['int32', 'int32'], 'int32');
const settime = bind('timerfd_settime', ['pointer', 'pointer', 'pointer', 'pointer'], 'int32');
const CLOCK_MONOTONIC = 1;
const TFD_NONBLOCK = 0o4000;
const TFD_CLOEXEC = 0o2000000;
const RELATIVE = 0n;
// struct itimerspec: an interval, which stays zero, and a value; 64-bit seconds and nanoseconds.
const ITIMERSPEC_SIZE = 32;
const SECONDS_WORD = 4;
const NANOSECONDS_WORD = 6;

export class TimerFd {
  readonly fd: number;
  readonly pointer: bigint;
  readonly #mapping: Mapping;
  readonly #words: Int32Array;

  /** @throws SystemError when descriptors or memory are short. */
  constructor() {
    this.fd = checked('timerfd_create', create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    noteDescriptor(this.fd);
    this.pointer = BigInt(this.fd);
    this.#mapping = mapMemory(ITIMERSPEC_SIZE);
    this.#words = new Int32Array(this.#mapping.buffer);
  }

  /** Becomes readable in `delayMs` milliseconds, and is not until then. */
  set(delayMs: number): void {
    this.#words[SECONDS_WORD] = (delayMs / 1000) | 0;
    // A value of zero would disarm it.
    this.#words[NANOSECONDS_WORD] = delayMs === 0 ? 1 : (delayMs % 1000) * 1_000_000;
    const result = settime(this.pointer, RELATIVE, this.#mapping.address, 0n);
    assert(result === 0, 'a timer is set to a time that there is');
  }

  close(): void {
    forgetDescriptor(this.fd);
    closeDescriptor(this.fd);
    unmapMemory(this.#mapping);
  }
}
