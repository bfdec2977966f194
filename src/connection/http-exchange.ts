// Requests and responses of the connections of a thread: parses what arrived, finds the route, calls
// the handler or delegates the task, writes the response.
//
// Responses leave in the order of their requests, because a request is looked at only when every one
// before it has its response: while a task runs, what follows on that connection waits unread.
//
// Owner: one thread. Data plane.

import type { CompiledApp } from '../app/compiled-app.ts';
import { NOT_DELEGATED } from '../app/compiled-app.ts';
import { BoundRequest } from '../app/request.ts';
import { BoundResponse } from '../app/response.ts';
import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { METHOD_HEAD } from '../http/method.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { PARSE_COMPLETE, PARSE_INCOMPLETE } from '../http/request-parser.ts';
import type { ResponseWriter } from '../http/response-writer.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  RESPONSE_HEAD_SIZE_MAX,
} from '../http/response-writer.ts';
import { ROUTE_METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND } from '../http/router.ts';
import { NONE } from '../memory/pool.ts';
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

const TEXT = new TextEncoder().encode('text/plain; charset=utf-8');
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
  // The Allow field of each path's methods, prepared.
  readonly #allowFields = new Map<string, Uint8Array>();

  constructor(options: HttpExchangeOptions) {
    this.parser = options.parser;
    this.#app = options.app;
    this.#bytes = options.bytes;
    this.#text = Buffer.from(options.bytes.buffer);
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
   * Serves the requests between `start` and `end`, and answers where it stopped. The parser has begun
   * with the one at `start`, or goes on with it. It stops at the end; before a request that has not
   * arrived in full; before one that has to wait, because the connection is SUSPENDED or DELEGATED;
   * or because the connection ends: what follows then is never interpreted.
   */
  serve(slot: number, start: number, end: number): number {
    const table = this.#table;
    const parser = this.parser;
    let at = start;
    while (at < end) {
      const space = this.#sendSide.reserve(slot, RESPONSE_SIZE_MAX);
      if (space === NONE) {
        table.setFlag(slot, SUSPENDED);
        return at;
      }
      const status = parser.parse(this.#bytes, at, end);
      if (status === PARSE_INCOMPLETE) return at;
      if (status !== PARSE_COMPLETE) {
        this.#reject(slot, space, status);
        return end;
      }
      this.#answer(slot, space, at);
      at += parser.size;
      parser.begin();
      if (table.state(slot) !== OPEN || table.has(slot, CLOSE_AFTER_SEND)) return at;
    }
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
    table.setHolder(slot, NONE);
    const at = this.#sendSide.reserve(slot, RESPONSE_SIZE_MAX);
    if (at === NONE) return false;
    // The server may have begun to drain while the task ran.
    const connection = this.draining ? CONNECTION_CLOSE : table.responseConnection(slot);
    if (connection === CONNECTION_CLOSE) table.setFlag(slot, CLOSE_AFTER_SEND);
    const headOnly = table.has(slot, HEAD_REQUEST);
    table.clearFlag(slot, HEAD_REQUEST);
    if (status >= 500 && size === 0) {
      this.#finish(slot, status, this.#writer.error(at, status, connection, headOnly, null));
      return true;
    }
    if (size === 0) {
      this.#finish(slot, status, this.#writer.empty(at, status, connection));
      return true;
    }
    let next = this.#writer.head(at, status, connection, size, TEXT);
    if (!headOnly) {
      for (let index = 0; index < size; index++) this.#bytes[next + index] = body[offset + index]!;
      next += size;
    }
    this.#finish(slot, status, next);
    return true;
  }

  #answer(slot: number, space: number, start: number): void {
    const parser = this.parser;
    const route = this.#app.router.find(
      this.#bytes,
      start + parser.pathOffset,
      parser.pathSize,
      parser.method,
    );
    count(this.#counters, Counter.requests);
    this.#table.countRequest(slot);
    const connection = this.#connection(slot);
    if (route < 0) {
      this.#refuse(slot, space, start, route, connection);
      return;
    }
    const task = this.#app.taskIndexes[route]!;
    if (task === NOT_DELEGATED) this.#handle(slot, space, start, route, connection);
    else this.#delegate(slot, space, start, task, connection);
  }

  // What the response says about the connection; and whether that ends is noted here.
  #connection(slot: number): number {
    const parser = this.parser;
    if (!parser.keepAlive || this.draining) {
      this.#table.setFlag(slot, CLOSE_AFTER_SEND);
      return CONNECTION_CLOSE;
    }
    return parser.version === 10 ? CONNECTION_KEEP_ALIVE : CONNECTION_DEFAULT;
  }

  #handle(slot: number, space: number, start: number, route: number, connection: number): void {
    const request = this.#request;
    const response = this.#response;
    request.bind(start);
    response.bind();
    this.#onUserCode();
    let failed = false;
    try {
      this.#app.handlers[route]!(request, response);
    } catch (error) {
      failed = true;
      this.#log('a handler failed', error);
    }
    request.unbind();
    response.unbind();
    if (!failed && !response.ended) {
      failed = true;
      this.#log(
        'a handler returned without ending its response (async ones are not supported yet)',
      );
    }
    if (failed) this.#fail(slot, space, connection);
    else if (response.body === undefined) {
      this.#finish(slot, response.status, this.#writer.empty(space, response.status, connection));
    } else this.#writeBody(slot, space, response.status, response.body, connection);
  }

  #writeBody(
    slot: number,
    space: number,
    status: number,
    body: string | Uint8Array,
    connection: number,
  ): void {
    const text = typeof body === 'string';
    const size = text ? Buffer.byteLength(body) : body.length;
    if (size > BODY_SIZE_MAX) {
      this.#log('a handler answered with a body that is larger than the limit');
      this.#fail(slot, space, connection);
      return;
    }
    let next = this.#writer.head(space, status, connection, size, text ? TEXT : BYTES);
    if (this.parser.method !== METHOD_HEAD) {
      if (text) this.#text.write(body, next);
      else this.#bytes.set(body, next);
      next += size;
    }
    this.#finish(slot, status, next);
  }

  #delegate(slot: number, space: number, start: number, task: number, connection: number): void {
    const table = this.#table;
    const parser = this.parser;
    table.setResponseConnection(slot, connection);
    if (parser.method === METHOD_HEAD) table.setFlag(slot, HEAD_REQUEST);
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
      return;
    }
    table.setState(slot, OPEN);
    table.clearFlag(slot, HEAD_REQUEST);
    const headOnly = parser.method === METHOD_HEAD;
    const extra = status === 503 ? RETRY_AFTER : null;
    this.#finish(slot, status, this.#writer.error(space, status, connection, headOnly, extra));
  }

  // 404, or 405 with the methods that the path has (RFC 9110 section 15.5.6).
  #refuse(slot: number, space: number, start: number, route: number, connection: number): void {
    const headOnly = this.parser.method === METHOD_HEAD;
    if (route === ROUTE_NOT_FOUND) {
      this.#finish(slot, 404, this.#writer.error(space, 404, connection, headOnly, null));
      return;
    }
    assert(route === ROUTE_METHOD_NOT_ALLOWED, 'a router answers a route or one of two refusals');
    const allow = this.#allowField(start);
    this.#finish(slot, 405, this.#writer.error(space, 405, connection, headOnly, allow));
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

  #fail(slot: number, space: number, connection: number): void {
    count(this.#counters, Counter.handlersFailed);
    const headOnly = this.parser.method === METHOD_HEAD;
    this.#finish(slot, 500, this.#writer.error(space, 500, connection, headOnly, null));
  }

  // A request that is not well-formed: where the next one begins is not known, so there is none.
  #reject(slot: number, space: number, status: number): void {
    count(this.#counters, Counter.requests);
    this.#table.setFlag(slot, CLOSE_AFTER_SEND);
    this.#table.setFlag(slot, LINGER_AFTER_SEND);
    this.#finish(slot, status, this.#writer.error(space, status, CONNECTION_CLOSE, false, null));
  }

  #finish(slot: number, status: number, end: number): void {
    this.#sendSide.commit(slot, end);
    count(this.#counters, responseCounter(status));
  }
}

function responseCounter(status: number): number {
  if (status < 300) return Counter.responses2xx;
  if (status < 400) return Counter.responses3xx;
  return status < 500 ? Counter.responses4xx : Counter.responses5xx;
}
