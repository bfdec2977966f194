// What a task function sees of its task.
//
// Owner: the thread that runs tasks has one BoundTask, bound to one holder after the other, and one
// for each async task that goes on. Data plane; an exception tells of a mistake in the app, and the
// runner turns it into status 500. The object is of no use after its task ended, and says so.

import { assert } from '../base/assert.ts';
import type { ServerOptions } from '../base/options.ts';
import { hasContent, isFinalStatus } from '../http/status.ts';
import { NONE } from '../memory/pool.ts';
import type { TaskHolders } from './task-holders.ts';

/** What a task sees of its server. */
export type TaskServer = { readonly options: ServerOptions };

/** What was delegated, as the worker sees it; of no use when the task is done. */
export interface Task {
  readonly server: TaskServer;
  /** The name the task was delegated by. Until the function returns. */
  readonly name: string;
  /** True exactly when nobody waits for the result any more: the client is gone, or it is late. */
  readonly cancelled: boolean;
  /** The request target, one character a byte (latin1). Until the task ends. */
  readonly target: string;
  /**
   * Ends the task with its result. Answers false when the body is larger than a task holder: the
   * task has not ended then and may try a smaller one; if it does not, its status is 500. A
   * function that returns without a call of `end` ends its task with status 200 and no body.
   */
  end(body?: string | Uint8Array, status?: number): boolean;
}

export const STATUS_OK = 200;
export const STATUS_FAILED = 500;

export class BoundTask implements Task {
  readonly server: TaskServer;
  readonly #holders: TaskHolders;
  #holder = NONE;
  #name = '';
  #target: string | undefined;
  #ended = true;
  #overflowed = false;

  constructor(holders: TaskHolders, server: TaskServer) {
    this.server = server;
    this.#holders = holders;
  }

  get name(): string {
    // tidy: allow a mistake in the app
    if (this.#holder === NONE) throw new Error('the task was used after its function returned');
    return this.#name;
  }

  get cancelled(): boolean {
    this.#checkNotEnded();
    return this.#holders.isCancelled(this.#holder);
  }

  get target(): string {
    this.#checkNotEnded();
    if (this.#target === undefined) {
      const offset = this.#holders.payloadOffset(this.#holder);
      const end = offset + this.#holders.inputSize(this.#holder);
      this.#target = this.#holders.bytes.toString('latin1', offset, end);
    }
    return this.#target;
  }

  end(body?: string | Uint8Array, status: number = STATUS_OK): boolean {
    this.#checkNotEnded();
    if (!isFinalStatus(status))
      // tidy: allow a mistake in the app
      throw new RangeError('the status of a task is a final one of RFC 9110, 200 to 511');
    if (body !== undefined && !hasContent(status))
      // tidy: allow a mistake in the app
      throw new RangeError('a response with status 204, 205 or 304 has no body');
    if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array))
      // tidy: allow a mistake in the app
      throw new TypeError('the body of a task is a string or a Uint8Array');
    this.#holders.setStatus(this.#holder, status);
    if (body !== undefined && !this.#holders.setOutput(this.#holder, body)) {
      this.#overflowed = true;
      return false;
    }
    this.#ended = true;
    return true;
  }

  /** The runner's: begins a task, with the result it has if the function does not end it. */
  bind(holder: number, name: string): void {
    assert(this.#holder === NONE, 'a thread runs one task at a time');
    this.#holders.setStatus(holder, STATUS_OK);
    this.#holder = holder;
    this.#name = name;
    this.#ended = false;
    this.#overflowed = false;
  }

  /** The runner's: from here on the task throws. False when its result did not fit. */
  unbind(): boolean {
    assert(this.#holder !== NONE, 'the task is bound');
    const fitted = this.#ended || !this.#overflowed;
    this.#holder = NONE;
    this.#target = undefined;
    this.#ended = true;
    return fitted;
  }

  #checkNotEnded(): void {
    // tidy: allow a mistake in the app
    if (this.#ended) throw new Error('the task was used after it ended');
  }
}
