// How threads that died are replaced. Control plane.

import { setTimeout as delay } from 'node:timers/promises';
import { releaseHoldings } from '../kernel/holdings.ts';

/**
 * The first replacement comes at once; the next ones later and later, up to a limit: together with
 * what it takes to find out that a worker hangs, and to start another, it is less than a second.
 */
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 200;
/** A thread that lived so long has its next replacement at once. */
const HEALTHY_MS = 10_000;
/** A ring that was closed is gone for good soon after: then its memory may go. */
const RING_GONE_MS = 1000;

/** The deaths of the threads that had one place, one after the other. */
export class Deaths {
  #startedAt = performance.now();
  // Deaths in a row, each soon after the start.
  #count = 0;

  /** A thread was started. */
  begin(): void {
    this.#startedAt = performance.now();
  }

  /** It has died. Answers in how many milliseconds the next may be started. */
  add(): number {
    const lived = performance.now() - this.#startedAt;
    this.#count = lived < HEALTHY_MS ? this.#count + 1 : 0;
    if (this.#count <= 1) return 0;
    return Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#count - 2));
  }
}

/** Releases what a dead thread held of the process: its descriptors now, its memory later. */
export function releaseLater(holdings: SharedArrayBuffer): void {
  void releaseHoldings(holdings, () => delay(RING_GONE_MS, undefined, { ref: false }));
}
