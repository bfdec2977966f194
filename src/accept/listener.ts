// The listening socket of an accept thread: keeps accepts submitted, as many as there are free
// slots.
//
// A slot is reserved before its accept is submitted, so nothing is ever accepted that cannot be
// held: at capacity no accept is submitted, and new connections wait in the kernel's backlog, from
// where they are served when a slot comes back. Where the process or the system runs out of
// descriptors or memory, accepting rests for a moment; established connections go on.
//
// Owner: one accept thread. Data plane, `stop` and the rest after a failure apart.

import { msBetween } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { ACCEPTING } from '../connection/connection-table.ts';
import type { Connections } from '../connection/connections.ts';
import type { Io } from '../io/io.ts';
import { ACCEPT } from '../io/token.ts';
import { ECANCELED, EMFILE, ENFILE, ENOBUFS, ENOMEM, errnoName } from '../kernel/errno.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';

/** Accepts in flight at once: so many new connections can be taken in one tick. */
export const ACCEPTS_MAX = 32;
/** How long accepting rests after it failed for want of descriptors or memory. */
export const REST_MS = 100;
const LOG_INTERVAL_MS = 1000;

export interface ListenerOptions {
  readonly loop: Loop;
  /** The listener's own timer. */
  readonly timer: number;
  readonly fd: number;
  /** Whose port it is: see `ConnectionTable.protocol`. */
  readonly protocol: number;
  /** The most accepts in flight. */
  readonly acceptsMax: number;
  readonly connections: Connections;
  readonly counters: Counters;
  readonly log: (message: string) => void;
}

export class Listener {
  readonly #loop: Loop;
  readonly #io: Io;
  readonly #timer: number;
  readonly #fd: number;
  readonly #protocol: number;
  readonly #acceptsMax: number;
  readonly #connections: Connections;
  readonly #counters: Counters;
  readonly #log: (message: string) => void;
  #inFlight = 0;
  #stopped = false;
  #resting = false;
  #full = false;
  #logged = false;
  #loggedAtMs = 0;

  constructor(options: ListenerOptions) {
    this.#loop = options.loop;
    this.#io = options.loop.io;
    this.#timer = options.timer;
    this.#fd = options.fd;
    this.#protocol = options.protocol;
    this.#acceptsMax = options.acceptsMax;
    this.#connections = options.connections;
    this.#counters = options.counters;
    this.#log = options.log;
  }

  /** True exactly when accepts wait for connections: the backlog is not full for want of one. */
  get waits(): boolean {
    return this.#inFlight > 0;
  }

  /** The release phase of a tick: free slots get an accept. */
  arm(): void {
    if (this.#stopped || this.#resting) return;
    const table = this.#connections.table;
    while (this.#inFlight < this.#acceptsMax) {
      const slot = table.acquire(this.#protocol);
      if (slot === NONE) {
        if (!this.#full && this.#inFlight === 0) {
          this.#full = true;
          count(this.#counters, Counter.capacityReached);
        }
        return;
      }
      this.#full = false;
      this.#inFlight++;
      this.#io.accept(this.#fd, slot, table.generation(slot));
    }
  }

  onAccept(slot: number, result: number): void {
    this.#inFlight--;
    if (result >= 0) {
      this.#connections.open(slot, result);
      return;
    }
    this.#connections.table.release(slot);
    if (result !== -ECANCELED) this.#onFailure(-result);
  }

  /** The rest is over: the release phase of this tick arms again. */
  onTimer(): void {
    this.#resting = false;
  }

  /** Cancels the accepts in flight; the backlog is no longer served. Control plane. */
  stop(): void {
    this.#stopped = true;
    this.#loop.timers.clear(this.#timer);
    const table = this.#connections.table;
    for (let slot = 0; slot < table.pool.capacity; slot++) {
      if (table.state(slot) === ACCEPTING) {
        this.#io.cancel(ACCEPT, slot, table.generation(slot));
      }
    }
  }

  // ECONNABORTED and the like concern one connection that is gone already (accept(2), "Error
  // handling"): the next accept follows at once. Control plane.
  #onFailure(errno: number): void {
    count(this.#counters, Counter.acceptsFailed);
    if (errno !== EMFILE && errno !== ENFILE && errno !== ENOBUFS && errno !== ENOMEM) return;
    this.#logFailure(errno);
    if (this.#resting || this.#stopped) return;
    this.#resting = true;
    this.#loop.timers.set(this.#timer, this.#loop.clock.nowMs, REST_MS);
  }

  // Control plane.
  #logFailure(errno: number): void {
    const { nowMs } = this.#loop.clock;
    const sinceMs = msBetween(this.#loggedAtMs, nowMs);
    // Negative: so long ago that the clock has wrapped around.
    if (this.#logged && sinceMs >= 0 && sinceMs < LOG_INTERVAL_MS) return;
    this.#logged = true;
    this.#loggedAtMs = nowMs;
    const remedy = errno === EMFILE ? '; raise the descriptor limit (ulimit -n)' : '';
    this.#log(`new connections wait: accept failed with ${errnoName(errno)}${remedy}`);
  }
}
