// How connections change threads: one that leaves is quieted first, then it and the bytes that
// nobody has read are given away; one that arrives brings its own.
//
// A connection that leaves has a complete request at the head of its unread bytes, which is for
// another thread; a guest may also leave with nothing to read, because it was served.
//
// Owner: one thread. Data plane.

import type { Io } from '../io/io.ts';
import { RECV } from '../io/token.ts';
import { SHUT_RDWR } from '../kernel/sockets.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';
import { HANDLER_TIMEOUT, NO_MEMORY, THREAD_DIED } from './close-reason.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  DEFERRED,
  FLOODS,
  HANDED_OFF,
  isLeaving,
  LEAVES,
  LEAVES_FOR_HEAD,
  OPEN,
  PEER_ENDED,
  RAW,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  SEND_IN_FLIGHT,
  SUSPENDED,
} from './connection-table.ts';
import type { Deadlines } from './deadlines.ts';
import type { Departures, UnreadBytes } from './departures.ts';
import type { Lifecycle } from './lifecycle.ts';
import { RAW_STATE_SIZE_MAX } from './raw-connection.ts';
import type { RawSide } from './raw-side.ts';
import type { RecvSide } from './recv-side.ts';
import type { RequestSide } from './request-side.ts';
import type { SendSide } from './send-side.ts';
import type { Waiting } from './waiting.ts';

/** RFC 9110 section 15.6.4. */
const SERVICE_UNAVAILABLE = 503;

export interface TravelOptions {
  readonly loop: Loop;
  readonly memory: ConnectionMemory;
  readonly deadlines: Deadlines;
  readonly recvSide: RecvSide;
  readonly sendSide: SendSide;
  readonly requestSide: RequestSide;
  readonly rawSide: RawSide;
  readonly waiting: Waiting;
  readonly lifecycle: Lifecycle;
  readonly departures: Departures | undefined;
  /** The connection has brought something: it is to be looked at. */
  readonly onArrival: (slot: number) => void;
}

export class Travel {
  readonly #options: TravelOptions;
  readonly #io: Io;
  readonly #table: ConnectionTable;

  constructor(options: TravelOptions) {
    this.#options = options;
    this.#io = options.loop.io;
    this.#table = options.memory.table;
  }

  /** True exactly when there is memory for another guest, beside what those here may need. */
  get hasRoom(): boolean {
    return this.#options.memory.hasRoom;
  }

  /** The connection goes on here, where it has had `requests` so far, with what it has brought. */
  resume(slot: number, requests: number, unread: UnreadBytes): void {
    const table = this.#table;
    const { deadlines, departures, lifecycle, rawSide, recvSide, onArrival } = this.#options;
    table.clearFlag(slot, LEAVES | LEAVES_FOR_HEAD | PEER_ENDED | SUSPENDED);
    // What it may hold when it goes home is bounded by the block that came with it: none of its
    // receives repeats.
    if (departures?.ofGuests === true) table.setFlag(slot, FLOODS);
    const isRaw = table.has(slot, RAW);
    if (isRaw) rawSide.arrive(slot, unread);
    table.setRequests(slot, requests);
    table.setState(slot, OPEN);
    deadlines.open(slot);
    if (!this.#unpack(slot, unread)) lifecycle.terminate(slot, NO_MEMORY);
    else if (isRaw || recvSide.isWaiting(slot)) onArrival(slot);
    else recvSide.arm(slot);
  }

  /** The connection comes back to be answered with an error. */
  refuse(slot: number, status: number, reason: number): void {
    if (this.#table.has(slot, RAW)) {
      this.close(slot, HANDLER_TIMEOUT);
      return;
    }
    this.#table.clearFlag(slot, LEAVES);
    this.#table.setState(slot, OPEN);
    this.#options.deadlines.open(slot);
    this.#options.requestSide.reject(slot, status, reason);
  }

  /** The connection comes back to be closed: it has ended, or its thread died with it. */
  close(slot: number, reason: number): void {
    this.#table.clearFlag(slot, LEAVES);
    this.#table.setState(slot, OPEN);
    // A ring that died with its thread may hold it for a while.
    if (reason === THREAD_DIED) this.#io.shutdown(this.#table.fd(slot), SHUT_RDWR);
    this.#options.lifecycle.terminate(slot, reason);
  }

  /** The connection leaves as soon as what it was asked is answered. */
  leave(slot: number): void {
    this.#table.setFlag(slot, LEAVES);
    this.tryLeave(slot);
  }

  /** Lets a connection that is leaving go, if nothing of it is in flight any more. */
  tryLeave(slot: number): void {
    const table = this.#table;
    if (table.state(slot) !== OPEN || !isLeaving(table.flags(slot))) return;
    if (table.has(slot, DEFERRED | SEND_IN_FLIGHT) || this.#options.waiting.isAwaited(slot)) return;
    if (!table.has(slot, RECV_IN_FLIGHT)) this.#leave(slot);
    else if (!table.has(slot, RECV_CANCELLED)) {
      table.setFlag(slot, RECV_CANCELLED);
      this.#io.cancel(RECV, slot, table.generation(slot));
    }
  }

  // Holds the bytes that a connection has brought. False when there is no memory for them.
  #unpack(slot: number, unread: UnreadBytes): boolean {
    const table = this.#table;
    const floods = table.has(slot, FLOODS);
    while (unread.size > 0) {
      const buffer = this.#io.takeBuffer();
      if (buffer === NONE) return false;
      const offset = this.#io.bufferOffset(buffer);
      const size = unread.read(this.#io.memory.bytes, offset, this.#io.bufferSize);
      if (!this.#options.recvSide.hold(slot, buffer, size, false)) {
        this.#io.releaseBuffer(buffer);
        return false;
      }
    }
    if (!floods) table.clearFlag(slot, FLOODS);
    return true;
  }

  #leave(slot: number): void {
    const table = this.#table;
    const { loop, lifecycle, rawSide, recvSide, sendSide, requestSide } = this.#options;
    const departures = this.#options.departures!;
    const isRaw = table.has(slot, RAW);
    // Always room for as much state as it may come back with.
    const stateSize = isRaw ? RAW_STATE_SIZE_MAX : 0;
    const unread = departures.unread(slot, recvSide.waitingSize(slot) + stateSize);
    if (unread === undefined) {
      departures.cancel(slot);
      table.clearFlag(slot, LEAVES);
      if (isRaw) lifecycle.terminate(slot, NO_MEMORY);
      else requestSide.reject(slot, SERVICE_UNAVAILABLE, NO_MEMORY);
      return;
    }
    if (isRaw) rawSide.pack(slot, unread);
    recvSide.pack(slot, unread);
    sendSide.release(slot);
    loop.timers.clear(slot);
    this.#io.detach(table.fd(slot));
    table.setState(slot, HANDED_OFF);
    if (isRaw) rawSide.onDeparted(slot);
    departures.depart(slot);
  }
}
