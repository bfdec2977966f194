// The request side of the connections of a thread: parses what arrived, finds the route, calls the
// handler or delegates the task, and gives the bytes of a body to whoever wants them.
//
// A request is looked at when the ones before it have their responses; or, while they are awaited,
// if it and they are safe and without a body (RFC 9112 section 9.3.2): responses leave in the order
// of their requests all the same. Otherwise the connection is SUSPENDED until that has changed.
//
// Owner: one thread. Data plane.

import type { CompiledApp } from '../app/compiled-app.ts';
import { NOT_DELEGATED } from '../app/compiled-app.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { abandon, isThenable } from '../base/thenable.ts';
import { isSafe, METHOD_CONNECT, METHOD_HEAD } from '../http/method.ts';
import type { PreparedResponse } from '../http/prepared-response.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { PARSE_COMPLETE, PARSE_INCOMPLETE } from '../http/request-parser.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
} from '../http/response-writer.ts';
import { NO_PARAMETERS, ROUTE_NOT_FOUND } from '../http/router.ts';
import { NONE } from '../memory/pool.ts';
import { AsyncHandlers } from './async-handlers.ts';
import { BodySide } from './body-side.ts';
import { BAD_REQUEST } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  AWAITED,
  CLOSE_AFTER_SEND,
  LEAVES,
  LEAVES_FOR_HEAD,
  LINGER_AFTER_SEND,
  OPEN,
  RAW,
  RECEIVES_BODY,
  SUSPENDED,
} from './connection-table.ts';
import type { Departures } from './departures.ts';
import type { Exchange } from './exchange.ts';
import { BODY_DONE, BY_HANDLER } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';
import { Refusals, refusalStatus } from './refusals.ts';
import type { RequestSideOptions } from './request-side-options.ts';
import { isTransferred } from './response-content.ts';
import type { ResponseSide } from './response-side.ts';
import { RESPONSE_SPACE_MIN } from './response-side.ts';
import type { SendSide } from './send-side.ts';
import { RETRY_AFTER, TaskSide } from './task-side.ts';
import { failureFields } from './upgrades.ts';

/** Bytes that handlers of a thread may have copied of their requests: heads, and whole bodies. */
export const REQUEST_MEMORY_MAX = 256 * 1024 * 1024;
/** RFC 9110 15.6.2. */
const NOT_IMPLEMENTED = 501;
const FAILED = new ExchangeError('the handler has failed', 0);

export class RequestSide {
  readonly parser: RequestParser;
  readonly bodySide: BodySide;
  readonly tasks: TaskSide;
  readonly handlers: AsyncHandlers;
  readonly #app: CompiledApp;
  readonly #bytes: Uint8Array;
  readonly #table: ConnectionTable;
  readonly #exchanges: Exchanges;
  readonly #sendSide: SendSide;
  readonly #responseSide: ResponseSide;
  readonly #counters: Counters;
  readonly #departures: Departures | undefined;
  readonly #requestsMax: number;
  readonly #mayUpgrade: boolean;
  readonly #onBroken: (slot: number, reason: number) => void;
  readonly #onUserCode: () => void;
  // By route: its response if that is always the same.
  readonly #prepared: readonly (PreparedResponse | undefined)[];
  // Of the request that is looked at.
  #route = ROUTE_NOT_FOUND;
  // The count of heads that it was found at.
  #routedHead = 0;
  #handlerResult: unknown;
  readonly #refusals: Refusals;

  constructor(options: RequestSideOptions) {
    this.parser = options.parser;
    this.#app = options.app;
    this.#bytes = options.bytes;
    this.#table = options.table;
    this.#exchanges = options.exchanges;
    this.#sendSide = options.sendSide;
    this.#responseSide = options.responseSide;
    this.#counters = options.counters;
    this.#departures = options.departures;
    this.#requestsMax = options.requestsMax;
    this.#mayUpgrade = options.app.protocols.length > 0 && options.departures?.ofGuests !== true;
    this.#onBroken = options.onBroken;
    this.#onUserCode = options.onUserCode;
    this.#prepared = options.app.staticResponses.map((each) =>
      each === undefined ? undefined : options.responseSide.prepare(each),
    );
    this.#refusals = new Refusals(options.app.router, options.bytes, options.parser);
    this.handlers = new AsyncHandlers(this, options.counters, options.log);
    this.tasks = new TaskSide(options, this.handlers);
    this.bodySide = new BodySide({ ...options, failures: this });
  }

  /**
   * Takes the bytes between `start` and `end`: the rest of a body, if one is received, and then
   * requests. Answers where it stopped. The parser has begun with the request after the body, or
   * goes on with it. It stops at the end; before a request that has not arrived in full; before one
   * that has to wait, or bytes of a body that nobody wants yet: the connection is SUSPENDED or
   * BODY_PAUSED; or because the connection ends: what follows then is never interpreted.
   */
  serve(slot: number, start: number, end: number): number {
    const table = this.#table;
    let at = start;
    while (at < end) {
      if (table.has(slot, RECEIVES_BODY)) {
        at = this.bodySide.receive(slot, this.#exchanges.receiving(slot)!, at, end);
        if (table.state(slot) !== OPEN || at === end || table.has(slot, RECEIVES_BODY)) break;
      }
      if (table.has(slot, CLOSE_AFTER_SEND | LEAVES)) break;
      at = this.#requests(slot, at, end);
      if (!table.has(slot, RECEIVES_BODY)) break;
    }
    return at;
  }

  /**
   * Answers with an error what has not become a request: a timeout, or one for another thread that
   * is not served there. Nothing follows it.
   */
  reject(slot: number, status: number, reason: number): void {
    if (this.#exchanges.count(slot) > 0 && !this.#exchanges.mayPipeline(slot)) {
      this.#onBroken(slot, reason);
      return;
    }
    this.#endRequests(slot, reason);
    const exchange = this.#exchanges.current;
    exchange.headOnly = this.#table.has(slot, LEAVES_FOR_HEAD);
    exchange.connection = CONNECTION_CLOSE;
    exchange.fail(status, null);
    this.#exchanges.enqueueCurrent(slot);
    this.#responseSide.pump(slot);
  }

  /** The server answers what the handler could not, or ends the connection if that is too late. */
  fail(exchange: Exchange, error: Error, status: number, reason: number): void {
    const { slot } = exchange;
    if (exchange.delegated) this.tasks.cancel(exchange);
    exchange.request.fail(error);
    exchange.response.fail(error);
    this.#onUserCode();
    if (exchange.headWritten) {
      this.#onBroken(slot, reason);
      return;
    }
    exchange.fail(status, failureFields(error));
    this.#responseSide.pump(slot);
  }

  // Requests, until the body of one comes first, or none may be looked at.
  #requests(slot: number, start: number, end: number): number {
    const table = this.#table;
    const sendSide = this.#sendSide;
    const parser = this.parser;
    let space = sendSide.reserve(slot, 0);
    let written = space;
    let at = start;
    while (at < end) {
      const isFirst = !table.has(slot, AWAITED);
      if (space === NONE || (isFirst && space + RESPONSE_SPACE_MIN > sendSide.limit(slot))) {
        table.setFlag(slot, SUSPENDED);
        break;
      }
      // What is behind it may be no request, and is not even looked at until it is answered.
      if (!isFirst && this.#exchanges.last(slot)!.upgrades) {
        table.setFlag(slot, SUSPENDED);
        break;
      }
      let status = parser.parse(this.#bytes, at, end);
      // This is no proxy, and what follows is for a tunnel: RFC 9110 9.3.6.
      if (status === PARSE_COMPLETE && parser.method === METHOD_CONNECT) status = NOT_IMPLEMENTED;
      if (status === PARSE_INCOMPLETE) break;
      if (!isFirst && !this.#mayPipeline(slot, status)) {
        parser.begin();
        table.setFlag(slot, SUSPENDED);
        break;
      }
      if (status === PARSE_COMPLETE) {
        this.#findRoute(at);
        if (this.#departures !== undefined && this.#departs(slot, this.#departures)) break;
      }
      this.#begin(slot, status);
      // Who sends its body at once does not wait for "100 Continue".
      if (at + parser.size < end) this.#exchanges.current.expectsContinue = false;
      const next = isFirst ? this.#answer(space, sendSide.limit(slot), at, status) : NONE;
      if (next !== NONE) space = next;
      else {
        if (space !== written) sendSide.commit(slot, space);
        this.#enqueue(slot, at, status);
        space = table.state(slot) === OPEN ? sendSide.reserve(slot, 0) : NONE;
        written = space;
      }
      if (status !== PARSE_COMPLETE) {
        at = end;
        break;
      }
      at += parser.size;
      const { hasBody } = parser;
      parser.begin();
      if (hasBody || table.state(slot) !== OPEN || table.has(slot, CLOSE_AFTER_SEND | LEAVES | RAW))
        break;
    }
    if (space !== written) sendSide.commit(slot, space);
    return at;
  }

  // RFC 9112 9.3.2: only safe methods may be served at the same time. In HTTP/1.0 a response may
  // end with the connection, and what is behind it would be taken for a part of it.
  #mayPipeline(slot: number, status: number): boolean {
    const exchanges = this.#exchanges;
    if (!exchanges.mayPipeline(slot)) return false;
    const last = exchanges.last(slot)!;
    if (status !== PARSE_COMPLETE) return last.version === 11;
    const { method, hasBody } = this.parser;
    return isSafe(method) && !hasBody && last.safe;
  }

  // A head that repeats the last has the same route.
  #findRoute(start: number): void {
    const { pathOffset, pathSize, method, heads } = this.parser;
    if (heads === this.#routedHead) return;
    const route = this.#app.router.find(this.#bytes, start + pathOffset, pathSize, method);
    const { fallbackRoute } = this.#app;
    this.#routedHead = heads;
    this.#route = route < 0 && fallbackRoute !== NONE ? fallbackRoute : route;
  }

  // True exactly when the request just parsed is for another thread, which will read it again.
  #departs(slot: number, departures: Departures): boolean {
    if (!departures.isElsewhere(slot, this.#route)) return false;
    if (!departures.prepare(slot, this.#route)) return false;
    const isHead = this.parser.method === METHOD_HEAD;
    this.#table.setFlag(slot, isHead ? LEAVES | LEAVES_FOR_HEAD : LEAVES);
    this.parser.begin();
    return true;
  }

  // The current exchange is that of the request just parsed.
  #begin(slot: number, status: number): void {
    const parser = this.parser;
    const exchange = this.#exchanges.current;
    count(this.#counters, Counter.requests);
    exchange.handled = false;
    exchange.fd = this.#table.fd(slot);
    exchange.headOnly = parser.method === METHOD_HEAD;
    exchange.upgrades = status === PARSE_COMPLETE && this.#mayUpgrade && parser.upgrades;
    if (status !== PARSE_COMPLETE) {
      this.#endRequests(slot, BAD_REQUEST);
      exchange.connection = CONNECTION_CLOSE;
      return;
    }
    this.#table.countRequest(slot);
    exchange.version = parser.version;
    // The end of a response of HTTP/1.0 may be that of the connection: none may be behind it.
    exchange.safe = isSafe(parser.method) && parser.version !== 10;
    exchange.connection = this.#connection(slot, exchange.upgrades);
    if (parser.hasBody) this.bodySide.begin(exchange);
    if (this.#departures?.leavesAfter(this.#route) === true) this.#table.setFlag(slot, LEAVES);
  }

  // What the response says about the connection; and whether that ends is noted here.
  #connection(slot: number, upgrades: boolean): number {
    const table = this.#table;
    const parser = this.parser;
    // One that may be the last request anyway is not the last for its number.
    const isLast = !upgrades && table.requests(slot) >= this.#requestsMax;
    if (this.#responseSide.draining || isLast) {
      // The peer did not ask for the close, and may be sending its next request.
      table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
      return CONNECTION_CLOSE;
    }
    if (!parser.keepAlive) {
      table.setFlag(slot, CLOSE_AFTER_SEND);
      return CONNECTION_CLOSE;
    }
    return parser.version === 10 ? CONNECTION_KEEP_ALIVE : CONNECTION_DEFAULT;
  }

  // Nothing behind this is interpreted: where another request would begin is not known.
  #endRequests(slot: number, reason: number): void {
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    this.#table.setReason(slot, reason);
  }

  // Writes the response at `space` and answers where it ends. NONE when there is more to it: then
  // the exchange is queued.
  #answer(space: number, limit: number, start: number, status: number): number {
    const responseSide = this.#responseSide;
    const exchange = this.#exchanges.current;
    if (status !== PARSE_COMPLETE) return responseSide.writeError(space, exchange, status, null);
    if (exchange.bodyState !== BODY_DONE) return NONE;
    const route = this.#route;
    if (route < 0) {
      const extra = this.#refusals.extra(route, start);
      return responseSide.writeError(space, exchange, refusalStatus(route), extra);
    }
    if (this.#app.taskIndexes[route] !== NOT_DELEGATED) return NONE;
    const prepared = this.#prepared[route];
    if (prepared !== undefined) {
      const end = responseSide.writePrepared(space, limit, exchange, prepared);
      if (end !== NONE) return end;
    }
    this.#call(start);
    const { response } = exchange;
    if (exchange.status !== BY_HANDLER || !response.ended || response.streams) return NONE;
    if (response.upgraded !== undefined || isTransferred(response.body)) return NONE;
    const end = responseSide.writeWhole(space, limit, exchange);
    if (end === NONE) return NONE;
    this.#unbind(exchange);
    return end;
  }

  // The current exchange goes behind those that its connection still awaits.
  #enqueue(slot: number, start: number, status: number): void {
    const exchanges = this.#exchanges;
    const exchange = exchanges.current;
    const route = this.#route;
    let task = NOT_DELEGATED;
    if (status !== PARSE_COMPLETE) exchange.fail(status, null);
    else if (route < 0) exchange.fail(refusalStatus(route), this.#refusals.extra(route, start));
    else task = this.#app.taskIndexes[route]!;
    if (exchange.status === BY_HANDLER && task === NOT_DELEGATED && !exchange.handled) {
      this.#call(start);
    }
    exchanges.enqueueCurrent(slot);
    if (exchange.bodyState !== BODY_DONE) exchanges.setReceiving(slot, exchange.index);
    if (task !== NOT_DELEGATED) this.tasks.delegate(exchange, task, route, start);
    else if (exchange.status === BY_HANDLER) this.#awaitHandler(exchange);
    else exchange.request.unbind();
    this.#responseSide.pump(slot);
  }

  #call(start: number): void {
    const exchange = this.#exchanges.current;
    exchange.give(this.#app.keeps[this.#route] === 1);
    const { request, response } = exchange;
    exchange.handled = true;
    if (this.#exchanges.keptSize > REQUEST_MEMORY_MAX) {
      count(this.#counters, Counter.requestMemoryFull);
      exchange.fail(503, RETRY_AFTER);
      return;
    }
    request.bind(start, this.#app.router.parameterNames[this.#route] ?? NO_PARAMETERS);
    response.bind();
    this.#onUserCode();
    this.#handlerResult = undefined;
    try {
      this.#handlerResult = this.#app.handlers[this.#route]!(request, response);
    } catch (error) {
      exchange.fail(this.handlers.failureStatus(error), failureFields(error));
      request.fail(FAILED);
      response.fail(FAILED);
    }
    // An async handler that has ended its response may still fail: nobody waits for it then.
    if (exchange.status === BY_HANDLER && !response.ended) return;
    const result = this.#handlerResult;
    if (result === undefined) return;
    if (isThenable(result)) abandon(result);
    this.#handlerResult = undefined;
  }

  // The handler returned, and its response is not complete: it may go on with both.
  #awaitHandler(exchange: Exchange): void {
    const exchanges = this.#exchanges;
    if (exchange.response.ended) exchange.request.unbind();
    else exchanges.keep(exchange, exchange.request.keep());
    const result = this.#handlerResult;
    this.#handlerResult = undefined;
    if (isThenable(result)) this.handlers.watch(exchange, result);
  }

  #unbind(exchange: Exchange): void {
    exchange.request.unbind();
    exchange.response.unbind();
    // What is left of its body would be found by the next one.
    if (exchange.requestBody !== undefined) exchange.renew();
  }
}
