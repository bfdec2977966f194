// The connections that this worker has adopted: it serves them on its own loop, as an accept thread
// does, until they go home. A blocking handler runs above the loop, and lets it run while it waits.
//
// The parts are made with the first guest: most workers of most applications never have one.
// Owner: one worker thread. Data plane, once for each guest.

import type { RunUntil } from '../app/blocking-connection.ts';
import { BoundBlockingConnection, refuseAsync } from '../app/blocking-connection.ts';
import { BoundBlockingRawConnection } from '../app/blocking-raw-connection.ts';
import type { BoundResponse } from '../app/bound-response.ts';
import type { CompiledApp } from '../app/compiled-app.ts';
import { connectionHandler, guestApp } from '../app/compiled-app.ts';
import type { BlockingHandler } from '../app/connection-handler.ts';
import { LoopHandler, RawBlockingHandler, RawLoopHandler } from '../app/connection-handler.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Handler } from '../app/handler.ts';
import type { RawHandler } from '../app/protocol.ts';
import type { BoundRequest } from '../app/request.ts';
import { AssertionError, assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { RequestOptions } from '../base/options.ts';
import type { PoolSizes } from '../base/thread-plan.ts';
import { CONNECTION_CTX_SIZE, RAW } from '../connection/connection-table.ts';
import { Connections } from '../connection/connections.ts';
import type { Departures, UnreadBytes } from '../connection/departures.ts';
import type { TaskDelegation } from '../connection/task-delegation.ts';
import type { HandOffRecords } from '../delegate/hand-off-records.ts';
import { ENDED, RETURNED, RecordBytes } from '../delegate/hand-off-records.ts';
import type { TaskHolders } from '../delegate/task-holders.ts';
import { NO_DEADLINE } from '../delegate/task-holders.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';

export interface GuestsOptions {
  readonly loop: Loop;
  readonly app: CompiledApp;
  readonly holders: TaskHolders;
  readonly records: HandOffRecords;
  readonly counters: Counters;
  readonly pools: PoolSizes;
  readonly requests: RequestOptions;
  /** The most guests. */
  readonly capacity: number;
  /** For so long a blocking handler may go without reading or writing, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: (message: string, error?: unknown) => void;
  /** The holder's connection goes home, as its status says. */
  readonly onGone: (holder: number) => void;
}

// A blocking handler that waits for its turn.
interface Waiting {
  readonly slot: number;
  readonly holder: number;
  /** The guest may have gone since, and with it the holder. */
  readonly generation: number;
  run(runUntil: RunUntil): void;
  /** The guest has gone. */
  drop(): void;
}

export class Guests implements Departures {
  readonly ofGuests = true;
  connections: Connections | undefined;
  /** Guests that are here. */
  count = 0;
  readonly #options: GuestsOptions;
  readonly #bytes: RecordBytes;
  // By guest: its holder, or NONE.
  readonly #holderOf: Int32Array;
  // By guest: 1 until its first request begins, which is why it is here.
  readonly #isNew: Uint8Array;
  // The guest whose request begins.
  #beginning = NONE;
  readonly #waiting: Waiting[] = [];
  #recalled = false;

  constructor(options: GuestsOptions) {
    this.#options = options;
    this.#bytes = new RecordBytes(options.records);
    this.#holderOf = new Int32Array(options.capacity).fill(NONE);
    this.#isNew = new Uint8Array(options.capacity);
  }

  /** True exactly when there is memory for another one. */
  get hasRoom(): boolean {
    return this.connections === undefined || this.connections.travel.hasRoom;
  }

  /**
   * Takes the connection of a holder that this thread runs. Answers whether its handler will block
   * the thread.
   */
  adopt(holder: number): boolean {
    const { records, holders, app, counters } = this.#options;
    this.connections ??= this.#make();
    const { table, travel, raw } = this.connections;
    const slot = table.acquire();
    assert(slot !== NONE, 'there is a place for every connection that can be handed off');
    const handler = app.connections[holders.taskIndex(holder) - app.tasks.length]!.handler;
    const blocks = !(handler instanceof LoopHandler || handler instanceof RawLoopHandler);
    holders.setSharesThread(holder, true);
    holders.setDeadline(holder, NO_DEADLINE);
    count(counters, Counter.adopted);
    this.count++;
    this.#holderOf[slot] = holder;
    this.#isNew[slot] = 1;
    table.setFd(slot, records.fd(holder));
    if (handler instanceof RawLoopHandler) raw.adopt(slot, handler.functions, this.#recalled);
    else if (handler instanceof RawBlockingHandler) {
      raw.adopt(slot, this.#blockRaw(slot, handler), this.#recalled);
    }
    travel.resume(slot, records.requests(holder), this.#bytes.of(holder));
    return blocks;
  }

  /** True exactly when a blocking handler waits for its turn. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Runs the blocking handler that waits the longest, unless its client has gone: then nobody wants
   * its answer. The loop's own ticks run within it.
   */
  runWaiting(): void {
    const { loop, holders, timeoutMs } = this.#options;
    const waiting = this.#waiting.shift()!;
    if (!this.#isHere(waiting)) {
      waiting.drop();
      return;
    }
    // While it waits for its peer, the timeouts of connections count, and others have the thread. A
    // guest that has gone took its holder along: that may be another one's by now.
    const setShares = (shares: boolean): void => {
      if (!this.#isHere(waiting)) return;
      const deadlineMs = shares ? NO_DEADLINE : (loop.clock.nowMs + timeoutMs) | 0 || 1;
      holders.setSharesThread(waiting.holder, shares);
      holders.setDeadline(waiting.holder, deadlineMs);
    };
    setShares(false);
    waiting.run((isDone) => {
      setShares(true);
      loop.runUntil(isDone);
      setShares(false);
    });
    setShares(true);
  }

  /** The server drains: guests go home when they are served. Control plane. */
  recall(): void {
    this.#recalled = true;
    if (this.connections === undefined) return;
    for (let slot = 0; slot < this.#holderOf.length; slot++) {
      if (this.#holderOf[slot] === NONE) continue;
      if (this.connections.table.has(slot, RAW)) this.connections.raw.recall(slot);
      else this.connections.travel.leave(slot);
    }
  }

  // A guest is here for its first request; later ones stay if they are for a handler on this loop.
  isElsewhere(slot: number, route: number): boolean {
    this.#beginning = slot;
    if (this.#isNew[slot] === 1) {
      this.#isNew[slot] = 0;
      return false;
    }
    return !(connectionHandler(this.#options.app, route) instanceof LoopHandler);
  }

  leavesAfter(route: number): boolean {
    const handler = connectionHandler(this.#options.app, route);
    return this.#recalled || !(handler instanceof LoopHandler && handler.keep);
  }

  prepare(): boolean {
    return true;
  }

  reserve(): boolean {
    return false;
  }

  unread(slot: number, size: number): UnreadBytes | undefined {
    const { records } = this.#options;
    const holder = this.#holderOf[slot]!;
    records.clear(holder);
    return records.space(holder) < size ? undefined : this.#bytes.of(holder);
  }

  depart(slot: number): void {
    this.#goHome(slot, RETURNED, 0);
  }

  cancel(): void {}

  end(slot: number, reason: number): void {
    this.#goHome(slot, ENDED, reason);
  }

  /** Control plane. */
  assertAllFree(): void {
    this.connections?.ending.assertAllFree();
  }

  #wait(slot: number, run: Waiting['run'], drop: Waiting['drop']): void {
    const generation = this.connections!.table.generation(slot);
    this.#waiting.push({ slot, generation, holder: this.#holderOf[slot]!, run, drop });
  }

  #isHere({ slot, generation }: Waiting): boolean {
    return this.connections!.table.pool.isCurrent(slot, generation);
  }

  #goHome(slot: number, status: number, reason: number): void {
    const { holders, records, onGone } = this.#options;
    const { table } = this.connections!;
    const holder = this.#holderOf[slot]!;
    records.setRequests(holder, table.requests(slot));
    records.setReason(holder, reason);
    holders.setStatus(holder, status);
    this.#holderOf[slot] = NONE;
    this.count--;
    table.release(slot);
    onGone(holder);
  }

  // Called where the request is parsed: the handler runs when nothing else does. Control plane.
  #block(handler: BlockingHandler): Handler {
    return (request, response) => {
      const slot = this.#beginning;
      const bound = response as BoundResponse;
      return new Promise<void>((resolve, reject) => {
        const run = (runUntil: RunUntil): void => {
          const connection = new BoundBlockingConnection(request as BoundRequest, bound, runUntil);
          try {
            connection.finish(handler(connection));
            resolve();
          } catch (error) {
            if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
            connection.fail();
            reject(error);
          }
        };
        this.#wait(slot, run, resolve);
      });
    };
  }

  // The same for a connection of a protocol. Control plane.
  #blockRaw(slot: number, handler: RawBlockingHandler): RawHandler {
    const connection = new BoundBlockingRawConnection((guest, state) => {
      const run = (runUntil: RunUntil): void => {
        if (connection.over) return;
        connection.begin(runUntil);
        try {
          const result = handler.run(connection, state);
          connection.finish();
          refuseAsync(result);
          guest.handBack(result);
        } catch (error) {
          if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
          connection.finish();
          const isGone = connection.over && error instanceof ExchangeError;
          if (!isGone) this.connections!.raw.fail(slot, guest, error);
        }
      };
      this.#wait(slot, run, () => {});
    });
    return connection.functions;
  }

  // Control plane.
  #make(): Connections {
    const { loop, app, counters, pools, requests, capacity, log } = this.#options;
    return new Connections({
      loop,
      app: guestApp(app, (handler) => this.#block(handler)),
      counters,
      delegation: NO_DELEGATION,
      departures: this,
      capacity,
      rows: new SharedArrayBuffer(capacity * CONNECTION_CTX_SIZE),
      ...pools,
      requests,
      log,
    });
  }
}

// Requests for tasks go home; a handler that is here already is in a worker.
const NO_DELEGATION: TaskDelegation = {
  inputSizeMax: 0,
  delegate: noDelegation,
  delegateInput: noDelegation,
  call: noDelegation,
  cancel: noDelegation,
};

function noDelegation(): never {
  // tidy: allow a mistake in the app
  throw new Error('a handler on the loop of a worker cannot delegate: it is in a worker');
}
