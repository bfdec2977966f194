// One request and its response, from the head of the request to the last byte of the response.
//
//     FREE -> current     its handler runs; most end here, and the exchange serves the next request
//               |
//               v
//             queued      the response is not complete, or not its turn: in the queue of its
//               |         connection, the oldest first. A task, a promise or the peer is awaited
//               v
//             FREE        response and body are done, or the connection has ended
//
// Owner: one thread. Data plane.

import type { ResponseSink } from '../app/bound-response.ts';
import { BoundResponse } from '../app/bound-response.ts';
import type { Protocol } from '../app/protocol.ts';
import type { PathParameters, RequestHead, RequestSource, TaskCaller } from '../app/request.ts';
import { BoundRequest } from '../app/request.ts';
import type { RequestBody } from '../app/request-body.ts';
import type { Clock } from '../base/clock.ts';
import { TEXT } from '../delegate/payload-kind.ts';
import { BODY_STATE_WORDS } from '../http/body-decoder.ts';
import { CONNECTION_DEFAULT } from '../http/response-writer.ts';
import { NONE } from '../memory/pool.ts';

/** What the exchanges of a thread have in common. */
export interface ExchangeContext {
  readonly memory: Buffer;
  readonly parser: RequestHead;
  readonly parameters: PathParameters;
  readonly clock: Clock;
  /** The most bytes of a body that is read as a whole. */
  readonly bodySizeMax: number;
  /** The handler has gone on: there is more to send. */
  onResponse(exchange: Exchange): void;
  /** What was to answer with `response` has failed, and the handler does not wait for it. */
  onRejected(exchange: Exchange, response: BoundResponse, error: unknown): void;
  /** What the handler wrote is there no more. */
  onTransferred(exchange: Exchange): void;
  /** The handler waits for bytes of the body. */
  onBodyWanted(exchange: Exchange): void;
  /** The handler delegates to a task. */
  readonly callTask: RequestSource['callTask'];
  /** The handler upgrades the connection. @throws Error when that cannot be. */
  upgradeTo(exchange: Exchange, protocol: string, token: string): Protocol;
}

// How much of the request's body has come.
/** The request has none, or all of it has come. */
export const BODY_DONE = 0;
/** It comes when the handler wants it. */
export const BODY_OPEN = 1;
/** The response is complete: what still comes is dropped. */
export const BODY_DROPPED = 2;

/** `status` of an exchange whose response is what the handler says. */
export const BY_HANDLER = 0;

export class Exchange implements RequestSource, ResponseSink {
  /** The place in the pool. With the generation it names the exchange to a task. */
  readonly index: number;
  /** The connection, NONE unless queued. */
  slot = NONE;
  fd = -1;
  /** The one behind it in the queue of its connection. */
  next: Exchange | undefined;
  request!: BoundRequest;
  response!: BoundResponse;
  /** True exactly when the handler was called, and may have kept what it was given. */
  handled = false;
  /** When the handler was last given something: its call, bytes of the body, space for more. */
  handlerSinceMs = 0;
  /** True exactly when somebody was given `request` and `response` who may keep them. */
  kept = false;
  /** True exactly when a task is awaited. */
  delegated = false;
  /** The route of the task. */
  route = NONE;
  /** True exactly when the response of a result is being formed: none of it is sent meanwhile. */
  responding = false;
  /** The status that the server or a task answers with, or BY_HANDLER. */
  status = BY_HANDLER;
  /** What a task answers with: so many bytes of `result`. */
  result: Uint8Array | undefined;
  resultOffset = 0;
  resultSize = 0;
  /** TEXT, BYTES or JSON_TEXT. */
  resultKind = TEXT;
  /** True exactly when `status` comes with a text that says what it means, and with `extra`. */
  isError = false;
  /** Prepared field lines of an error response. */
  extra: Uint8Array | null = null;
  /** What the response says about the connection. */
  connection = CONNECTION_DEFAULT;
  /** The request was HEAD: the response has no body. */
  headOnly = false;
  /** 10 or 11. */
  version = 11;
  /** True exactly when a request behind it may be served meanwhile: RFC 9112 9.3.2. */
  safe = true;
  /** True exactly when what is behind the request may be of another protocol: RFC 9110 7.8. */
  upgrades = false;
  /** True exactly when the head of the response was written. */
  headWritten = false;
  /** True exactly when the body of the response is sent in chunks. */
  chunked = false;
  /** True exactly when nothing of the response is left to be written. */
  responseDone = false;
  bodyState = BODY_DONE;
  /** True exactly when the peer waits for "100 Continue" before it sends the body. */
  expectsContinue = false;
  /** Bytes of the body that are still to come; 0 when only its last chunk will tell. */
  bodyLeft = 0;
  /** Bytes of the body that have come. */
  receivedSize = 0;
  /** Bytes of the body that were dropped. */
  droppedSize = 0;
  /** Where the decoder of the body is. */
  readonly decoderState = new Int32Array(BODY_STATE_WORDS);
  /** Bytes that were copied for the handler: they count as memory of requests. */
  keptSize = 0;
  readonly #context: ExchangeContext;

  constructor(index: number, context: ExchangeContext) {
    this.index = index;
    this.#context = context;
    this.renew();
  }

  get hasEnded(): boolean {
    return this.handled && this.response.ended;
  }

  /** The body, if the handler has asked for it. */
  get requestBody(): RequestBody | undefined {
    return this.request.openBody;
  }

  /** True exactly when nothing but the handler is waited for before the response goes on. */
  get isAwaitingHandler(): boolean {
    if (!this.handled || this.delegated || this.status !== BY_HANDLER) return false;
    if (this.requestBody?.isWanted === true) return false;
    return !this.response.ended && this.response.queuedSize === 0;
  }

  /** The handler was given something, and has its time from now on. */
  giveTime(): void {
    this.handlerSinceMs = this.#context.clock.nowMs;
  }

  /** Something is given to a function of the application: nobody else's, if that one keeps it. */
  give(keeps: boolean): void {
    if (this.kept) this.renew();
    this.kept = keeps;
  }

  /** New faces for the handler: whoever kept the old ones finds them of no use. */
  renew(): void {
    const { memory, parser, parameters, bodySizeMax } = this.#context;
    this.request = new BoundRequest(this, memory, parser, parameters, bodySizeMax);
    this.response = new BoundResponse(this);
    this.kept = false;
  }

  /** For the next request. */
  reset(): void {
    if (this.handled) this.renew();
    this.next = undefined;
    this.handled = false;
    this.delegated = false;
    this.status = BY_HANDLER;
    this.result = undefined;
    this.isError = false;
    this.extra = null;
    this.headWritten = false;
    this.chunked = false;
    this.responseDone = false;
    this.bodyState = BODY_DONE;
    this.expectsContinue = false;
    this.receivedSize = 0;
    this.droppedSize = 0;
  }

  /** The server answers instead of a handler or a task. */
  fail(status: number, extra: Uint8Array | null): void {
    this.delegated = false;
    this.status = status;
    this.isError = true;
    this.extra = extra;
  }

  onResponse(): void {
    if (this.slot !== NONE) this.#context.onResponse(this);
  }

  /** What the handler wrote is there no more: it has failed. Answers false. */
  onTransferred(): false {
    this.#context.onTransferred(this);
    return false;
  }

  onRejected(response: BoundResponse, error: unknown): void {
    this.#context.onRejected(this, response, error);
  }

  callTask(
    task: string,
    input: unknown,
    caller: TaskCaller,
    into: Uint8Array | undefined,
  ): Promise<unknown> {
    return this.#context.callTask(task, input, caller, into);
  }

  upgradeTo(protocol: string, token: string): Protocol {
    return this.#context.upgradeTo(this, protocol, token);
  }

  onBodyWanted(): void {
    if (this.slot !== NONE) this.#context.onBodyWanted(this);
  }
}
