// What a connection is waited for, and for how long: the next request, the rest of a head or of a
// body, and the peer that takes its responses.
//
// A timer that ran out means only that it is time to look: it is set for the shortest of all
// timeouts, so that what began meanwhile is never looked at too late, and nothing is set for each
// request. Work of the server is not waited for here: a connection whose handler or task runs, or
// whose body nobody wants yet, has all the time.
//
// Owner: one thread. Data plane.

import { msBetween } from '../base/clock.ts';
import type { RequestOptions } from '../base/options.ts';
import type { Loop } from '../loop/loop.ts';

// What is waited for.
export const NOTHING = 0;
export const NEXT_REQUEST = 1;
export const HEAD = 2;
export const BODY = 3;
/** The handler, which has yet to ask for more of the body: its time is not the peer's. */
export const BODY_HELD = 4;

/** Slower than so many bytes a second, a body is not waited for longer than its timeout. */
export const BODY_RATE_MIN = 1024;

export class Deadlines {
  readonly #loop: Loop;
  readonly #options: RequestOptions;
  readonly #lookMs: number;
  // By connection: what is waited for; since when, in milliseconds of the clock; when bytes of a
  // body came last, or since when it is held; since when the responses in flight have to be taken.
  readonly #awaited: Uint8Array;
  readonly #since: Int32Array;
  readonly #heard: Int32Array;
  readonly #sending: Int32Array;

  constructor(loop: Loop, options: RequestOptions, connections: number) {
    this.#loop = loop;
    this.#options = options;
    this.#lookMs = Math.min(
      options.keepAliveTimeoutMs,
      options.headerTimeoutMs,
      options.bodyTimeoutMs,
      options.sendTimeoutMs,
    );
    this.#awaited = new Uint8Array(connections);
    this.#since = new Int32Array(connections);
    this.#heard = new Int32Array(connections);
    this.#sending = new Int32Array(connections);
  }

  /** A connection begins. */
  open(slot: number): void {
    this.#awaited[slot] = NEXT_REQUEST;
    this.#since[slot] = this.#loop.clock.nowMs;
    this.look(slot, this.#lookMs);
  }

  /** `awaited` is waited for: from now on, unless it was before. */
  waitFor(slot: number, awaited: number): void {
    const { nowMs } = this.#loop.clock;
    const before = this.#awaited[slot]!;
    this.#awaited[slot] = awaited;
    const isSameBody = before >= BODY && awaited >= BODY;
    if (before === BODY_HELD && isSameBody) {
      if (awaited === BODY_HELD) return;
      // The body as a whole has so much longer.
      this.#since[slot] = (this.#since[slot]! + msBetween(this.#heard[slot]!, nowMs)) | 0;
    } else if (!isSameBody && (awaited !== before || awaited === NEXT_REQUEST)) {
      this.#since[slot] = nowMs;
    }
    this.#heard[slot] = nowMs;
  }

  /** What was waited for has come, and is not what is waited for next. */
  done(slot: number): void {
    this.#awaited[slot] = NOTHING;
  }

  /** A send block was begun to be sent. */
  beginSend(slot: number): void {
    this.#sending[slot] = this.#loop.clock.nowMs;
  }

  awaited(slot: number): number {
    return this.#awaited[slot]!;
  }

  /** Milliseconds until what is waited for is late: it is late when there are none left. */
  left(slot: number, bodySize: number): number {
    const { keepAliveTimeoutMs, headerTimeoutMs, bodyTimeoutMs } = this.#options;
    const waited = msBetween(this.#since[slot]!, this.#loop.clock.nowMs);
    switch (this.#awaited[slot]) {
      case NEXT_REQUEST:
        return keepAliveTimeoutMs - waited;
      case HEAD:
        return headerTimeoutMs - waited;
      case BODY: {
        const silent = msBetween(this.#heard[slot]!, this.#loop.clock.nowMs);
        const allowed = bodyTimeoutMs + (bodySize / BODY_RATE_MIN) * 1000;
        return Math.min(bodyTimeoutMs - silent, allowed - waited);
      }
      default:
        return this.#lookMs;
    }
  }

  /** Milliseconds until the responses in flight are late. */
  sendLeft(slot: number): number {
    return this.#options.sendTimeoutMs - msBetween(this.#sending[slot]!, this.#loop.clock.nowMs);
  }

  /** Looks at the connection again when `left` milliseconds have passed, or before. */
  look(slot: number, left: number): void {
    const delayMs = Math.max(0, Math.min(left, this.#lookMs)) | 0;
    this.#loop.timers.set(slot, this.#loop.clock.nowMs, delayMs);
  }
}
