// A connection as a blocking handler sees it. Its calls return when the peer has taken or sent what
// they are about; meanwhile the thread serves what else it has adopted, and takes no task.
//
// Owner: one worker thread. Control plane: what it throws ends the handler, and its connection.

import { abandon, isThenable } from '../base/thenable.ts';
import type { BoundResponse } from './bound-response.ts';
import type { BoundRequest, Request } from './request.ts';

/** A request and its response, as a blocking handler reads and writes them. */
export interface BlockingConnection {
  /** The head of the request; the body is read with `readSync`. */
  readonly request: Pick<
    Request,
    'method' | 'target' | 'path' | 'query' | 'param' | 'field' | 'peer'
  >;
  /** The status of the response, 200 if nobody says otherwise. Set before the first byte. */
  status: number;
  /** Adds a field line, before the first byte. @throws TypeError as `Response.field`. */
  field(name: string, value: string): this;
  /** Says how long the body will be, before the first byte; unsaid, it is sent in chunks. */
  length(size: number): this;
  /** The next piece of the request's body, or undefined at its end. @throws ExchangeError */
  readSync(): Uint8Array | undefined;
  /** Sends a piece of the body; returns when it is on its way. @throws ExchangeError */
  writeSync(piece: string | Uint8Array): void;
  /** Ends the response, with a last or only piece of its body. */
  endSync(body?: string | Uint8Array, status?: number): void;
}

/** Runs the thread's loop until `isDone`, and for one tick at least. */
export type RunUntil = (isDone: () => boolean) => void;

export class BoundBlockingConnection implements BlockingConnection {
  readonly request: BoundRequest;
  readonly #bound: BoundResponse;
  readonly #runUntil: RunUntil;
  #returned = false;

  constructor(request: BoundRequest, response: BoundResponse, runUntil: RunUntil) {
    this.request = request;
    this.#bound = response;
    this.#runUntil = runUntil;
  }

  get status(): number {
    return this.#response.status;
  }

  set status(status: number) {
    this.#response.status = status;
  }

  field(name: string, value: string): this {
    this.#response.field(name, value);
    return this;
  }

  length(size: number): this {
    this.#response.length(size);
    return this;
  }

  readSync(): Uint8Array | undefined {
    this.#checkRuns();
    let result: IteratorResult<Uint8Array> | undefined;
    let failure: Error | undefined;
    this.request.body.waitForNext({
      resolve: (next) => {
        result = next;
      },
      reject: (error) => {
        failure = error;
      },
    });
    this.#runUntil(() => result !== undefined || failure !== undefined);
    if (failure !== undefined) throw failure;
    return result!.value;
  }

  writeSync(piece: string | Uint8Array): void {
    const response = this.#response;
    // What fits waits for the loop to send it.
    void response.write(piece);
    this.#runUntil(() => response.queuedSize === 0);
    if (response.error !== undefined) throw response.error;
  }

  endSync(body?: string | Uint8Array, status?: number): void {
    this.#response.end(body, status);
  }

  /**
   * The handler has returned, with `result`: its response ends, if it did not end it. @throws Error
   * when the handler goes on all the same.
   */
  finish(result: unknown): void {
    this.#returned = true;
    refuseAsync(result);
    if (!this.#bound.ended) this.#bound.end();
  }

  /** The handler has thrown. */
  fail(): void {
    this.#returned = true;
  }

  get #response(): BoundResponse {
    this.#checkRuns();
    return this.#bound;
  }

  // Behind it there is no place for ticks of the loop.
  #checkRuns(): void {
    if (this.#returned) throw new Error('the connection was used after its handler returned');
  }
}

/** What a blocking handler answered is no promise: nobody would wait for it. @throws Error */
export function refuseAsync(result: unknown): void {
  if (!isThenable(result)) return;
  abandon(result);
  throw new Error('a blocking handler may not be async: use onLoop or rawOnLoop');
}
