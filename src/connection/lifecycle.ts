// How a connection ends: a join of everything the kernel holds of it.
//
//     terminate      state TERMINATING; shutdown(2), so that what is in flight completes soon
//     terminateJoin  after each completion: is anything still in flight? then wait for it
//     terminateClose the blocks go back, the kernel closes the descriptor
//     onClosed       the slot goes back to the pool, with another generation
//
// Memory is never released, nor a descriptor closed, while an operation of the kernel may use it.
// Owner: one thread. Data plane.

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Io } from '../io/io.ts';
import { SHUT_RDWR, SHUT_WR } from '../kernel/sockets.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';
import { abort } from './abort.ts';
import { BY_PEER, SERVED } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  CLOSE_IN_FLIGHT,
  LEAVES,
  LINGER_AFTER_SEND,
  LINGERING,
  PEER_ENDED,
  RAW,
  RECV_IN_FLIGHT,
  SEND_IN_FLIGHT,
  TERMINATING,
} from './connection-table.ts';
import type { Departures } from './departures.ts';
import type { Exchanges } from './exchanges.ts';
import type { RecvSide } from './recv-side.ts';
import type { SendSide } from './send-side.ts';
import type { TaskDelegation } from './task-delegation.ts';

/** How long what a peer still sends is read and dropped after our side has ended. */
export const LINGER_MS = 2000;

export class Lifecycle {
  readonly #io: Io;
  readonly #loop: Loop;
  readonly #table: ConnectionTable;
  readonly #exchanges: Exchanges;
  readonly #sendSide: SendSide;
  readonly #recvSide: RecvSide;
  readonly #delegation: TaskDelegation;
  readonly #departures: Departures | undefined;
  readonly #counters: Counters;
  readonly #onRawClosed: (slot: number) => void;

  constructor(
    loop: Loop,
    table: ConnectionTable,
    exchanges: Exchanges,
    sendSide: SendSide,
    recvSide: RecvSide,
    delegation: TaskDelegation,
    departures: Departures | undefined,
    counters: Counters,
    onRawClosed: (slot: number) => void,
  ) {
    this.#io = loop.io;
    this.#loop = loop;
    this.#table = table;
    this.#exchanges = exchanges;
    this.#sendSide = sendSide;
    this.#recvSide = recvSide;
    this.#delegation = delegation;
    this.#departures = departures;
    this.#counters = counters;
    this.#onRawClosed = onRawClosed;
  }

  /** Ends the connection as soon as the kernel lets go of it. May be called again. */
  terminate(slot: number, reason: number): void {
    const table = this.#table;
    if (table.state(slot) === TERMINATING) return;
    table.setState(slot, TERMINATING);
    table.setReason(slot, reason);
    if (table.has(slot, LEAVES)) this.#departures!.cancel(slot);
    if (table.has(slot, RAW)) this.#onRawClosed(slot);
    this.#abort(slot);
    if (table.has(slot, RECV_IN_FLIGHT | SEND_IN_FLIGHT)) {
      this.#io.shutdown(table.fd(slot), SHUT_RDWR);
    }
    this.terminateJoin(slot);
  }

  /** Goes on with the end of a connection after one of its operations has completed. */
  terminateJoin(slot: number): void {
    assert(this.#table.state(slot) === TERMINATING, 'only a terminating connection is joined');
    if (!this.#table.isInFlight(slot)) this.#terminateClose(slot);
  }

  /** Everything written was sent, and the last response announced the close. */
  finish(slot: number): void {
    const table = this.#table;
    let reason = table.reason(slot);
    if (reason === 0) reason = table.has(slot, PEER_ENDED) ? BY_PEER : SERVED;
    if (table.has(slot, LINGER_AFTER_SEND)) this.linger(slot, reason);
    else this.terminate(slot, reason);
  }

  /** Ends our side, and reads on until the peer ends its own or LINGER_MS have passed. */
  linger(slot: number, reason: number): void {
    const table = this.#table;
    table.setState(slot, LINGERING);
    table.setReason(slot, reason);
    this.#recvSide.release(slot);
    this.#io.shutdown(table.fd(slot), SHUT_WR);
    this.#loop.timers.set(slot, this.#loop.clock.nowMs, LINGER_MS);
    this.#recvSide.arm(slot);
  }

  /** The kernel has closed the descriptor. */
  onClosed(slot: number): void {
    const table = this.#table;
    assert(table.state(slot) === TERMINATING, 'only a terminating connection is closed');
    table.clearFlag(slot, CLOSE_IN_FLIGHT);
    this.#counters[Counter.connectionsOpen]! -= 1;
    count(this.#counters, table.reason(slot));
    table.release(slot);
  }

  // Handlers and tasks of the connection go on without it.
  #abort(slot: number): void {
    const exchanges = this.#exchanges;
    const receiving = exchanges.receiving(slot);
    exchanges.setReceiving(slot, NONE);
    if (receiving?.responseDone === true) exchanges.release(receiving);
    for (let first = exchanges.first(slot); first !== undefined; first = exchanges.first(slot)) {
      if (first.delegated) this.#delegation.cancel(first.index);
      if (first.handled) {
        abort(first);
        this.#loop.userCodeRan();
      }
      exchanges.shift(slot);
      exchanges.release(first);
    }
  }

  #terminateClose(slot: number): void {
    const table = this.#table;
    this.#sendSide.release(slot);
    this.#recvSide.release(slot);
    this.#loop.timers.clear(slot);
    if (this.#departures?.ofGuests === true) {
      this.#io.detach(table.fd(slot));
      this.#departures.end(slot, table.reason(slot));
      return;
    }
    table.setFlag(slot, CLOSE_IN_FLIGHT);
    this.#io.close(table.fd(slot), slot, table.generation(slot));
  }
}
