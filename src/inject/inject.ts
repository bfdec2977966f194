// Requests to an application without a socket, for its tests. Control plane.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { AnyApp } from '../app/app.ts';
import type { FetchApp } from '../fetch/fetch-app.ts';
import { Injector } from './injector.ts';

/** A request of a test. */
export interface InjectRequest {
  /** GET unless it is said. */
  readonly method?: string;
  /** Path and query, `/` unless it is said. */
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string | readonly string[]>>;
  /** A string is sent as UTF-8. With several pieces, it is sent in chunks. */
  readonly body?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Ends the connection, as a client does that has gone. */
  readonly signal?: AbortSignal;
}

/** The response to an injected request; all of it has arrived. */
export interface InjectResponse {
  readonly status: number;
  /** Names in lower case; values of several lines are joined with ", ", of cookies with "; ". */
  readonly fields: Readonly<Record<string, string>>;
  bytes(): Uint8Array;
  /** The body as UTF-8. */
  text(): string;
  /** The body as what it means in JSON. @throws SyntaxError */
  json(): unknown;
}

const injectors = new WeakMap<object, Injector>();

/**
 * Sends a request to an application in this thread, and answers the response. The way is that of a
 * request over TCP, parser, limits and timeouts included, but for the kernel: nothing listens.
 * Tasks run in this thread too. What handlers log goes to stderr.
 *
 * @throws AppError when something is wrong with the application itself.
 * @throws Error when the connection ends before the response does, as for a client over TCP.
 */
export async function inject(
  app: AnyApp | FetchApp,
  { method = 'GET', path = '/', fields = {}, body, signal }: InjectRequest = {},
): Promise<InjectResponse> {
  const socket = new ClientSocket(injectorOf(app));
  try {
    const request = httpRequest({
      method,
      path,
      headers: { host: 'localhost', ...(fields as Record<string, string | string[]>) },
      createConnection: () => socket,
      ...(signal && { signal }),
    });
    const responded = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
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
