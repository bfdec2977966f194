// What a handler sees of its request. Each accept thread has one object, bound to one request after
// the other: it is of no use after its handler returned. Data plane; the strings that
// a handler asks for are the user's own choice of allocation.

import { METHOD_NAMES, METHOD_OTHER } from '../http/method.ts';
import type { RequestParser } from '../http/request-parser.ts';

export interface Request {
  readonly method: string;
  /** The request target as it was sent, with its query (RFC 9112 section 3.2). */
  readonly target: string;
  /** The path of the target, without its query, not decoded. */
  readonly path: string;
}

export class BoundRequest implements Request {
  readonly #bytes: Buffer;
  readonly #parser: RequestParser;
  // Where the head begins, or -1 between requests.
  #start = -1;

  constructor(bytes: Uint8Array, parser: RequestParser) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#parser = parser;
  }

  get method(): string {
    this.#check();
    const { method, methodOffset, methodSize } = this.#parser;
    return method === METHOD_OTHER ? this.#text(methodOffset, methodSize) : METHOD_NAMES[method]!;
  }

  get target(): string {
    return this.#text(this.#parser.targetOffset, this.#parser.targetSize);
  }

  get path(): string {
    return this.#text(this.#parser.pathOffset, this.#parser.pathSize);
  }

  bind(start: number): void {
    this.#start = start;
  }

  unbind(): void {
    this.#start = -1;
  }

  #text(offset: number, size: number): string {
    this.#check();
    return this.#bytes.toString('latin1', this.#start + offset, this.#start + offset + size);
  }

  // Control plane: what is thrown here tells of a mistake in the application.
  #check(): void {
    if (this.#start < 0) throw new Error('the request was used after its handler returned');
  }
}
