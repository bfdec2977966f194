// The system's clocks, by clock_gettime(2): no system call (vDSO), no BigInt, no allocation.
// Data plane.

import type { Clock } from '../base/clock.ts';
import { bind } from './ffi.ts';
import type { Mapping } from './mapping.ts';
import { mapMemory } from './mapping.ts';

const clockGettime = bind('clock_gettime', ['pointer', 'pointer'], 'int32');
const CLOCK_REALTIME = 0n;
const CLOCK_MONOTONIC = 1n;
const NS_PER_MS = 1_000_000;

export class SystemClock implements Clock {
  nowMs = 0;
  unixSeconds = 0;
  // struct timespec: seconds and nanoseconds, 64 bits each; the low words are enough until 2038.
  readonly #timespec: Mapping = mapMemory(16);
  readonly #words = new Int32Array(this.#timespec.buffer);
  #secondMs = 0;

  constructor() {
    this.update();
    this.#readUnixSeconds();
  }

  update(): void {
    clockGettime(CLOCK_MONOTONIC, this.#timespec.address);
    const ms = (this.#words[2]! / NS_PER_MS) | 0;
    this.nowMs = (Math.imul(this.#words[0]!, 1000) + ms) | 0;
    // The wall clock is read when its second may have changed, not at every tick.
    if (((this.nowMs - this.#secondMs) | 0) >= 0) this.#readUnixSeconds();
  }

  #readUnixSeconds(): void {
    clockGettime(CLOCK_REALTIME, this.#timespec.address);
    this.unixSeconds = this.#words[0]!;
    const msIntoSecond = (this.#words[2]! / NS_PER_MS) | 0;
    this.#secondMs = (this.nowMs + 1000 - msIntoSecond) | 0;
  }
}
