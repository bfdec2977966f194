// How an accept thread ends: SYNs are dropped first, and what the kernel has accepted by then is
// served; every response announces the close; the silent are told by an orderly end; tasks are
// awaited. See `docs/decisions/0007-drain.md`.
//
// It looks how far it is at each step of the timer wheel. Control plane. Owner: one accept thread.

import { msBetween } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { HANDED_OFF, OPEN } from '../connection/connection-table.ts';
import type { Connections } from '../connection/connections.ts';
import type { Delegator } from '../delegate/delegator.ts';
import type { Loop } from '../loop/loop.ts';
import type { Listeners } from './listeners.ts';

/** For so long, handshakes under way complete and are accepted. */
export const DRAIN_ACCEPT_MS = 100;
/** For so long, a connection that is silent may still send a request and get its answer. */
export const DRAIN_IDLE_MS = 500;

export interface DrainOptions {
  readonly loop: Loop;
  /** The drain's own timer. */
  readonly timer: number;
  readonly listener: Listeners;
  readonly connections: Connections;
  readonly delegator: Delegator;
  readonly counters: Counters;
  /** After this, what is left is ended. */
  readonly timeoutMs: number;
  readonly refuseConnections: () => void;
  /** After `retire`: nothing more is accepted. */
  readonly onRetired: () => void;
}

export class Drain {
  readonly #options: DrainOptions;
  #draining = false;
  #beginMs = 0;
  // Connections accepted up to the last look.
  #accepted = -1;
  #stopped = false;
  #late = false;
  // True exactly when threads that take over wait until nothing is accepted here.
  #retiring = false;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Begins, unless it has. The loop is stopped when everything has ended. */
  begin(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#beginMs = this.#options.loop.clock.nowMs;
    this.#options.refuseConnections();
    this.#options.connections.ending.announce();
    this.#setTimer();
  }

  /** Begins, and leaves what the listener has not accepted yet to the threads that take over. */
  retire(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#stopped = true;
    this.#retiring = true;
    this.#beginMs = this.#options.loop.clock.nowMs;
    this.#options.listener.stop();
    this.#options.connections.ending.announce();
    this.#setTimer();
  }

  onTimer(): void {
    const { loop, listener, connections, counters, timeoutMs } = this.#options;
    const elapsedMs = msBetween(this.#beginMs, loop.clock.nowMs);
    if (elapsedMs >= Math.min(timeoutMs, DRAIN_IDLE_MS)) connections.ending.closeIdle();
    if (elapsedMs >= timeoutMs) this.#cutOff();
    // The backlog is empty when accepts wait and none has completed since the last look.
    const before = this.#accepted;
    this.#accepted = counters[Counter.connectionsAccepted]!;
    const caughtUp = listener.waits && this.#accepted === before;
    if (!this.#stopped && elapsedMs >= DRAIN_ACCEPT_MS) {
      if (caughtUp || elapsedMs >= timeoutMs) {
        this.#stopped = true;
        listener.stop();
      }
    }
    if (this.#retiring && !listener.waits) {
      this.#retiring = false;
      this.#options.onRetired();
    }
    if (this.#hasEnded(elapsedMs)) this.#end();
    else this.#setTimer();
  }

  #hasEnded(elapsedMs: number): boolean {
    const { connections, delegator } = this.#options;
    if (!this.#stopped || connections.table.pool.used > 0) return false;
    return delegator.holdersUsed === 0 || elapsedMs >= this.#options.timeoutMs;
  }

  // Those that are with workers are told of each time, and counted once.
  #cutOff(): void {
    const { connections, counters } = this.#options;
    const { table } = connections;
    for (let slot = 0; slot < table.pool.capacity; slot++) {
      const state = table.state(slot);
      const isCutOff = state === OPEN || (state === HANDED_OFF && !this.#late);
      if (isCutOff) count(counters, Counter.drainCutOff);
    }
    this.#late = true;
    connections.ending.terminateAll();
  }

  #end(): void {
    this.#options.connections.ending.assertAllFree();
    this.#options.loop.stop();
  }

  #setTimer(): void {
    const { loop, timer } = this.#options;
    loop.timers.set(timer, loop.clock.nowMs, 0);
  }
}
