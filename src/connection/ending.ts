// The end of all connections, when the server drains. Control plane.

import type { Io } from '../io/io.ts';
import { SHUT_RDWR } from '../kernel/sockets.ts';
import { DRAINING } from './close-reason.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import type { ConnectionTable } from './connection-table.ts';
import { DEFERRED, HANDED_OFF, LINGERING, OPEN } from './connection-table.ts';
import type { Exchanges } from './exchanges.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { RawSide } from './raw-side.ts';
import type { RecvSide } from './recv-side.ts';
import type { ResponseSide } from './response-side.ts';
import type { Waiting } from './waiting.ts';

export interface EndingOptions {
  readonly io: Io;
  readonly memory: ConnectionMemory;
  readonly exchanges: Exchanges;
  readonly recvSide: RecvSide;
  readonly responseSide: ResponseSide;
  readonly rawSide: RawSide;
  readonly waiting: Waiting;
  readonly lifecycle: Lifecycle;
}

export class Ending {
  readonly #options: EndingOptions;
  readonly #table: ConnectionTable;

  constructor(options: EndingOptions) {
    this.#options = options;
    this.#table = options.memory.table;
  }

  /** From now on every response announces the close, and no protocol hands a connection off. */
  announce(): void {
    this.#options.responseSide.draining = true;
    this.#options.rawSide.draining = true;
  }

  /** Ends the connections that owe nothing to their peers. */
  closeIdle(): void {
    const table = this.#table;
    const { waiting, recvSide, lifecycle } = this.#options;
    for (let slot = 0; slot < table.pool.capacity; slot++) {
      if (table.state(slot) !== OPEN || table.has(slot, DEFERRED)) continue;
      if (waiting.isAwaited(slot) || recvSide.isWaiting(slot)) continue;
      lifecycle.linger(slot, DRAINING);
    }
  }

  /** Ends every connection, whatever it waits for. Whoever has one that is away sees its end. */
  terminateAll(): void {
    const table = this.#table;
    const { io, lifecycle } = this.#options;
    for (let slot = 0; slot < table.pool.capacity; slot++) {
      const state = table.state(slot);
      if (state === OPEN || state === LINGERING) lifecycle.terminate(slot, DRAINING);
      else if (state === HANDED_OFF) io.shutdown(table.fd(slot), SHUT_RDWR);
    }
  }

  /** Asserts that everything is back. */
  assertAllFree(): void {
    this.#options.memory.assertAllFree();
    this.#options.exchanges.assertAllFree();
  }
}
