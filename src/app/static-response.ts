// A response that is always the same: a route may have one in place of a handler. It is laid out as
// bytes at start, and sent with one copy. Control plane.

import { FieldLines } from '../http/field-lines.ts';
import { hasContent, isFinalStatus } from '../http/status.ts';
import type { Handler } from './handler.ts';

/** What a static response has beside its body. */
export interface StaticResponseOptions {
  /** 200 if nobody says otherwise. */
  readonly status?: number;
  readonly fields?: Readonly<Record<string, string>>;
}

/** A response that is laid out at start and sent with one copy: see `staticResponse`. */
export class StaticResponse {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly fields: readonly (readonly [name: string, value: string])[];

  /** @throws RangeError or TypeError for what no response may have. */
  constructor(body: string | Uint8Array, { status = 200, fields = {} }: StaticResponseOptions) {
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
      throw new TypeError('the body of a response is a string or a Uint8Array');
    }
    if (!isFinalStatus(status)) {
      throw new RangeError('the status of a response is a final one of RFC 9110, 200 to 599');
    }
    if (body.length > 0 && !hasContent(status)) {
      throw new RangeError('a response with 204, 205 or 304 has no body');
    }
    this.status = status;
    this.body = body;
    this.fields = Object.entries(fields);
    const lines = new FieldLines();
    for (const [name, value] of this.fields) lines.append(name, value);
  }

  /** Answers as the static response does, where one copy does not do. */
  get handler(): Handler {
    return (_request, response) => {
      for (const [name, value] of this.fields) response.field(name, value);
      response.end(this.body.length === 0 ? undefined : this.body, this.status);
    };
  }
}

/** What a route answers that needs no handler, such as a health check or a small file. */
export function staticResponse(
  body: string | Uint8Array = '',
  options: StaticResponseOptions = {},
): StaticResponse {
  return new StaticResponse(body, options);
}
