// The fields of a request as `Headers` of the Fetch standard, read where they were received. A
// `Headers` of Node's own is made when more is asked than the value of a field. Control plane.

import type { Request } from '../app/request.ts';

const NativeHeaders = globalThis.Headers;
type Headers = globalThis.Headers;

/** Passes for a `Headers`: the prototype of this class has that of `Headers` behind it. */
export class WebHeaders {
  readonly #source: () => Request;
  #native: Headers | undefined;

  /** `source` answers the request, or throws when it has ended. */
  constructor(source: () => Request) {
    this.#source = source;
  }

  get native(): Headers {
    this.#native ??= new NativeHeaders(this.#source().fieldLines());
    return this.#native;
  }

  get(name: string): string | null {
    if (this.#native !== undefined) return this.#native.get(name);
    const value = this.#source().field(name);
    if (value === undefined) return null;
    // Lines of cookies are joined with "; ": RFC 6265 section 5.4, RFC 9113 section 8.2.3.
    const isJoined = value.includes(', ') && name.toLowerCase() === 'cookie';
    return isJoined ? this.native.get(name) : value;
  }

  has(name: string): boolean {
    if (this.#native !== undefined) return this.#native.has(name);
    return this.#source().field(name) !== undefined;
  }

  append(name: string, value: string): void {
    this.native.append(name, value);
  }

  delete(name: string): void {
    this.native.delete(name);
  }

  set(name: string, value: string): void {
    this.native.set(name, value);
  }

  getSetCookie(): string[] {
    return this.native.getSetCookie();
  }

  forEach(visit: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this.native) {
      visit.call(self, value, name, this as unknown as Headers);
    }
  }

  keys(): ReturnType<Headers['keys']> {
    return this.native.keys();
  }

  values(): ReturnType<Headers['values']> {
    return this.native.values();
  }

  entries(): ReturnType<Headers['entries']> {
    return this.native.entries();
  }

  [Symbol.iterator](): ReturnType<Headers['entries']> {
    return this.native.entries();
  }
}

Object.setPrototypeOf(WebHeaders.prototype, NativeHeaders.prototype);
