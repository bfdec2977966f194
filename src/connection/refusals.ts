// What requests get that no route answers: 404; or 405, which tells the methods that the path has
// (RFC 9110 section 15.5.6).
//
// Owner: one thread. Data plane.

import { assert } from '../base/assert.ts';
import type { RequestParser } from '../http/request-parser.ts';
import type { Router } from '../http/router.ts';
import { ROUTE_METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND } from '../http/router.ts';

export function refusalStatus(route: number): number {
  return route === ROUTE_NOT_FOUND ? 404 : 405;
}

export class Refusals {
  readonly #router: Router;
  readonly #bytes: Uint8Array;
  readonly #parser: RequestParser;
  // The Allow field of each set of methods, prepared.
  readonly #allowFields = new Map<string, Uint8Array>();

  constructor(router: Router, bytes: Uint8Array, parser: RequestParser) {
    this.#router = router;
    this.#bytes = bytes;
    this.#parser = parser;
  }

  /** The field lines that come with the refusal of the request just parsed, or null. */
  extra(route: number, start: number): Uint8Array | null {
    if (route === ROUTE_NOT_FOUND) return null;
    assert(route === ROUTE_METHOD_NOT_ALLOWED, 'a router answers a route or a refusal');
    const { pathOffset, pathSize } = this.#parser;
    const methods = this.#router.allow(this.#bytes, start + pathOffset, pathSize);
    let field = this.#allowFields.get(methods);
    if (field === undefined) {
      // Made once for each set of methods. tidy: allow not per request
      field = new TextEncoder().encode(`Allow: ${methods}\r\n`);
      this.#allowFields.set(methods, field);
    }
    return field;
  }
}
