// The tasks of the connections of a thread: delegated with the target of their request or with an
// input, and their results turned into responses.
//
// A small result is written as the response at once, from where the worker left it. With `respond`
// the application forms the response of it. Who does not end it at once goes on as any handler.
//
// Owner: one thread. Data plane.

import type { CompiledApp } from '../app/compiled-app.ts';
import type { Respond } from '../app/delegation.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { TaskCaller } from '../app/request.ts';
import { AssertionError } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { abandon, isThenable, rejected } from '../base/thenable.ts';
import { BYTES, ENDED, JSON_TEXT, TEXT } from '../delegate/payload-kind.ts';
import { STATUS_OK, tooLarge } from '../delegate/task.ts';
import { sizeOf } from '../delegate/task-holders.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { NO_PARAMETERS } from '../http/router.ts';
import type { AsyncHandlers } from './async-handlers.ts';
import type { Exchange } from './exchange.ts';
import { BY_HANDLER } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';
import { resultType } from './response-content.ts';
import type { ResponseSide } from './response-side.ts';
import { RESPONSE_SPACE_MIN } from './response-side.ts';
import type { TaskDelegation } from './task-delegation.ts';

export const RETRY_AFTER = new TextEncoder().encode('Retry-After: 1\r\n');
const FAILED = new ExchangeError('the response of the task has failed', 0);
/** A larger result leaves as the body of a handler does, in pieces if need be. */
const RESULT_AT_ONCE_MAX = RESPONSE_SPACE_MIN / 2;
const NOT_DELEGATED = 0;

export interface TaskSideOptions {
  readonly app: CompiledApp;
  readonly parser: RequestParser;
  readonly exchanges: Exchanges;
  readonly responseSide: ResponseSide;
  readonly delegation: TaskDelegation;
  readonly counters: Counters;
  readonly onUserCode: () => void;
  readonly log: (message: string, error?: unknown) => void;
}

export class TaskSide {
  readonly #app: CompiledApp;
  readonly #parser: RequestParser;
  readonly #exchanges: Exchanges;
  readonly #responseSide: ResponseSide;
  readonly #delegation: TaskDelegation;
  readonly #counters: Counters;
  readonly #handlers: AsyncHandlers;
  readonly #onUserCode: () => void;
  // By name.
  readonly #tasks: ReadonlyMap<string, number>;

  constructor(options: TaskSideOptions, handlers: AsyncHandlers) {
    this.#app = options.app;
    this.#parser = options.parser;
    this.#exchanges = options.exchanges;
    this.#responseSide = options.responseSide;
    this.#delegation = options.delegation;
    this.#counters = options.counters;
    this.#handlers = handlers;
    this.#onUserCode = options.onUserCode;
    this.#tasks = new Map(options.app.tasks.map(({ name }, index) => [name, index]));
  }

  /** Delegates a request whose head begins at `start` and was just parsed. */
  delegate(exchange: Exchange, task: number, route: number, start: number): void {
    exchange.delegated = true;
    exchange.route = route;
    const input = this.#app.inputs[route];
    const parser = this.#parser;
    const status =
      input === undefined
        ? this.#delegation.delegate(
            task,
            exchange.index,
            this.#exchanges.generation(exchange),
            start + parser.targetOffset,
            parser.targetSize,
          )
        : this.#delegateInput(exchange, task, input, start);
    if (status === NOT_DELEGATED) count(this.#counters, Counter.tasksDelegated);
    else exchange.fail(status, status === 503 ? RETRY_AFTER : null);
  }

  /** A handler delegates. Control plane: who awaits a result allocates. */
  call(
    name: string,
    input: unknown,
    caller: TaskCaller,
    into: Uint8Array | undefined,
  ): Promise<unknown> {
    const task = this.#tasks.get(name);
    if (task === undefined) return rejected(new TypeError(`there is no task "${name}"`));
    if (into !== undefined && !(into instanceof Uint8Array)) {
      return rejected(new TypeError('a result is copied into a Uint8Array'));
    }
    let encoded: string | Uint8Array;
    try {
      encoded = encode(input);
    } catch (error) {
      return rejected(error as Error);
    }
    return this.#delegation.call(task, encoded, kindOf(input), caller, into);
  }

  /**
   * The result of a task, for the exchange that was delegated; it may be gone. The memory of the
   * result is used again when this returns.
   */
  onDone(
    index: number,
    generation: number,
    status: number,
    result: Uint8Array,
    offset: number,
    size: number,
    kind = TEXT,
  ): void {
    const exchange = this.#exchanges.find(index, generation);
    // One that was late may still wait to be told so.
    if (exchange?.delegated !== true) {
      count(this.#counters, Counter.completionsStale);
      return;
    }
    exchange.delegated = false;
    const respond = this.#app.responds[exchange.route];
    if (respond !== undefined && status === STATUS_OK && kind !== ENDED) {
      this.#respond(exchange, respond, result, offset, size, kind);
    } else if (size > RESULT_AT_ONCE_MAX) {
      this.#answerLarge(exchange, status, result.subarray(offset, offset + size), kind);
    } else this.#answer(exchange, status, result, offset, size, kind);
  }

  /** Nobody waits for the task of an exchange any more. */
  cancel(exchange: Exchange): void {
    exchange.delegated = false;
    this.#delegation.cancel(exchange.index);
  }

  /** The task of an exchange is late: RFC 9110 15.6.5. */
  onLate(index: number, generation: number): void {
    const exchange = this.#exchanges.find(index, generation);
    if (exchange?.delegated !== true) return;
    exchange.fail(504, null);
    this.#responseSide.pump(exchange.slot);
  }

  #delegateInput(
    exchange: Exchange,
    task: number,
    input: CompiledApp['inputs'][number] & {},
    start: number,
  ): number {
    exchange.give(this.#app.keeps[exchange.route] === 1);
    const { request } = exchange;
    const { index } = exchange;
    const generation = this.#exchanges.generation(exchange);
    request.bind(start, this.#app.router.parameterNames[exchange.route] ?? NO_PARAMETERS);
    this.#onUserCode();
    let value: unknown;
    let encoded: string | Uint8Array;
    try {
      value = input(request);
      encoded = encode(value);
    } catch (error) {
      return this.#inputFailed(exchange, error);
    }
    request.unbind();
    // It was to look at the head. Whoever reads the body is a handler.
    if (request.openBody !== undefined) exchange.handled = true;
    const sizeMax = this.#delegation.inputSizeMax;
    if (encoded.length > sizeMax || sizeOf(encoded) > sizeMax) {
      const message = tooLarge('input', sizeOf(encoded), sizeMax);
      return this.#inputFailed(exchange, new RangeError(message));
    }
    return this.#delegation.delegateInput(task, index, generation, encoded, kindOf(value));
  }

  // Control plane.
  #inputFailed(exchange: Exchange, error: unknown): number {
    if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
    const { name } = this.#app.tasks[this.#app.taskIndexes[exchange.route]!]!;
    exchange.request.fail(FAILED);
    exchange.handled = true;
    return this.#handlers.failureStatus(error, `the input of task "${name}"`);
  }

  // The result is the response.
  #answer(
    exchange: Exchange,
    status: number,
    result: Uint8Array,
    offset: number,
    size: number,
    kind: number,
  ): void {
    exchange.status = status;
    exchange.isError = size === 0 && status >= 500;
    exchange.result = result;
    exchange.resultOffset = offset;
    exchange.resultSize = size;
    exchange.resultKind = kind;
    this.#responseSide.pump(exchange.slot);
    if (exchange.result !== result) return;
    // It has to wait for its turn, or for space, and the task's memory is needed again.
    // A copy: `slice` of a Buffer, such as the task's memory is, would be a view of it.
    exchange.result = new Uint8Array(result.subarray(offset, offset + size));
    exchange.resultOffset = 0;
  }

  #answerLarge(exchange: Exchange, status: number, body: Uint8Array, kind: number): void {
    const { response } = exchange;
    exchange.handled = true;
    response.bind();
    response.field('Content-Type', Buffer.from(resultType(kind)).toString());
    response.end(body, status);
    response.detach(body.buffer);
  }

  #respond(
    exchange: Exchange,
    respond: Respond<unknown>,
    result: Uint8Array,
    offset: number,
    size: number,
    kind: number,
  ): void {
    const { slot, route } = exchange;
    // With an input it was given to the same request before, which may still read the body.
    if (this.#app.inputs[route] === undefined) exchange.give(this.#app.keeps[route] === 1);
    const { response } = exchange;
    response.bind();
    exchange.giveTime();
    exchange.responding = true;
    this.#onUserCode();
    let goesOn: unknown;
    try {
      goesOn = respond(readResult(result, offset, size, kind), response);
    } catch (error) {
      exchange.fail(this.#handlers.failureStatus(error), null);
      response.fail(FAILED);
      exchange.handled = true;
    }
    exchange.responding = false;
    if (exchange.status !== BY_HANDLER) {
      this.#responseSide.pump(slot);
      return;
    }
    if (!response.ended || goesOn !== undefined) this.#goesOn(exchange, goesOn);
    this.#responseSide.pump(slot);
    response.detach(result.buffer);
  }

  // Control plane: the response has not ended.
  #goesOn(exchange: Exchange, promise: unknown): void {
    exchange.handled = true;
    if (exchange.response.ended) {
      if (isThenable(promise)) abandon(promise);
      return;
    }
    if (isThenable(promise)) this.#handlers.watch(exchange, promise);
  }
}

function kindOf(input: unknown): number {
  if (input instanceof Uint8Array) return BYTES;
  return input === undefined ? TEXT : JSON_TEXT;
}

// Control plane: what is thrown here tells of a mistake in the application.
function encode(input: unknown): string | Uint8Array {
  if (input instanceof Uint8Array) return input;
  if (input === undefined) return '';
  if (isThenable(input)) {
    abandon(input);
    throw new TypeError('the input of a task is no promise: await it in a handler, then delegate');
  }
  const text = JSON.stringify(input);
  if (text === undefined) throw new TypeError('the input of a task is nothing that JSON can say');
  return text;
}

function readResult(result: Uint8Array, offset: number, size: number, kind: number): unknown {
  if (kind === JSON_TEXT) {
    return JSON.parse(Buffer.from(result.buffer, result.byteOffset + offset, size).toString());
  }
  if (kind === TEXT) return undefined;
  return offset === 0 && size === result.length ? result : result.subarray(offset, offset + size);
}
