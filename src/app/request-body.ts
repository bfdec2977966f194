// The body of one request, between the connection that receives it and the handler that reads it:
// in one piece, or piece by piece. Nothing is received that nobody has asked for, so a handler that
// is slow holds its peer back and no memory grows.
//
// Made when a handler asks for a body, and only then. Control plane: what it allocates is the
// handler's choice, and bounded by what the handler asked for.

import { abandon, rejected } from '../base/thenable.ts';
import { ExchangeError } from './exchange-error.ts';

/** Who receives the body: it is told when the handler wants more of it, or none of it. */
export interface BodySource {
  /** Bytes of the body that are still to come; 0 when only its last chunk will tell. */
  readonly bodyLeft: number;
  onBodyWanted(): void;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

const NOTHING = new Uint8Array(0);
/** The first space for a body that is read as a whole, in bytes; it doubles as it fills. */
const WHOLE_SIZE_MIN = 2048;
/** So many times what has arrived is the space for a body whose length was announced. */
const KNOWN_GROWTH = 8;

export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #source: BodySource;
  #next: Waiting<IteratorResult<Uint8Array>> | undefined;
  #whole: Waiting<Uint8Array> | undefined;
  #wholeSizeMax = 0;
  // What has arrived of a body that is read as a whole: one growing space, since a peer may send it
  // a byte at a time.
  #space: Uint8Array = NOTHING;
  #size = 0;
  #begun = false;
  #ended: boolean;
  #error: Error | undefined;

  /** With `ended` it is empty: the request has none. */
  constructor(source: BodySource, ended: boolean) {
    this.#source = source;
    this.#ended = ended;
  }

  // What the handler calls.

  [Symbol.asyncIterator](): this {
    if (this.#begun) throw new Error('the body of a request is read once');
    this.#begun = true;
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const next = Promise.withResolvers<IteratorResult<Uint8Array>>();
    abandon(next.promise);
    this.waitForNext(next);
    return next.promise;
  }

  /** As `next`, for whoever waits in another way. */
  waitForNext(next: Waiting<IteratorResult<Uint8Array>>): void {
    if (this.#error !== undefined) next.reject(this.#error);
    else if (this.#ended) next.resolve({ done: true, value: undefined });
    else if (this.#next !== undefined) {
      next.reject(new Error('the piece before this one has not arrived: await it'));
    } else {
      this.#next = next;
      this.#source.onBodyWanted();
    }
  }

  /** The handler has read enough. What is left is dropped, see `docs/limits.md`. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.#error ??= new Error('the body was left before its end');
    return Promise.resolve({ done: true, value: undefined });
  }

  /** All of it, unless it is larger than `sizeMax` bytes. @throws ExchangeError */
  whole(sizeMax: number): Promise<Uint8Array> {
    if (this.#begun) return rejected(new Error('the body of a request is read once'));
    this.#begun = true;
    if (this.#error !== undefined) return rejected(this.#error);
    if (this.#ended) return Promise.resolve(NOTHING);
    if (this.#source.bodyLeft > sizeMax) return rejected(tooLarge(sizeMax));
    const whole = Promise.withResolvers<Uint8Array>();
    abandon(whole.promise);
    this.#whole = whole;
    this.#wholeSizeMax = sizeMax;
    this.#source.onBodyWanted();
    return whole.promise;
  }

  // What the connection calls.

  /** True exactly when the next bytes have somebody who waits for them. */
  get isWanted(): boolean {
    return this.#next !== undefined || this.#whole !== undefined;
  }

  /** True exactly when it is gathered until it is complete. */
  get isWhole(): boolean {
    return this.#whole !== undefined;
  }

  /** Bytes have arrived. False when they are more than the handler wanted as a whole. */
  push(bytes: Uint8Array, offset: number, size: number): boolean {
    const next = this.#next;
    if (next !== undefined) {
      this.#next = undefined;
      // Not slice(): that of a Buffer is a view of memory that is used again.
      next.resolve({ done: false, value: new Uint8Array(bytes.subarray(offset, offset + size)) });
      return true;
    }
    if (this.#size + size > this.#wholeSizeMax) {
      this.fail(tooLarge(this.#wholeSizeMax));
      return false;
    }
    this.#grow(this.#size + size);
    this.#space.set(bytes.subarray(offset, offset + size), this.#size);
    this.#size += size;
    return true;
  }

  /** Everything has arrived. */
  end(): void {
    this.#ended = true;
    this.#next?.resolve({ done: true, value: undefined });
    this.#next = undefined;
    this.#whole?.resolve(this.#space.subarray(0, this.#size));
    this.#whole = undefined;
    this.#space = NOTHING;
  }

  /** The rest will never arrive. */
  fail(error: Error): void {
    if (this.#ended || this.#error !== undefined) return;
    this.#error = error;
    this.#next?.reject(error);
    this.#whole?.reject(error);
    this.#next = undefined;
    this.#whole = undefined;
    this.#space = NOTHING;
  }

  #grow(size: number): void {
    if (size <= this.#space.length) return;
    const space = this.#makeSpace(size);
    space.set(this.#space.subarray(0, this.#size));
    this.#space = space;
  }

  // A body of a known length gets no more than that, and is not zeroed: all of it will be written
  // before the handler sees it. What only was announced takes no memory yet.
  #makeSpace(size: number): Uint8Array {
    const { bodyLeft } = this.#source;
    if (bodyLeft === 0) {
      return new Uint8Array(Math.max(WHOLE_SIZE_MIN, size, 2 * this.#space.length));
    }
    const { buffer } = Buffer.allocUnsafeSlow(Math.min(size + bodyLeft, KNOWN_GROWTH * size));
    return new Uint8Array(buffer);
  }
}

function tooLarge(sizeMax: number): ExchangeError {
  return new ExchangeError(`the body is larger than ${sizeMax} bytes`, 413);
}
