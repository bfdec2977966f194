// The connections that this accept thread has handed to workers. Each keeps its slot here, and has
// a holder, as a task has: its owner is the owner of the connection.
//
//     reserved   BUILDING, with a block: the connection is being quieted
//     away       QUEUED, then RUNNING by the worker that has it
//     back       DONE: served on here, or closed
//
// Owner: one accept thread. Data plane, once for each hand-off.

import type { CompiledApp } from '../app/compiled-app.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { SERVED, THREAD_DIED } from '../connection/close-reason.ts';
import type { ConnectionTable } from '../connection/connection-table.ts';
import type { Connections } from '../connection/connections.ts';
import type { Departures, UnreadBytes } from '../connection/departures.ts';
import type { Delegator } from '../delegate/delegator.ts';
import type { HandOffRecords } from '../delegate/hand-off-records.ts';
import { ENDED, RETURNED, RecordBytes } from '../delegate/hand-off-records.ts';
import { CONNECTION } from '../delegate/payload-kind.ts';
import { abandonSocket } from '../kernel/sockets.ts';
import { NONE, Pool } from '../memory/pool.ts';

/** RFC 9110 section 15.6.5: no worker took the connection in time. */
const GATEWAY_TIMEOUT = 504;

export interface HandOffsOptions {
  readonly app: CompiledApp;
  readonly delegator: Delegator;
  readonly records: HandOffRecords;
  readonly counters: Counters;
  /** By task and connection handler: 1 while it is refused. */
  readonly refused: Int32Array;
  readonly clock: Clock;
  /** For so long a connection may wait for a worker, in milliseconds. */
  readonly timeoutMs: number;
  /** The most connections of the thread. */
  readonly capacity: number;
  /** The most of them that are away. */
  readonly handOffs: number;
}

export class HandOffs implements Departures {
  readonly ofGuests = false;
  readonly #options: HandOffsOptions;
  readonly #bytes: RecordBytes;
  readonly #blocks: Pool;
  readonly #firstBlock: number;
  // By connection: its holder, or NONE.
  readonly #holderOf: Int32Array;
  #connections: Connections | undefined;

  constructor(options: HandOffsOptions) {
    this.#options = options;
    this.#bytes = new RecordBytes(options.records);
    this.#blocks = new Pool('unread blocks', options.handOffs);
    this.#firstBlock = options.delegator.acceptThread * options.handOffs;
    this.#holderOf = new Int32Array(options.capacity).fill(NONE);
    this.#inherit();
  }

  /** The connections, which are made with a reference to this. Control plane. */
  attach(connections: Connections): void {
    this.#connections = connections;
  }

  isElsewhere(_slot: number, route: number): boolean {
    const { app } = this.#options;
    return app.taskIndexes[route]! >= app.tasks.length;
  }

  leavesAfter(): boolean {
    return false;
  }

  prepare(slot: number, route: number): boolean {
    return this.reserve(slot, this.#options.app.taskIndexes[route]!);
  }

  reserve(slot: number, index: number): boolean {
    const { delegator, records, refused, counters } = this.#options;
    if (Atomics.load(refused, index) !== 0) {
      count(counters, Counter.tasksRefused);
      return false;
    }
    const holder = delegator.reserve(index, slot, this.#table.generation(slot));
    if (holder !== NONE) {
      records.begin(holder, this.#table.fd(slot), this.#table.requests(slot));
      this.#holderOf[slot] = holder;
      if (this.#addBlock(holder)) return true;
      this.cancel(slot);
    }
    count(counters, Counter.handOffsRefused);
    return false;
  }

  unread(slot: number, size: number): UnreadBytes | undefined {
    const holder = this.#holderOf[slot]!;
    while (this.#options.records.space(holder) < size) {
      if (!this.#addBlock(holder)) return undefined;
    }
    return this.#bytes.of(holder);
  }

  depart(slot: number): void {
    const { delegator, counters, clock, timeoutMs } = this.#options;
    count(counters, Counter.handedOff);
    delegator.handOff(this.#holderOf[slot]!, (clock.nowMs + timeoutMs) | 0 || 1);
  }

  cancel(slot: number): void {
    const holder = this.#holderOf[slot]!;
    if (holder === NONE) return;
    this.#forget(slot, holder);
    this.#options.delegator.withdraw(holder);
  }

  end(): void {
    assert(false, 'an accept thread has no guests');
  }

  /** No worker has taken the connection in time: its request is answered here. */
  expire(holder: number): void {
    const { delegator, counters } = this.#options;
    if (!delegator.takeBack(holder)) return;
    count(counters, Counter.handOffsLate);
    const slot = this.#home(holder);
    delegator.discard(holder);
    this.#connections!.travel.refuse(slot, GATEWAY_TIMEOUT, SERVED);
  }

  /** The connection has come back. */
  onDone(holder: number): void {
    const { delegator, records, counters } = this.#options;
    const { travel } = this.#connections!;
    const status = delegator.holders.status(holder);
    const slot = delegator.holders.exchange(holder);
    if (status === RETURNED) {
      count(counters, Counter.handedBack);
      travel.resume(slot, records.requests(holder), this.#bytes.of(holder));
    }
    const reason = status === ENDED ? records.reason(holder) : THREAD_DIED;
    if (status !== RETURNED) travel.close(slot, reason);
    this.#home(holder);
    delegator.release(holder);
  }

  /**
   * A connection has come back that was handed off by the thread that died in this one's place: it
   * has no slot here. Control plane.
   */
  closeInherited(holder: number): void {
    const { records } = this.#options;
    abandonSocket(records.fd(holder));
    this.#releaseBlocks(holder);
  }

  /** Control plane. */
  assertAllFree(): void {
    this.#blocks.assertAllFree();
  }

  get #table(): ConnectionTable {
    return this.#connections!.table;
  }

  #addBlock(holder: number): boolean {
    const block = this.#blocks.acquire();
    if (block === NONE) return false;
    if (this.#options.records.addBlock(holder, this.#firstBlock + block)) return true;
    this.#blocks.release(block);
    return false;
  }

  // The holder of a connection that is here again. Answers its slot.
  #home(holder: number): number {
    const { holders } = this.#options.delegator;
    const slot = holders.exchange(holder);
    assert(this.#holderOf[slot] === holder, 'a connection has one holder');
    this.#forget(slot, holder);
    return slot;
  }

  #forget(slot: number, holder: number): void {
    this.#holderOf[slot] = NONE;
    this.#releaseBlocks(holder);
  }

  // The blocks of connections that are away for a thread that died stay taken. Control plane.
  #inherit(): void {
    const { delegator, records, handOffs } = this.#options;
    const { holders, firstHolder } = delegator;
    const taken = new Set<number>();
    for (let holder = firstHolder; delegator.isOwn(holder); holder++) {
      if (!delegator.isInherited(holder) || holders.inputKind(holder) !== CONNECTION) continue;
      for (const block of records.blocks(holder)) taken.add(block - this.#firstBlock);
    }
    if (taken.size === 0) return;
    for (let block = 0; block < handOffs; block++) this.#blocks.acquire();
    for (let block = handOffs - 1; block >= 0; block--) {
      if (!taken.has(block)) this.#blocks.release(block);
    }
  }

  #releaseBlocks(holder: number): void {
    const { records } = this.#options;
    for (let block = records.takeBlock(holder); block >= 0; block = records.takeBlock(holder)) {
      this.#blocks.release(block - this.#firstBlock);
    }
  }
}
