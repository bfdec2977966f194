// The exchanges of a thread: a bounded pool, and for each connection the queue of those whose
// responses are not complete, in the order of their requests.
//
// There is one for each connection and one that is current, always; connections that pipeline share
// EXTRA_MAX more. The objects are made when they are first needed, and used again ever after.
//
// Owner: one thread. Data plane, apart from that.

import { assert } from '../base/assert.ts';
import { NONE, Pool } from '../memory/pool.ts';
import type { ConnectionTable } from './connection-table.ts';
import { AWAITED, RECEIVES_BODY } from './connection-table.ts';
import type { ExchangeContext } from './exchange.ts';
import { Exchange } from './exchange.ts';

/** The most exchanges in flight beyond the first of each connection. */
export const EXTRA_MAX = 4096;
/** How many exchanges there are for so many connections. */
export function exchangesFor(connections: number): number {
  return connections + EXTRA_MAX + 1;
}
/** The most exchanges in flight of one connection. */
export const PIPELINED_MAX = 16;

export class Exchanges {
  /** Of the request that is looked at. */
  current: Exchange;
  readonly pool: Pool;
  /** Bytes that were copied for handlers. */
  keptSize = 0;
  readonly #context: ExchangeContext;
  readonly #table: ConnectionTable;
  readonly #all: (Exchange | undefined)[] = [];
  // By connection: the ends of its queue, as indexes; how many there are; whose body comes.
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #counts: Uint8Array;
  readonly #receiving: Int32Array;
  #extras = 0;

  constructor(context: ExchangeContext, table: ConnectionTable) {
    const connections = table.pool.capacity;
    this.#table = table;
    this.pool = new Pool('exchanges', exchangesFor(connections));
    this.#context = context;
    this.#first = new Int32Array(connections).fill(NONE);
    this.#last = new Int32Array(connections).fill(NONE);
    this.#counts = new Uint8Array(connections);
    this.#receiving = new Int32Array(connections).fill(NONE);
    this.current = this.#acquire();
  }

  /** How many are queued. */
  count(slot: number): number {
    return this.#counts[slot]!;
  }

  /** The one whose response is written first, or undefined. */
  first(slot: number): Exchange | undefined {
    const index = this.#first[slot]!;
    return index === NONE ? undefined : this.#all[index];
  }

  last(slot: number): Exchange | undefined {
    const index = this.#last[slot]!;
    return index === NONE ? undefined : this.#all[index];
  }

  /** The one whose body comes, or undefined. */
  receiving(slot: number): Exchange | undefined {
    const index = this.#receiving[slot]!;
    return index === NONE ? undefined : this.#all[index];
  }

  /** True exactly when a connection with exchanges in flight may have one more. */
  mayPipeline(slot: number): boolean {
    return this.#counts[slot]! < PIPELINED_MAX && this.#extras < EXTRA_MAX;
  }

  /** The exchange that a task was given, or undefined when it is no longer there. */
  find(index: number, generation: number): Exchange | undefined {
    return this.pool.isCurrent(index, generation) ? this.#all[index] : undefined;
  }

  generation(exchange: Exchange): number {
    return this.pool.generation(exchange.index);
  }

  /** The current exchange is queued, and another one is current from here on. */
  enqueueCurrent(slot: number): Exchange {
    const exchange = this.current;
    exchange.slot = slot;
    // Whoever kept what it was given with an earlier request is not to hear of this one.
    if (exchange.kept && !exchange.handled) exchange.renew();
    exchange.giveTime();
    const last = this.last(slot);
    if (last === undefined) {
      this.#first[slot] = exchange.index;
      this.#table.setFlag(slot, AWAITED);
    } else {
      last.next = exchange;
      this.#extras++;
    }
    this.#last[slot] = exchange.index;
    this.#counts[slot]!++;
    this.current = this.#acquire();
    return exchange;
  }

  /** The body of the exchange comes next on its connection; or, NONE, a request. */
  setReceiving(slot: number, index: number): void {
    this.#receiving[slot] = index;
    if (index === NONE) this.#table.clearFlag(slot, RECEIVES_BODY);
    else this.#table.setFlag(slot, RECEIVES_BODY);
  }

  /** The client has ended its side: whoever waits for it is told. Control plane. */
  peerEnded(slot: number): void {
    for (let each = this.first(slot); each !== undefined; each = each.next) {
      each.request.peerEnded();
    }
  }

  /** The first response is complete. */
  shift(slot: number): void {
    const exchange = this.first(slot);
    assert(exchange !== undefined, 'what is shifted is in the queue');
    const { next } = exchange;
    this.#first[slot] = next === undefined ? NONE : next.index;
    if (next === undefined) {
      this.#last[slot] = NONE;
      this.#table.clearFlag(slot, AWAITED);
    } else this.#extras--;
    this.#counts[slot]!--;
    exchange.next = undefined;
  }

  /** Response and body are done: the exchange goes back. */
  release(exchange: Exchange): void {
    this.keptSize -= exchange.keptSize;
    exchange.keptSize = 0;
    exchange.slot = NONE;
    exchange.request.unbind();
    exchange.response.unbind();
    exchange.reset();
    this.pool.release(exchange.index);
  }

  /** Notes bytes that were copied for a handler. */
  keep(exchange: Exchange, size: number): void {
    exchange.keptSize += size;
    this.keptSize += size;
  }

  /** Asserts that only the current one is in use. Control plane. */
  assertAllFree(): void {
    assert(this.pool.used === 1, 'every exchange is back, but for the current one');
    assert(this.#extras === 0, 'no connection pipelines');
    assert(this.keptSize === 0, 'nothing is kept for handlers');
  }

  #acquire(): Exchange {
    const index = this.pool.acquire();
    assert(index !== NONE, 'there is an exchange for every connection, and one more');
    let exchange = this.#all[index];
    if (exchange === undefined) {
      exchange = new Exchange(index, this.#context);
      this.#all[index] = exchange;
    }
    return exchange;
  }
}
