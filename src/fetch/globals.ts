// The globals of a thread that runs a fetch application: what takes a `Request` takes one of ours,
// and `new Response` makes one that is sent without a stream. Control plane.

import { WebRequest } from './web-request.ts';
import { WebResponse } from './web-response.ts';

const NativeRequest = globalThis.Request;
const nativeFetch = globalThis.fetch;

class Request extends NativeRequest {
  constructor(input: unknown, init?: RequestInit) {
    super(nativeOf(input) as string, init);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass has instances of its own.
    if (this === Request) return value instanceof NativeRequest;
    // biome-ignore lint/complexity/noThisInStatic: as above.
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }
}

function nativeOf(input: unknown): unknown {
  return typeof input === 'object' && input !== null && isOurs(input) ? input.native() : input;
}

function isOurs(input: object): input is WebRequest {
  return Object.getPrototypeOf(input) === WebRequest.prototype;
}

/** Once in a thread; twice does no harm. */
export function replaceGlobals(): void {
  if (globalThis.Request === (Request as unknown)) return;
  Object.assign(globalThis, {
    Request,
    Response: WebResponse,
    fetch: (input: unknown, init?: RequestInit) => nativeFetch(nativeOf(input) as string, init),
  });
}
