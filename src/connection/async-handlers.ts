// Handlers that answered with a promise, which tells when they are done, or that they failed.
//
// Owner: one thread. Control plane: an async handler allocates its promise anyway.

import type { BoundResponse } from '../app/bound-response.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import { TaskError } from '../app/task-error.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import { errorText } from '../base/error-text.ts';
import type { Thenable } from '../base/thenable.ts';
import { isErrorStatus } from '../http/status.ts';
import { HANDLER_FAILED } from './close-reason.ts';
import type { Exchange } from './exchange.ts';
import { BY_HANDLER } from './exchange.ts';

const FAILED = 500;

/** Who answers instead of a handler that failed. */
export interface FailureSink {
  fail(exchange: Exchange, error: Error, status: number, reason: number): void;
}

export class AsyncHandlers {
  readonly #sink: FailureSink;
  readonly #counters: Counters;
  readonly #log: (message: string, error?: unknown) => void;

  constructor(
    sink: FailureSink,
    counters: Counters,
    log: (message: string, error?: unknown) => void,
  ) {
    this.#sink = sink;
    this.#counters = counters;
    this.#log = log;
  }

  /** The handler of a queued exchange has answered with a promise. */
  watch(exchange: Exchange, promise: Thenable): void {
    const { response } = exchange;
    // What throws in its `then` rejects this one, and it settles once.
    Promise.resolve(promise).then(
      () => {
        if (isGone(exchange, response) || response.ended) return;
        this.fail(exchange, new Error('an async handler returned without ending its response'));
      },
      (error: unknown) => this.onRejected(exchange, response, error),
    );
  }

  /** What was to answer with `response` has failed. The exchange may be another's by now. */
  onRejected(exchange: Exchange, response: BoundResponse, error: unknown): void {
    // That the exchange has failed is known where it did.
    if (error === response.error) return;
    if (isGone(exchange, response) || response.ended) this.#logUnlessGone(error);
    else this.fail(exchange, error);
  }

  /** The status of a handler's failure, which is logged and counted unless it is known. */
  failureStatus(error: unknown, what = 'a handler'): number {
    // A body that was too large or malformed is the peer's fault; that there are too many tasks, or
    // that one takes too long, is counted.
    const isKnown =
      error instanceof ExchangeError || (error instanceof TaskError && error.status !== FAILED);
    if (isKnown && isErrorStatus(error.status)) return error.status;
    this.#log(`${what} failed`, error);
    count(this.#counters, Counter.handlersFailed);
    return FAILED;
  }

  /** The handler of a queued exchange has failed. */
  fail(exchange: Exchange, error: unknown): void {
    const status = this.failureStatus(error);
    const reason = error instanceof Error ? error : new Error(errorText(error));
    this.#sink.fail(exchange, reason, status, HANDLER_FAILED);
  }

  // That the peer is gone is no news.
  #logUnlessGone(error: unknown): void {
    if (error instanceof TaskError && error.code === 'cancelled') return;
    if (!(error instanceof ExchangeError)) this.#log('a handler failed after its response', error);
  }
}

// When the exchange has ended, it has another response. When the server has answered instead,
// nobody waits for the handler either.
function isGone(exchange: Exchange, response: BoundResponse): boolean {
  return exchange.response !== response || exchange.status !== BY_HANDLER;
}
