// What a handler says about its response. Each accept thread has one object, bound to one request
// after the other; the connection writes the response when the handler has returned. Data plane; an
// exception tells of a mistake in the application.

import { hasContent, isFinalStatus } from '../http/status.ts';

export interface Response {
  /** Ends the response. A string is sent as UTF-8 text, bytes as they are. */
  end(body?: string | Uint8Array, status?: number): void;
}

export class BoundResponse implements Response {
  status = 200;
  body: string | Uint8Array | undefined;
  /** True exactly when the handler has called `end`. */
  ended = false;
  #bound = false;

  end(body?: string | Uint8Array, status = 200): void {
    if (!this.#bound || this.ended || status !== 200 || body !== undefined) {
      this.#check(body, status);
    }
    this.status = status;
    this.body = body;
    this.ended = true;
  }

  // Control plane: what is thrown here tells of a mistake in the application.
  #check(body: string | Uint8Array | undefined, status: number): void {
    if (!this.#bound) throw new Error('the response was used after its handler returned');
    if (this.ended) throw new Error('the response has ended already');
    if (!isFinalStatus(status)) {
      throw new RangeError('the status of a response is a final one of RFC 9110, 200 to 511');
    }
    if (body === undefined) return;
    if (!hasContent(status)) throw new RangeError('a response with 204 or 304 has no body');
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
      throw new TypeError('the body of a response is a string or a Uint8Array');
    }
  }

  bind(): void {
    this.#bound = true;
    this.ended = false;
    this.body = undefined;
  }

  unbind(): void {
    this.#bound = false;
  }
}
