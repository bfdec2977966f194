// Requests and responses of the connections of a thread: parses what arrived, finds the route,
// calls the handler or delegates the task, writes the response.
//
// Responses leave in the order of their requests, because a request is looked at only when every
// one before it has its response: while a task runs, what follows on that connection waits unread.
//
// Owner: one thread. Data plane.

import type { CompiledApp } from '../app/compiled-app.ts';
import { NOT_DELEGATED } from '../app/compiled-app.ts';
import { BoundRequest } from '../app/request.ts';
import { BoundResponse } from '../app/response.ts';
import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { abandon, isThenable } from '../base/thenable.ts';
import { isRepeat } from '../http/characters.ts';
import { METHOD_HEAD } from '../http/method.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { PARSE_COMPLETE, PARSE_INCOMPLETE } from '../http/request-parser.ts';
import type { ResponseWriter } from '../http/response-writer.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  RESPONSE_HEAD_SIZE_MAX,
  TEXT_PLAIN,
} from '../http/response-writer.ts';
import { ROUTE_METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND } from '../http/router.ts';
import { NONE } from '../memory/pool.ts';
import { BAD_REQUEST } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  CLOSE_AFTER_SEND,
  DELEGATED,
  HEAD_REQUEST,
  LINGER_AFTER_SEND,
  OPEN,
  SUSPENDED,
} from './connection-table.ts';
import type { SendSide } from './send-side.ts';

/** Space that is free before a request is looked at: its response, fields and body, fits. */
export const RESPONSE_SIZE_MAX = 8192;
/** The longest body that a handler or a task may answer with. */
export const BODY_SIZE_MAX = RESPONSE_SIZE_MAX - RESPONSE_HEAD_SIZE_MAX;

const BYTES = new TextEncoder().encode('application/octet-stream');
const RETRY_AFTER = new TextEncoder().encode('Retry-After: 1\r\n');

/** Runs the task of a connection, in a worker or in this thread. */
export interface TaskDelegation {
  /** Answers 0, and the result goes to `onTaskDone`; or the status to refuse the request with. */
  delegate(task: number, slot: number, generation: number, offset: number, size: number): number;
}

export interface HttpExchangeOptions {
  readonly app: CompiledApp;
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly sendSide: SendSide;
  readonly parser: RequestParser;
  readonly writer: ResponseWriter;
  readonly counters: Counters;
  readonly delegation: TaskDelegation;
  /** Tells the loop that code of the user ran. */
  readonly onUserCode: () => void;
  /** Writes to the log. */
  readonly log: (message: string, error?: unknown) => void;
}

export class HttpExchange {
  /** True exactly when responses tell their peers that the connection ends: the server drains. */
  draining = false;
  readonly parser: RequestParser;
  readonly #app: CompiledApp;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text: Buffer;
  readonly #table: ConnectionTable;
  readonly #sendSide: SendSide;
  readonly #writer: ResponseWriter;
  readonly #counters: Counters;
  readonly #delegation: TaskDelegation;
  readonly #onUserCode: () => void;
  readonly #log: (message: string, error?: unknown) => void;
  readonly #request: BoundRequest;
  readonly #response = new BoundResponse();
  // Of the request that is looked at.
  #route = ROUTE_NOT_FOUND;
  // The Allow field of each path's methods, prepared.
  readonly #allowFields = new Map<string, Uint8Array>();

  constructor(options: HttpExchangeOptions) {
    this.parser = options.parser;
    this.#app = options.app;
    this.#bytes = options.bytes;
    const { buffer, byteOffset, length } = options.bytes;
    this.#view = new DataView(buffer, byteOffset, length);
    this.#text = Buffer.from(buffer, byteOffset, length);
    this.#table = options.table;
    this.#sendSide = options.sendSide;
    this.#writer = options.writer;
    this.#counters = options.counters;
    this.#delegation = options.delegation;
    this.#onUserCode = options.onUserCode;
    this.#log = options.log;
    this.#request = new BoundRequest(options.bytes, options.parser);
  }

  /**
   * Serves the requests between `start` and `end`, and answers where it stopped. The parser has
   * begun with the one at `start`, or goes on with it. It stops at the end; before a request that
   * has not arrived in full; before one that has to wait, because the connection is SUSPENDED or
   * DELEGATED; or because the connection ends: what follows then is never interpreted.
   */
  serve(slot: number, start: number, end: number): number {
    const table = this.#table;
    const sendSide = this.#sendSide;
    const parser = this.parser;
    const first = sendSide.reserve(slot);
    let space = first;
    let at = start;
    let repeated = false;
    while (at < end) {
      if (space === NONE || space + RESPONSE_SIZE_MAX > sendSide.limit(slot)) {
        table.setFlag(slot, SUSPENDED);
        break;
      }
      let status = repeated ? PARSE_COMPLETE : parser.parse(this.#bytes, at, end);
      if (status === PARSE_INCOMPLETE) break;
      // The limit of a body is zero bytes as yet: RFC 9110 15.5.14.
      if (status === PARSE_COMPLETE && parser.hasBody) status = 413;
      count(this.#counters, Counter.requests);
      if (status !== PARSE_COMPLETE) {
        space = this.#reject(slot, space, status);
        at = end;
        break;
      }
      table.countRequest(slot);
      if (!repeated) this.#route = this.#findRoute(at);
      space = this.#answer(slot, space, at);
      at += parser.size;
      // Clients that pipeline often repeat themselves: then what was read of a head holds again.
      repeated = at + parser.size <= end && isRepeat(this.#view, at, parser.size);
      if (!repeated) parser.begin();
      if (table.state(slot) !== OPEN || table.has(slot, CLOSE_AFTER_SEND)) break;
    }
    if (repeated) parser.begin();
    if (space !== first) sendSide.commit(slot, space);
    return at;
  }

  /**
   * Forms the response to a delegated request from the result of its task. False when no send block
   * is left for it.
   */
  onTaskDone(
    slot: number,
    status: number,
    body: Uint8Array,
    offset: number,
    size: number,
  ): boolean {
    const table = this.#table;
    assert(table.state(slot) === DELEGATED, 'a task is done for a connection that waits for it');
    table.setState(slot, OPEN);
    const at = this.#sendSide.reserve(slot);
    if (at === NONE) return false;
    assert(at + RESPONSE_SIZE_MAX <= this.#sendSide.limit(slot), 'a delegated response has space');
    // The server may have begun to drain while the task ran.
    const connection = this.draining ? CONNECTION_CLOSE : table.responseConnection(slot);
    if (this.draining) table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    const headOnly = table.has(slot, HEAD_REQUEST);
    table.clearFlag(slot, HEAD_REQUEST);
    let next = this.#head(at, status, connection, headOnly, size);
    if (size > 0 && !headOnly) {
      for (let index = 0; index < size; index++) this.#bytes[next + index] = body[offset + index]!;
      next += size;
    }
    this.#sendSide.commit(slot, next);
    return true;
  }

  // Each of the following writes a response at `space`, and answers where it ends.

  #head(
    space: number,
    status: number,
    connection: number,
    headOnly: boolean,
    size: number,
  ): number {
    count(this.#counters, responseCounter(status));
    if (size > 0) return this.#writer.head(space, status, connection, size, TEXT_PLAIN);
    return status < 500
      ? this.#writer.empty(space, status, connection)
      : this.#writer.error(space, status, connection, headOnly, null);
  }

  #answer(slot: number, space: number, start: number): number {
    const route = this.#route;
    const connection = this.#connection(slot);
    if (route < 0) return this.#refuse(space, start, route, connection);
    const task = this.#app.taskIndexes[route]!;
    return task === NOT_DELEGATED
      ? this.#handle(space, start, route, connection)
      : this.#delegate(slot, space, start, task, connection);
  }

  #findRoute(start: number): number {
    const { pathOffset, pathSize, method } = this.parser;
    return this.#app.router.find(this.#bytes, start + pathOffset, pathSize, method);
  }

  // What the response says about the connection; and whether that ends is noted here.
  #connection(slot: number): number {
    const parser = this.parser;
    if (this.draining) {
      // The peer did not ask for the close, and may be sending its next request.
      this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
      return CONNECTION_CLOSE;
    }
    if (!parser.keepAlive) {
      this.#table.setFlag(slot, CLOSE_AFTER_SEND);
      return CONNECTION_CLOSE;
    }
    return parser.version === 10 ? CONNECTION_KEEP_ALIVE : CONNECTION_DEFAULT;
  }

  #handle(space: number, start: number, route: number, connection: number): number {
    const request = this.#request;
    const response = this.#response;
    request.bind(start);
    response.bind();
    this.#onUserCode();
    let failed = false;
    try {
      const result: unknown = this.#app.handlers[route]!(request, response);
      if (result !== undefined && isThenable(result)) abandon(result);
    } catch (error) {
      failed = true;
      this.#log('a handler failed', error);
    }
    request.unbind();
    response.unbind();
    if (failed) return this.#fail(space, connection);
    if (!response.ended) {
      this.#log('a handler did not end its response before it returned; async ones cannot yet');
      return this.#fail(space, connection);
    }
    const { status, body } = response;
    if (body !== undefined) return this.#writeBody(space, status, body, connection);
    count(this.#counters, responseCounter(status));
    return this.#writer.empty(space, status, connection);
  }

  #writeBody(space: number, status: number, body: string | Uint8Array, connection: number): number {
    const text = typeof body === 'string';
    const size = text ? Buffer.byteLength(body) : body.length;
    if (size > BODY_SIZE_MAX) {
      this.#log('a handler answered with a body that is larger than the limit');
      return this.#fail(space, connection);
    }
    count(this.#counters, responseCounter(status));
    const next = this.#writer.head(space, status, connection, size, text ? TEXT_PLAIN : BYTES);
    if (this.parser.method === METHOD_HEAD) return next;
    if (text) this.#text.write(body, next);
    else this.#bytes.set(body, next);
    return next + size;
  }

  #delegate(slot: number, space: number, start: number, task: number, connection: number): number {
    const table = this.#table;
    const parser = this.parser;
    // Without workers the task is run here and now, and its response goes behind the others.
    this.#sendSide.commit(slot, space);
    table.setResponseConnection(slot, connection);
    const headOnly = parser.method === METHOD_HEAD;
    if (headOnly) table.setFlag(slot, HEAD_REQUEST);
    table.setState(slot, DELEGATED);
    const status = this.#delegation.delegate(
      task,
      slot,
      table.generation(slot),
      start + parser.targetOffset,
      parser.targetSize,
    );
    if (status === 0) {
      count(this.#counters, Counter.tasksDelegated);
      return this.#sendSide.reserve(slot);
    }
    table.setState(slot, OPEN);
    table.clearFlag(slot, HEAD_REQUEST);
    return this.#error(space, status, connection, status === 503 ? RETRY_AFTER : null);
  }

  // 404, or 405 with the methods that the path has (RFC 9110 section 15.5.6).
  #refuse(space: number, start: number, route: number, connection: number): number {
    if (route === ROUTE_NOT_FOUND) return this.#error(space, 404, connection, null);
    assert(route === ROUTE_METHOD_NOT_ALLOWED, 'a router answers a route or one of two refusals');
    return this.#error(space, 405, connection, this.#allowField(start));
  }

  #allowField(start: number): Uint8Array {
    const methods = this.#app.router.allow(
      this.#bytes,
      start + this.parser.pathOffset,
      this.parser.pathSize,
    );
    let field = this.#allowFields.get(methods);
    if (field === undefined) {
      // Made once for each set of methods. tidy: allow not per request
      field = new TextEncoder().encode(`Allow: ${methods}\r\n`);
      this.#allowFields.set(methods, field);
    }
    return field;
  }

  #fail(space: number, connection: number): number {
    count(this.#counters, Counter.handlersFailed);
    return this.#error(space, 500, connection, null);
  }

  // A request that is not well-formed: where the next one begins is not known, so there is none.
  #reject(slot: number, space: number, status: number): number {
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    this.#table.setReason(slot, BAD_REQUEST);
    return this.#error(space, status, CONNECTION_CLOSE, null);
  }

  #error(space: number, status: number, connection: number, extra: Uint8Array | null): number {
    count(this.#counters, responseCounter(status));
    const headOnly = this.parser.method === METHOD_HEAD;
    return this.#writer.error(space, status, connection, headOnly, extra);
  }
}

function responseCounter(status: number): number {
  if (status < 300) return Counter.responses2xx;
  if (status < 400) return Counter.responses3xx;
  return status < 500 ? Counter.responses4xx : Counter.responses5xx;
}
