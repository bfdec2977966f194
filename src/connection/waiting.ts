// What the connections of a thread wait for, and what becomes of one whose peer is late.
//
// Owner: one thread. Data plane.

import { ExchangeError } from '../app/exchange-error.ts';
import {
  BODY_TIMEOUT,
  BY_PEER,
  HANDLER_TIMEOUT,
  HEADER_TIMEOUT,
  IDLE,
  SEND_TIMEOUT,
} from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  AWAITED,
  BODY_PAUSED,
  CLOSE_AFTER_SEND,
  DEFERRED,
  isDropping,
  isLeaving,
  LINGER_AFTER_SEND,
  OPEN,
  PEER_ENDED,
  RECEIVES_BODY,
  SEND_IN_FLIGHT,
  SUSPENDED,
} from './connection-table.ts';
import type { Deadlines } from './deadlines.ts';
import { BODY, BODY_HELD, HEAD, NEXT_REQUEST, NOTHING } from './deadlines.ts';
import type { Exchange } from './exchange.ts';
import { BODY_DROPPED } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { RecvSide } from './recv-side.ts';
import type { RequestSide } from './request-side.ts';
import type { SendSide } from './send-side.ts';

/** RFC 9110 15.6.5: what the answer depends on did not answer in time. */
const GATEWAY_TIMEOUT = 504;
/** RFC 9110 15.5.9. */
const REQUEST_TIMEOUT = 408;

export class Waiting {
  readonly #table: ConnectionTable;
  readonly #exchanges: Exchanges;
  readonly #deadlines: Deadlines;
  readonly #sendSide: SendSide;
  readonly #recvSide: RecvSide;
  readonly #requestSide: RequestSide;
  readonly #lifecycle: Lifecycle;

  constructor(
    table: ConnectionTable,
    exchanges: Exchanges,
    deadlines: Deadlines,
    sendSide: SendSide,
    recvSide: RecvSide,
    requestSide: RequestSide,
    lifecycle: Lifecycle,
  ) {
    this.#table = table;
    this.#exchanges = exchanges;
    this.#deadlines = deadlines;
    this.#sendSide = sendSide;
    this.#recvSide = recvSide;
    this.#requestSide = requestSide;
    this.#lifecycle = lifecycle;
  }

  /** True exactly when responses are still to be formed or taken. */
  isAwaited(slot: number): boolean {
    return this.#table.has(slot, AWAITED) || this.#sendSide.isOwing(slot);
  }

  /** Notes what is waited for from now on. */
  note(slot: number): void {
    const table = this.#table;
    if (table.state(slot) !== OPEN) return;
    const flags = table.flags(slot);
    const isHeld = (flags & (SUSPENDED | BODY_PAUSED | DEFERRED)) !== 0;
    let awaited = NOTHING;
    if (isLeaving(flags)) awaited = NOTHING;
    else if ((flags & RECEIVES_BODY) !== 0) {
      awaited = !isHeld && isBodyAwaited(this.#exchanges.receiving(slot)!) ? BODY : BODY_HELD;
    } else if (isHeld) awaited = NOTHING;
    else if (this.#recvSide.hasUnread(slot)) awaited = HEAD;
    else if (!this.isAwaited(slot)) awaited = NEXT_REQUEST;
    this.#deadlines.waitFor(slot, awaited);
  }

  /** It is time to look. True when somebody is late, and the connection has to go on otherwise. */
  look(slot: number): boolean {
    const deadlines = this.#deadlines;
    // What was written in this phase is not sent yet, and has its time from then on.
    const isSending = this.#table.has(slot, SEND_IN_FLIGHT);
    if (isSending && deadlines.sendLeft(slot) <= 0) {
      this.#lifecycle.terminate(slot, SEND_TIMEOUT);
      return false;
    }
    const receiving = this.#exchanges.receiving(slot);
    let left = deadlines.left(slot, receiving === undefined ? 0 : this.#bodySize(slot, receiving));
    let isLate = left <= 0;
    if (isLate) {
      this.#onLate(slot);
      if (this.#table.state(slot) !== OPEN) return false;
      left = deadlines.left(slot, 0);
    }
    if (isSending) left = Math.min(left, deadlines.sendLeft(slot));
    const hasPeerEnded = this.#table.has(slot, PEER_ENDED);
    let exchange = this.#exchanges.first(slot);
    while (exchange !== undefined) {
      const { next } = exchange;
      const handlerLeft = deadlines.handlerLeft(exchange, hasPeerEnded);
      if (handlerLeft > 0) left = Math.min(left, handlerLeft);
      else {
        isLate = true;
        // The answer may have released those behind it: they are looked at soon.
        left = 0;
        this.#onHandlerLate(slot, exchange);
      }
      if (this.#table.state(slot) !== OPEN) return false;
      exchange = next;
    }
    deadlines.look(slot, left);
    return isLate;
  }

  // What came of a body: also what nobody has looked at yet, in case all of it is body.
  #bodySize(slot: number, receiving: Exchange): number {
    return receiving.receivedSize + this.#recvSide.waitingSize(slot);
  }

  // The handler is told, and what it still says is ignored. What it may go on doing is unknown, and
  // so is whether it reads its body: the connection ends. Where the response has begun, it is the
  // peer that may have gone.
  #onHandlerLate(slot: number, exchange: Exchange): void {
    const reason = exchange.headWritten ? BY_PEER : HANDLER_TIMEOUT;
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    this.#table.setReason(slot, reason);
    const error = new ExchangeError('the handler has taken too long', 0);
    this.#requestSide.fail(exchange, error, GATEWAY_TIMEOUT, reason);
  }

  // Who began to send a request is told why it gets no other answer.
  #onLate(slot: number): void {
    const awaited = this.#deadlines.awaited(slot);
    this.#deadlines.done(slot);
    // The close was announced meanwhile: what still comes is not looked at, and is not late.
    if (isDropping(this.#table.flags(slot))) return;
    if (awaited === NEXT_REQUEST) this.#lifecycle.terminate(slot, IDLE);
    else if (awaited === HEAD) this.#requestSide.reject(slot, REQUEST_TIMEOUT, HEADER_TIMEOUT);
    else {
      const receiving = this.#exchanges.receiving(slot)!;
      this.#requestSide.bodySide.break(slot, receiving, REQUEST_TIMEOUT, BODY_TIMEOUT);
    }
  }
}

// A handler that does not want the body yet, and may not have asked for it, has all the time.
function isBodyAwaited(exchange: Exchange): boolean {
  return exchange.bodyState === BODY_DROPPED || exchange.requestBody?.isWanted === true;
}
