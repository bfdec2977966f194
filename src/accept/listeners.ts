// All listeners of an accept thread, as one: that of HTTP, and those of other protocols.
//
// Owner: one accept thread. Data plane, `stop` apart.

import type { ConnectionTable } from '../connection/connection-table.ts';
import type { Listener } from './listener.ts';

export class Listeners {
  readonly #table: ConnectionTable;
  // By protocol: the first is that of HTTP.
  readonly #listeners: Listener[] = [];

  constructor(table: ConnectionTable) {
    this.#table = table;
  }

  /** Control plane. */
  add(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** True exactly when accepts wait for connections. */
  get waits(): boolean {
    for (let index = 0; index < this.#listeners.length; index++) {
      if (this.#listeners[index]!.waits) return true;
    }
    return false;
  }

  /** The release phase of a tick. */
  arm(): void {
    for (let index = 0; index < this.#listeners.length; index++) this.#listeners[index]!.arm();
  }

  onAccept(slot: number, result: number): void {
    this.#listeners[this.#table.protocol(slot)]!.onAccept(slot, result);
  }

  onTimer(index: number): void {
    this.#listeners[index]!.onTimer();
  }

  /** Control plane. */
  stop(): void {
    for (const listener of this.#listeners) listener.stop();
  }
}
