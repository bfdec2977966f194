// What a connection is waited for, and for how long: the next request, the rest of a head or of a
// body, the peer that takes its responses, and the handler that answers.
//
// A timer that ran out means only that it is time to look: it is set for the shortest of all
// timeouts, so that what began meanwhile is never looked at too late, and nothing is set for each
// request. While a handler or a task runs, or nobody wants the body yet, a peer has all the time;
// the handler has a time of its own, and the task that of its delegation.
//
// Owner: one thread. Data plane.

import { msBetween } from '../base/clock.ts';
import type { RequestOptions } from '../base/options.ts';
import type { Loop } from '../loop/loop.ts';
import type { Exchange } from './exchange.ts';

// What is waited for.
export const NOTHING = 0;
export const NEXT_REQUEST = 1;
export const HEAD = 2;
export const BODY = 3;
/** A body of which nobody wants more yet: the time of its peer stands still. */
export const BODY_HELD = 4;

/** Slower than so many bytes a second, a body is not waited for longer than its timeout. */
export const BODY_RATE_MIN = 1024;

export class Deadlines {
  readonly #loop: Loop;
  readonly #options: RequestOptions;
  readonly #lookMs: number;
  // By connection: what is waited for; since when, in milliseconds of the clock; when bytes of a
  // body came last, or were first waited for; since when the responses in flight have to be taken.
  readonly #awaited: Uint8Array;
  readonly #since: Int32Array;
  readonly #heard: Int32Array;
  // How long its body was waited for before, with pauses of its handler in between.
  readonly #bodyMs: Int32Array;
  readonly #sending: Int32Array;

  constructor(loop: Loop, options: RequestOptions, connections: number) {
    this.#loop = loop;
    this.#options = options;
    this.#lookMs = Math.min(
      options.keepAliveTimeoutMs,
      options.headerTimeoutMs,
      options.bodyTimeoutMs,
      options.sendTimeoutMs,
      options.handlerTimeoutMs,
    );
    this.#awaited = new Uint8Array(connections);
    this.#since = new Int32Array(connections);
    this.#heard = new Int32Array(connections);
    this.#bodyMs = new Int32Array(connections);
    this.#sending = new Int32Array(connections);
  }

  /** A connection begins. */
  open(slot: number): void {
    this.#awaited[slot] = NEXT_REQUEST;
    this.#bodyMs[slot] = 0;
    this.#since[slot] = this.#loop.clock.nowMs;
    this.look(slot, this.#lookMs);
  }

  /** `awaited` is waited for: from now on, unless it was before. */
  waitFor(slot: number, awaited: number): void {
    if (awaited === this.#awaited[slot] && awaited !== NEXT_REQUEST) {
      if (awaited === BODY) this.#heard[slot] = this.#loop.clock.nowMs;
      return;
    }
    const { nowMs } = this.#loop.clock;
    if (this.#awaited[slot] === BODY) this.#bodyMs[slot] = msBetween(this.#since[slot]!, nowMs);
    this.#awaited[slot] = awaited;
    this.#since[slot] = awaited === BODY ? nowMs - this.#bodyMs[slot]! : nowMs;
    this.#heard[slot] = nowMs;
  }

  /** What was waited for has come, and is not what is waited for next. */
  done(slot: number): void {
    this.#awaited[slot] = NOTHING;
    this.#bodyMs[slot] = 0;
  }

  /** A send block was begun to be sent. */
  beginSend(slot: number): void {
    this.#sending[slot] = this.#loop.clock.nowMs;
  }

  awaited(slot: number): number {
    return this.#awaited[slot]!;
  }

  /**
   * Milliseconds until what is waited for is late: it is late when there are none left. `bodySize`
   * are the bytes that came of the body that is received.
   */
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
        return Math.min(bodyTimeoutMs - silent, this.#bodyAllowedMs(bodySize) - waited);
      }
      case BODY_HELD:
        return this.#bodyAllowedMs(bodySize) - this.#bodyMs[slot]!;
      default:
        return this.#lookMs;
    }
  }

  /** Milliseconds until the responses in flight are late. */
  sendLeft(slot: number): number {
    return this.#options.sendTimeoutMs - msBetween(this.#sending[slot]!, this.#loop.clock.nowMs);
  }

  /**
   * Milliseconds until the handler of an exchange is late; a peer's time is none of its own. When
   * its response has begun it has all the time, unless the peer has ended its side: as long as
   * nothing is sent to it, nobody can know whether it still reads.
   */
  handlerLeft(exchange: Exchange, hasPeerEnded: boolean): number {
    if (!exchange.isAwaitingHandler) return this.#lookMs;
    if (exchange.response.streams && !hasPeerEnded) return this.#lookMs;
    const waited = msBetween(exchange.handlerSinceMs, this.#loop.clock.nowMs);
    return this.#options.handlerTimeoutMs - waited;
  }

  /** Looks at the connection again when `left` milliseconds have passed, or before. */
  look(slot: number, left: number): void {
    const delayMs = Math.max(0, Math.min(left, this.#lookMs)) | 0;
    this.#loop.timers.set(slot, this.#loop.clock.nowMs, delayMs);
  }

  #bodyAllowedMs(bodySize: number): number {
    return this.#options.bodyTimeoutMs + (bodySize / BODY_RATE_MIN) * 1000;
  }
}
