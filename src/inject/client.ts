// The client of injected requests: Node's own HTTP client over a connection in memory.
// Control plane.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { AnyApp } from '../app/app.ts';
import type { FetchApp } from '../fetch/fetch-app.ts';
import type { InjectRequest, InjectResponse } from './inject-types.ts';
import { Injector } from './injector.ts';

type Fields = Record<string, string | string[]>;

const FRAMING = /^(?:content-length|transfer-encoding)$/i;
const injectors = new WeakMap<object, Injector>();

/** Sends a request to an application, and answers the response: see `inject`. */
export async function send(
  app: AnyApp | FetchApp,
  { method = 'GET', path = '/', fields = {}, body, signal }: InjectRequest,
): Promise<InjectResponse> {
  const socket = new ClientSocket(injectorOf(app));
  try {
    const request = httpRequest({
      method,
      path,
      headers: { host: 'localhost', ...(fields as Fields), ...framing(fields as Fields, body) },
      createConnection: () => socket,
      ...(signal && { signal }),
    });
    const responded = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      // What follows is not HTTP: the client goes, and has its response.
      request.once('upgrade', (response) => resolve(response));
      request.once('error', reject);
    });
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      request.end(body);
    } else {
      request.flushHeaders();
      for await (const piece of body) {
        if (!request.write(piece)) await new Promise((resolve) => request.once('drain', resolve));
      }
      request.end();
    }
    const response = await responded;
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    return answer(response, Buffer.concat(pieces));
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    socket.destroy();
  }
}

// What tells where the body ends, if there is one and the caller did not say: RFC 9112 section 6.3.
// Node's client leaves that out for methods that seldom have a body, such as DELETE.
function framing(fields: Fields, body: InjectRequest['body']): Fields {
  if (body === undefined || Object.keys(fields).some((name) => FRAMING.test(name))) return {};
  const isWhole = typeof body === 'string' || body instanceof Uint8Array;
  if (!isWhole) return { 'Transfer-Encoding': 'chunked' };
  return { 'Content-Length': String(Buffer.byteLength(body)) };
}

function injectorOf(app: AnyApp | FetchApp): Injector {
  const known = injectors.get(app);
  if (known !== undefined) return known;
  const injector = new Injector(app, logToStderr);
  injectors.set(app, injector);
  return injector;
}

function logToStderr(message: string, error?: unknown): void {
  const cause = error instanceof Error ? `: ${error.stack ?? error.message}` : '';
  process.stderr.write(`millrace: ${message}${cause}\n`);
}

function answer(response: IncomingMessage, body: Buffer): InjectResponse {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    fields[name] = Array.isArray(value) ? value.join('; ') : (value ?? '');
  }
  return {
    status: response.statusCode!,
    fields,
    bytes: () => new Uint8Array(body),
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')),
  };
}

/** The client's end of a connection in memory, as Node's own HTTP client knows sockets. */
class ClientSocket extends Duplex {
  readonly #injector: Injector;
  readonly #fd: number;

  constructor(injector: Injector) {
    super({ allowHalfOpen: true });
    this.#injector = injector;
    injector.use();
    this.#fd = injector.io.connect({
      onBytes: (bytes) => void this.push(bytes),
      onEnd: () => void this.push(null),
      onClosed: () => injector.release(),
    });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#injector.io.write(this.#fd, bytes)) done();
    else done(new Error('the server has ended the connection'));
  }

  override _final(done: () => void): void {
    this.#injector.io.end(this.#fd);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#injector.io.reset(this.#fd);
    done(error);
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}
