// The listening socket of an accept thread: keeps accepts submitted, as many as there are free
// slots.
//
// A slot is reserved before its accept is submitted, so nothing is ever accepted that cannot be
// held: at capacity no accept is submitted, and new connections wait in the kernel's backlog, from
// where they are served when a slot comes back. Where the process or the system runs out of
// descriptors or memory, accepting rests for a moment; established connections go on.
//
// Owner: one accept thread. Data plane, `stop` and the rest after a failure apart.

import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { ACCEPTING } from '../connection/connection-table.ts';
import type { Connections } from '../connection/connections.ts';
import type { Io } from '../io/io.ts';
import { ACCEPT } from '../io/token.ts';
import { ECANCELED, EMFILE, ENFILE, ENOBUFS, ENOMEM, errnoName } from '../kernel/errno.ts';
import { NONE } from '../memory/pool.ts';

/** Accepts in flight at once: so many new connections can be taken in one tick. */
export const ACCEPTS_MAX = 32;
/** How long accepting rests after it failed for want of descriptors or memory. */
const REST_MS = 100;
const LOG_INTERVAL_MS = 1000;

export class Listener {
  readonly #io: Io;
  readonly #fd: number;
  readonly #connections: Connections;
  readonly #counters: Counters;
  readonly #log: (message: string) => void;
  #inFlight = 0;
  #stopped = false;
  #resting = false;
  #full = false;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(
    io: Io,
    fd: number,
    connections: Connections,
    counters: Counters,
    log: (message: string) => void,
  ) {
    this.#io = io;
    this.#fd = fd;
    this.#connections = connections;
    this.#counters = counters;
    this.#log = log;
  }

  /** True exactly when accepts wait for connections: the backlog is not full for want of one. */
  get waits(): boolean {
    return this.#inFlight > 0;
  }

  /** The release phase of a tick: free slots get an accept. */
  arm(): void {
    if (this.#stopped || this.#resting) return;
    const table = this.#connections.table;
    while (this.#inFlight < ACCEPTS_MAX) {
      const slot = table.acquire();
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

  /** Cancels the accepts in flight; the backlog is no longer served. Control plane. */
  stop(): void {
    this.#stopped = true;
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
    const now = performance.now();
    if (now - this.#loggedAt >= LOG_INTERVAL_MS) {
      this.#loggedAt = now;
      const remedy = errno === EMFILE ? '; raise the descriptor limit (ulimit -n)' : '';
      this.#log(`new connections wait: accept failed with ${errnoName(errno)}${remedy}`);
    }
    if (this.#resting) return;
    this.#resting = true;
    setTimeout(() => {
      this.#resting = false;
      this.arm();
    }, REST_MS);
  }
}
