// eventfd(2): a descriptor that becomes readable when another thread writes to it. It wakes a
// thread that sleeps in its ring. Control plane: opening. Data plane: `signal`.

import { checked } from './errno.ts';
import { bind } from './ffi.ts';
import { mapMemory } from './mapping.ts';

const eventfd = bind('eventfd', ['uint32', 'int32'], 'int32');
const write = bind('write', ['pointer', 'pointer', 'pointer'], 'int32');
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const COUNTER_SIZE = 8n;

// The eight bytes that every wake-up adds to a counter: the number one.
const one = mapMemory(8);
new Int32Array(one.buffer)[0] = 1;

export function openEventfd(): number {
  return checked('eventfd', eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

/** The writing end of an eventfd, which any thread may hold. */
export class Wakeup {
  readonly #fd: bigint;

  constructor(fd: number) {
    this.#fd = BigInt(fd);
  }

  /** Makes the descriptor readable. Only an absurd 2^64 - 2 unread signals could refuse it. */
  signal(): void {
    write(this.#fd, one.address, COUNTER_SIZE);
  }
}
