// The bodies of requests: gives the bytes that arrive to the handler that waits for them, or drops
// them; those that nobody waits for yet stay where they are, which holds their peer back.
//
// Owner: one thread. Data plane.

import { ExchangeError } from '../app/exchange-error.ts';
import type { BodyDecoder } from '../http/body-decoder.ts';
import { BODY_COMPLETE, BODY_DATA, BODY_INCOMPLETE } from '../http/body-decoder.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { reasonPhrase } from '../http/status.ts';
import { NONE } from '../memory/pool.ts';
import type { FailureSink } from './async-handlers.ts';
import { BAD_REQUEST } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import { BODY_PAUSED, CLOSE_AFTER_SEND, LINGER_AFTER_SEND } from './connection-table.ts';
import type { Exchange } from './exchange.ts';
import { BODY_DONE, BODY_DROPPED, BODY_OPEN } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';

/** What a request that was not read may still bring before its connection is closed instead. */
export const BODY_DROP_MAX = 65_536;

export interface BodySideOptions {
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly exchanges: Exchanges;
  readonly parser: RequestParser;
  readonly decoder: BodyDecoder;
  readonly failures: FailureSink;
  /** Tells the loop that code of the user is going to run. */
  readonly onUserCode: () => void;
}

export class BodySide {
  readonly #bytes: Uint8Array;
  readonly #table: ConnectionTable;
  readonly #exchanges: Exchanges;
  readonly #parser: RequestParser;
  readonly #decoder: BodyDecoder;
  readonly #failures: FailureSink;
  readonly #onUserCode: () => void;

  constructor(options: BodySideOptions) {
    this.#bytes = options.bytes;
    this.#table = options.table;
    this.#exchanges = options.exchanges;
    this.#parser = options.parser;
    this.#decoder = options.decoder;
    this.#failures = options.failures;
    this.#onUserCode = options.onUserCode;
  }

  /** The request just parsed has a body. */
  begin(exchange: Exchange): void {
    const { chunked, contentLength, expectsContinue } = this.#parser;
    exchange.bodyState = BODY_OPEN;
    exchange.bodyLeft = contentLength;
    exchange.expectsContinue = expectsContinue;
    this.#decoder.begin(chunked, contentLength);
    this.#decoder.save(exchange.decoderState, 0);
  }

  /**
   * Takes the bytes of a body between `start` and `end` as far as they are wanted, and answers
   * where it stopped. If the body is not done then, it needs more bytes, or is BODY_PAUSED.
   */
  receive(slot: number, exchange: Exchange, start: number, end: number): number {
    const decoder = this.#decoder;
    if (start < end) exchange.expectsContinue = false;
    decoder.restore(exchange.decoderState, 0);
    let at = start;
    for (;;) {
      const isDropped = exchange.bodyState === BODY_DROPPED;
      const isWanted = isDropped || exchange.requestBody?.isWanted === true;
      // Without further bytes it is told whether the body is complete.
      const result = decoder.decode(this.#bytes, at, isWanted ? end : at);
      at = decoder.next;
      if (result === BODY_DATA) {
        const { dataOffset, dataSize } = decoder;
        const goesOn = isDropped
          ? this.#drop(slot, exchange, dataSize)
          : this.#push(slot, exchange, dataOffset, dataSize);
        if (!goesOn) return end;
      } else if (result === BODY_COMPLETE) {
        this.#endBody(slot, exchange);
        return at;
      } else if (result === BODY_INCOMPLETE) {
        decoder.save(exchange.decoderState, 0);
        exchange.receivedSize = decoder.received;
        if (at < end) this.#table.setFlag(slot, BODY_PAUSED);
        return at;
      } else {
        this.break(slot, exchange, result, BAD_REQUEST);
        return end;
      }
    }
  }

  #push(slot: number, exchange: Exchange, offset: number, size: number): boolean {
    const body = exchange.requestBody!;
    this.#onUserCode();
    exchange.giveTime();
    if (body.isWhole) this.#exchanges.keep(exchange, size);
    if (exchange.bodyLeft > 0) exchange.bodyLeft -= size;
    if (body.push(this.#bytes, offset, size)) return true;
    // The handler may answer; what still comes is not read.
    this.#endRequests(slot, BAD_REQUEST);
    this.#exchanges.setReceiving(slot, NONE);
    exchange.bodyState = BODY_DONE;
    return false;
  }

  // What nobody reads, up to a limit: then the connection ends instead.
  #drop(slot: number, exchange: Exchange, size: number): boolean {
    exchange.droppedSize += size;
    if (exchange.droppedSize <= BODY_DROP_MAX) return true;
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    this.#exchanges.setReceiving(slot, NONE);
    this.#exchanges.release(exchange);
    return false;
  }

  #endBody(slot: number, exchange: Exchange): void {
    this.#exchanges.setReceiving(slot, NONE);
    exchange.bodyState = BODY_DONE;
    exchange.expectsContinue = false;
    if (exchange.responseDone) this.#exchanges.release(exchange);
    else {
      this.#onUserCode();
      exchange.giveTime();
      exchange.requestBody?.end();
    }
  }

  /** The rest of a body will not come: an error is the response, unless that has begun. */
  break(slot: number, exchange: Exchange, status: number, reason: number): void {
    this.#endRequests(slot, reason);
    this.#exchanges.setReceiving(slot, NONE);
    exchange.bodyState = BODY_DONE;
    if (exchange.responseDone) this.#exchanges.release(exchange);
    else {
      const error = new ExchangeError(reasonPhrase(status), status);
      this.#failures.fail(exchange, error, status, reason);
    }
  }

  // Where another request would begin is not known.
  #endRequests(slot: number, reason: number): void {
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    this.#table.setReason(slot, reason);
  }
}
