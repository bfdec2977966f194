// A request as the `Request` of the Fetch standard. What most applications ask, method, URL, single
// fields and the whole body, is answered from the request itself; for anything else a `Request` of
// Node's own is made, which costs several times as much. Control plane.

import type { Request } from '../app/request.ts';
import { WebHeaders } from './web-headers.ts';
import { requestUrl } from './web-url.ts';

const NativeRequest = globalThis.Request;
const NativeResponse = globalThis.Response;
type NativeRequest = globalThis.Request;

/** Passes for a `Request`: the prototype of this class has that of `Request` behind it. */
export class WebRequest {
  readonly method: string;
  readonly url: string;
  #source: Request | undefined;
  #headers: WebHeaders | undefined;
  #body: ReadableStream<Uint8Array> | null | undefined;
  #bodyUsed = false;
  #native: NativeRequest | undefined;

  /** @throws TypeError when the request has no URL. */
  constructor(source: Request) {
    this.#source = source;
    this.method = source.method;
    this.url = requestUrl(source.field('host'), source.target);
  }

  /** The response has ended: what was not read yet can no longer be. */
  detach(): void {
    this.#source = undefined;
  }

  #open(): Request {
    if (this.#source !== undefined) return this.#source;
    throw new Error('the request was used after its response had ended');
  }

  get headers(): Headers {
    if (this.#native !== undefined) return this.#native.headers;
    this.#headers ??= new WebHeaders(() => this.#open());
    return this.#headers as unknown as Headers;
  }

  get signal(): AbortSignal {
    return this.#native?.signal ?? this.#open().signal;
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#native !== undefined) return this.#native.body as ReadableStream<Uint8Array> | null;
    if (this.#body === undefined) this.#body = this.#hasBody() ? stream(this.#open()) : null;
    return this.#body;
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed ?? this.#bodyUsed;
  }

  get duplex(): 'half' {
    return 'half';
  }

  async bytes(): Promise<Uint8Array> {
    const native = this.#native ?? (this.#body != null ? this.native() : undefined);
    if (native !== undefined) return new Uint8Array(await native.arrayBuffer());
    if (this.#bodyUsed) throw new TypeError('Body is unusable: Body has already been read');
    this.#bodyUsed = this.#hasBody();
    return this.#open().bytes();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(await this.bytes()).buffer;
  }

  async text(): Promise<string> {
    return DECODER.decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async blob(): Promise<Blob> {
    return (await this.#asResponse()).blob();
  }

  async formData(): Promise<FormData> {
    return (await this.#asResponse()).formData();
  }

  clone(): NativeRequest {
    return this.native().clone();
  }

  /** A `Request` of Node's own, from here on the place of everything. */
  native(): NativeRequest {
    if (this.#native !== undefined) return this.#native;
    const source = this.#open();
    const { method } = this;
    const body = method === 'GET' || method === 'HEAD' ? null : this.body;
    const headers = this.#headers?.native ?? new Headers(source.fieldLines());
    const init = { method, headers, body, duplex: 'half', signal: source.signal };
    this.#native = new NativeRequest(this.url, init as RequestInit);
    return this.#native;
  }

  async #asResponse(): Promise<Response> {
    const type = this.headers.get('content-type');
    const bytes = (await this.bytes()) as Uint8Array<ArrayBuffer>;
    return new NativeResponse(bytes, type === null ? {} : { headers: { 'content-type': type } });
  }

  // RFC 9112 section 6.3.
  #hasBody(): boolean {
    const source = this.#open();
    if (source.field('transfer-encoding') !== undefined) return true;
    return Number(source.field('content-length') ?? 0) > 0;
  }
}

const DECODER = new TextDecoder();

// What has a value that never differs here, or is hardly ever asked for.
const RARE = ['cache', 'credentials', 'destination', 'integrity', 'keepalive', 'mode', 'redirect'];
for (const name of [...RARE, 'referrer', 'referrerPolicy']) {
  Object.defineProperty(WebRequest.prototype, name, {
    configurable: true,
    get(this: WebRequest) {
      return Reflect.get(this.native(), name);
    },
  });
}
Object.setPrototypeOf(WebRequest.prototype, NativeRequest.prototype);

// Nothing is received before it is asked for: the peer is held back by TCP.
function stream(source: Request): ReadableStream<Uint8Array> {
  const body = source.body;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await body.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await body.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
