// The `Response` that fetch applications make: one with text or bytes is sent as it is, without the
// stream that the standard describes. For anything else a `Response` of Node's own is made.
// Control plane.

type Init = {
  status?: number | undefined;
  statusText?: string | undefined;
  headers?: HeadersInit | undefined;
};
type Field = readonly [name: string, value: string];
type HeadersInit = Headers | Record<string, string> | readonly Field[];

const NativeResponse = globalThis.Response;
type NativeResponse = globalThis.Response;

/** What is sent without a stream. */
type Content = string | Uint8Array | null;

const NO_FIELDS: readonly Field[] = [];

/** Takes the place of `Response` in the threads that run a fetch application. */
export class WebResponse {
  readonly #content: Content = null;
  // What `init` said then: its owner may change it before the response is sent.
  readonly #status: number = 200;
  readonly #statusText: string = '';
  readonly #fields: readonly Field[] = NO_FIELDS;
  #headers: Headers | undefined;
  #native: NativeResponse | undefined;

  constructor(body?: unknown, init?: Init) {
    const status = init?.status ?? 200;
    const isPlain = body === undefined || body === null || typeof body === 'string';
    const hasPlainStatus = status >= 200 && status < 600 && Number.isInteger(status);
    const isNull = status === 204 || status === 205 || status === 304;
    // Bytes may be changed by their owner before they are sent; the standard copies them.
    const content = body instanceof Uint8Array ? body.slice() : body;
    if (hasPlainStatus && (isPlain || body instanceof Uint8Array) && (!isNull || content == null)) {
      this.#content = (content ?? null) as Content;
      if (init == null) return;
      this.#status = status;
      this.#statusText = String(init.statusText ?? '');
      if (init.headers !== undefined) this.#fields = fieldsOf(init.headers);
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
    // Of a response these are no properties of its own.
    return new WebResponse(text, { status: init?.status, statusText: init?.statusText, headers });
  }

  /** What to send if it is known, or undefined: then it is in the stream of `native`. */
  static content(response: WebResponse): Content | undefined {
    return response.#native === undefined ? response.#content : undefined;
  }

  /** Calls `visit` with each field. The names of a record are as they were given. */
  static eachField(response: WebResponse, visit: (name: string, value: string) => void): void {
    const fields = response.#native?.headers ?? response.#headers ?? response.#fields;
    for (const [name, value] of fields) visit(name, value);
  }

  get status(): number {
    return this.#native?.status ?? this.#status;
  }

  get statusText(): string {
    return this.#native?.statusText ?? this.#statusText;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    if (this.#native !== undefined) return this.#native.headers;
    if (this.#headers === undefined) {
      this.#headers = new Headers(this.#fields as never);
      if (typeof this.#content === 'string' && !this.#headers.has('content-type')) {
        this.#headers.set('content-type', 'text/plain;charset=UTF-8');
      }
    }
    return this.#headers;
  }

  native(): NativeResponse {
    if (this.#native === undefined) {
      const { headers, status, statusText } = this;
      this.#native = new NativeResponse(this.#content as never, { headers, status, statusText });
    }
    return this.#native;
  }
}

function fieldsOf(headers: HeadersInit): Field[] {
  const fields: Field[] = [];
  if (typeof Reflect.get(headers, Symbol.iterator) === 'function') {
    for (const [name, value] of headers as Iterable<Field>) fields.push([name, String(value)]);
  } else {
    for (const name of Object.keys(headers)) {
      fields.push([name, String((headers as Record<string, string>)[name])]);
    }
  }
  return fields;
}

for (const name of ['body', 'bodyUsed', 'redirected', 'type', 'url']) {
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
