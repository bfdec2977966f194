// The `Response` that fetch applications make: one with text or bytes is sent as it is, without the
// stream that the standard describes. For anything else a `Response` of Node's own is made.
// Control plane.

type Init = { status?: number; statusText?: string; headers?: HeadersInit };
type HeadersInit = Headers | Record<string, string> | readonly (readonly [string, string])[];

const NativeResponse = globalThis.Response;
type NativeResponse = globalThis.Response;

/** What is sent without a stream. */
type Content = string | Uint8Array | null;

/** Takes the place of `Response` in the threads that run a fetch application. */
export class WebResponse {
  readonly #content: Content = null;
  readonly #init: Init | undefined;
  #headers: Headers | undefined;
  #native: NativeResponse | undefined;

  constructor(body?: unknown, init?: Init) {
    this.#init = init;
    const status = init?.status ?? 200;
    const isPlain = body === undefined || body === null || typeof body === 'string';
    const hasPlainStatus = status >= 200 && status < 600 && Number.isInteger(status);
    const isNull = status === 204 || status === 205 || status === 304;
    // Bytes may be changed by their owner before they are sent; the standard copies them.
    const content = body instanceof Uint8Array ? body.slice() : body;
    if (hasPlainStatus && (isPlain || body instanceof Uint8Array) && (!isNull || content == null)) {
      this.#content = (content ?? null) as Content;
    } else this.#native = new NativeResponse(body as never, init as never);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass has instances of its own.
    if (this === WebResponse) return value instanceof NativeResponse;
    // biome-ignore lint/complexity/noThisInStatic: as above.
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }

  static json(data: unknown, init?: Init): WebResponse {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('Value is not JSON serializable');
    const headers = new Headers(init?.headers as never);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new WebResponse(text, { ...init, headers });
  }

  /** What to send if it is known, or undefined: then it is in the stream of `native`. */
  static content(response: WebResponse): Content | undefined {
    return response.#native === undefined ? response.#content : undefined;
  }

  /** Calls `visit` with each field. The names of a record are as they were given. */
  static eachField(response: WebResponse, visit: (name: string, value: string) => void): void {
    const headers = response.#headers ?? response.#init?.headers;
    if (response.#native !== undefined) each(response.#native.headers, visit);
    else if (headers !== undefined) each(headers, visit);
  }

  get status(): number {
    return this.#native?.status ?? this.#init?.status ?? 200;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    if (this.#native !== undefined) return this.#native.headers;
    if (this.#headers === undefined) {
      this.#headers = new Headers(this.#init?.headers as never);
      if (typeof this.#content === 'string' && !this.#headers.has('content-type')) {
        this.#headers.set('content-type', 'text/plain;charset=UTF-8');
      }
    }
    return this.#headers;
  }

  native(): NativeResponse {
    if (this.#native === undefined) {
      const { headers, status } = this;
      const statusText = this.#init?.statusText ?? '';
      const init = { headers, status, statusText };
      this.#native = new NativeResponse(this.#content as never, init);
    }
    return this.#native;
  }
}

function each(headers: HeadersInit, visit: (name: string, value: string) => void): void {
  if (typeof Reflect.get(headers, Symbol.iterator) === 'function') {
    for (const [name, value] of headers as Iterable<readonly [string, string]>) visit(name, value);
  } else {
    for (const name of Object.keys(headers)) {
      visit(name, String((headers as Record<string, string>)[name]));
    }
  }
}

for (const name of ['body', 'bodyUsed', 'redirected', 'statusText', 'type', 'url']) {
  Object.defineProperty(WebResponse.prototype, name, {
    configurable: true,
    get(this: WebResponse) {
      return Reflect.get(this.native(), name);
    },
  });
}
for (const name of ['arrayBuffer', 'blob', 'bytes', 'clone', 'formData', 'json', 'text']) {
  Object.defineProperty(WebResponse.prototype, name, {
    configurable: true,
    writable: true,
    value(this: WebResponse) {
      return Reflect.get(this.native(), name).call(this.native());
    },
  });
}
Object.setPrototypeOf(WebResponse, NativeResponse);
Object.setPrototypeOf(WebResponse.prototype, NativeResponse.prototype);
