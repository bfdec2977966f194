// What a task function sees of its task.
//
// Owner: the thread that runs tasks has one BoundTask, bound to one holder after the other, and one
// for each async task that goes on. Data plane; an exception tells of a mistake in the app, and the
// runner turns it into status 500. The object is of no use after its task ended, and says so.

import { assert } from '../base/assert.ts';
import type { ServerOptions } from '../base/options.ts';
import { hasContent, isFinalStatus } from '../http/status.ts';
import { NONE } from '../memory/pool.ts';
import { BYTES, ENDED, JSON_TEXT, TEXT } from './payload-kind.ts';
import { sizeOf, type TaskHolders } from './task-holders.ts';

/** What a task sees of its server. */
export type TaskServer = { readonly options: ServerOptions };

/**
 * A task, in the thread that runs it. `Input` is what it is delegated with: a `Uint8Array`, or a
 * value that JSON can say. Without it the task is delegated with the target of a request.
 *
 * What the task function returns, or what its promise resolves to, is the result: a `Uint8Array`
 * as bytes, `undefined` as none, any other value as JSON.
 */
export interface Task<Input = never> {
  readonly server: TaskServer;
  /** The name the task was delegated by. Until the function returns. */
  readonly name: string;
  /** True exactly when nobody waits for the result any more: the client is gone, or it is late. */
  readonly cancelled: boolean;
  /**
   * The request target, one character a byte (latin1); empty when the task was delegated with an
   * input. Until the task ends.
   */
  readonly target: string;
  /** The input: a value read from JSON, or the same as `inputBytes`. Until the task ends. */
  readonly input: Input;
  /**
   * The bytes of the input where they lie in the task holder, not a copy. They may be changed and
   * returned: such a result is not copied either. Until the task ends.
   */
  readonly inputBytes: Uint8Array<SharedArrayBuffer>;
  /**
   * The first `size` bytes of the task holder, to write a result in place and return it. The input
   * lies at the same place. @throws RangeError for more bytes than a holder has.
   */
  outputBytes(size: number): Uint8Array<SharedArrayBuffer>;
  /**
   * Ends the task with a response of its own, whose status is a final one, 200 to 599: what the
   * function returns is ignored then. Answers false when the body is larger than a task holder: the
   * task has not ended then and may try a smaller one; if it does not, its status is 500. A
   * function that returns nothing without a call of `end` ends its task with status 200 and no
   * body.
   */
  end(body?: string | Uint8Array, status?: number): boolean;
}

export const STATUS_OK = 200;
export const STATUS_FAILED = 500;
/** RFC 9110 section 15.6.5. */
export const STATUS_LATE = 504;

export class BoundTask implements Task<unknown> {
  readonly server: TaskServer;
  readonly #holders: TaskHolders;
  #holder = NONE;
  #name = '';
  #target: string | undefined;
  #input: unknown;
  #hasInput = false;
  #ended = true;
  // Bytes of a result that did not fit, or 0.
  #overflow = 0;

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
    if (this.#holders.inputKind(this.#holder) !== TEXT) return '';
    this.#target ??= this.#text('latin1');
    return this.#target;
  }

  get input(): unknown {
    this.#checkNotEnded();
    if (this.#holders.inputKind(this.#holder) === BYTES) return this.inputBytes;
    if (!this.#hasInput) {
      this.#input = this.#parse();
      this.#hasInput = true;
    }
    return this.#input;
  }

  get inputBytes(): Uint8Array<SharedArrayBuffer> {
    this.#checkNotEnded();
    return this.#holders.view(this.#holder, this.#holders.inputSize(this.#holder));
  }

  outputBytes(size: number): Uint8Array<SharedArrayBuffer> {
    this.#checkNotEnded();
    if (!Number.isInteger(size) || size < 0 || size > this.#holders.payloadSize)
      // tidy: allow a mistake in the app
      throw new RangeError(tooLarge('result', size, this.#holders.payloadSize));
    return this.#holders.view(this.#holder, size);
  }

  end(body?: string | Uint8Array, status: number = STATUS_OK): boolean {
    this.#checkNotEnded();
    if (!isFinalStatus(status))
      // tidy: allow a mistake in the app
      throw new RangeError('the status of a task is a final one of RFC 9110, 200 to 599');
    if (body !== undefined && !hasContent(status))
      // tidy: allow a mistake in the app
      throw new RangeError('a response with status 204, 205 or 304 has no body');
    if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array))
      // tidy: allow a mistake in the app
      throw new TypeError('the body of a task is a string or a Uint8Array');
    this.#holders.setStatus(this.#holder, status);
    if (!this.#holders.setOutput(this.#holder, body ?? '', ENDED)) {
      this.#overflow = sizeOf(body!);
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
    this.#overflow = 0;
  }

  /**
   * The runner's: the function has returned, and `value` is the result unless the task has ended.
   * Answers undefined, or what is wrong with the result.
   */
  settle(value: unknown): Error | undefined {
    if (this.#ended) return undefined;
    if (this.#overflow === 0 && value !== undefined) {
      const isBytes = value instanceof Uint8Array;
      const body = isBytes ? value : JSON.stringify(value);
      if (body === undefined) return new TypeError('the result is nothing that JSON can say');
      if (this.#holders.setOutput(this.#holder, body, isBytes ? BYTES : JSON_TEXT)) {
        return undefined;
      }
      this.#overflow = sizeOf(body);
    }
    if (this.#overflow === 0) return undefined;
    return new RangeError(tooLarge('result', this.#overflow, this.#holders.payloadSize));
  }

  /** The runner's: from here on the task throws. */
  unbind(): void {
    assert(this.#holder !== NONE, 'the task is bound');
    this.#holder = NONE;
    this.#target = undefined;
    this.#input = undefined;
    this.#hasInput = false;
    this.#ended = true;
  }

  #parse(): unknown {
    if (this.#holders.inputKind(this.#holder) === TEXT) return undefined;
    return JSON.parse(this.#text('utf8'));
  }

  #text(encoding: 'latin1' | 'utf8'): string {
    const offset = this.#holders.payloadOffset(this.#holder);
    const end = offset + this.#holders.inputSize(this.#holder);
    return this.#holders.bytes.toString(encoding, offset, end);
  }

  #checkNotEnded(): void {
    // tidy: allow a mistake in the app
    if (this.#ended) throw new Error('the task was used after it ended');
  }
}

/** What is said of an input or a result that a holder cannot take. Control plane. */
export function tooLarge(what: string, size: number, sizeMax: number): string {
  return `the ${what} has ${size} bytes, and a task holder ${sizeMax}: see --task-size`;
}
