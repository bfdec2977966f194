// One connection that is served by handlers of the test: bytes arrive, promises get their turn, and
// what was answered is taken.

import { ok } from 'node:assert/strict';
import type { App } from '../../src/app/app.ts';
import { compileApp } from '../../src/app/compiled-app.ts';
import type { Delegation } from '../../src/app/delegation.ts';
import { delegate } from '../../src/app/delegation.ts';
import { mayKeep } from '../../src/app/escape.ts';
import type { Handler } from '../../src/app/handler.ts';
import { LINGERING, OPEN, TERMINATING } from '../../src/connection/connection-table.ts';
import { CLOSE, RECV, SEND } from '../../src/io/token.ts';
import type { BenchOptions } from './unit-connection-bench.ts';
import { ConnectionBench, response } from './unit-connection-bench.ts';

export const CLOSE_FIELD = 'Connection: close';
export const KEEP_ALIVE_FIELD = 'Connection: keep-alive';
export const CHUNKED = 'Transfer-Encoding: chunked';
export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** A request with a body of a length that is said. */
export function postBody(target: string, body: string, fields: readonly string[] = []): string {
  return head('POST', target, [...fields, `Content-Length: ${body.length}`]) + body;
}

/** A request whose body comes in these chunks, and then ends. */
export function postChunks(target: string, chunks: readonly string[]): string {
  return head('POST', target, [CHUNKED]) + chunked(chunks);
}

export function head(method: string, target: string, fields: readonly string[] = []): string {
  return `${method} ${target} HTTP/1.1\r\n${['Host: a', ...fields].join('\r\n')}\r\n\r\n`;
}

export function chunked(chunks: readonly string[]): string {
  return [...chunks, ''].map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('');
}

/** A response in chunks. */
export function inChunks(chunks: readonly string[], fields: readonly string[] = []): string {
  return response('200 OK', [...fields, CHUNKED], chunked(chunks));
}

/** Promises that are settled, and what waits for them, get their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A promise that the test settles. */
export function gate<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}

export type Routes = Record<string, Handler | Delegation<string, unknown>>;

export class ExchangeBench extends ConnectionBench {
  slot: number;

  constructor(routes: Routes, options: BenchOptions & { app?: never; fallback?: Handler } = {}) {
    const all: App['routes'] = {
      'GET /fast': (_request, response) => response.end(),
      'POST /fast': (_request, response) => response.end(),
      'GET /slow': delegate('slow'),
      'POST /slow': delegate('slow'),
      'PUT /slow': delegate('other'),
      ...(routes as App['routes']),
    };
    const { fallback, ...rest } = options;
    const tasks = { other: () => {}, slow: () => {} };
    const app = compileApp(
      fallback ? { routes: all, tasks, fallback } : { routes: all, tasks },
      mayKeep,
    );
    super({ ...rest, app });
    this.slot = this.open();
  }

  get state(): number {
    return this.connections.table.state(this.slot);
  }

  has(flag: number): boolean {
    return this.connections.table.has(this.slot, flag);
  }

  /** True exactly when a receive is submitted. */
  get receives(): boolean {
    return this.io.find(RECV, this.slot) !== undefined;
  }

  /** True exactly when a send is submitted. */
  get sends(): boolean {
    return this.io.find(SEND, this.slot) !== undefined;
  }

  /** Bytes arrive, as many at once as there is room for. */
  arrive(text: string): void {
    for (let at = 0; at < text.length; at += this.io.bufferSize) {
      if (!this.receives) this.tick();
      this.receive(this.slot, text.slice(at, at + this.io.bufferSize));
    }
  }

  /** The request's whole way, when its handler does not wait for anything. */
  answer(text: string): string {
    this.arrive(text);
    return this.flush(this.slot);
  }

  /** The request's whole way, when its handler waits only for what is there. */
  async ask(text: string): Promise<string> {
    this.arrive(text);
    return this.settle();
  }

  /** Promises, ticks and sends go on until nothing does; answers what was sent. */
  async settle(): Promise<string> {
    let text = '';
    for (let round = 0; round < 4; round++) {
      await turn();
      const more = this.flush(this.slot);
      if (more !== '') round = 0;
      text += more;
    }
    return text;
  }

  /** Time passes, a little at a time; what is due happens. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; ) {
      const step = Math.min(100, ms - passed);
      passed += step;
      this.clock.nowMs += step;
      this.tick();
    }
  }

  /** The peer ends its side, the connection ends, and everything was given back. */
  close(): void {
    if (this.state === OPEN || this.state === LINGERING) {
      if (!this.receives) this.tick();
      if (this.receives) this.endRecv(this.slot, 0);
    }
    this.flush(this.slot);
    this.closed();
  }

  /** The connection has ended, and everything was given back. */
  closed(): void {
    this.tick();
    ok(this.state === TERMINATING, 'the connection ends');
    if (this.sends) this.complete(this.inFlight(SEND, this.slot), -32);
    if (this.receives) this.endRecv(this.slot, 0);
    ok(this.io.find(CLOSE, this.slot) !== undefined, 'nothing is in flight, and the socket closes');
    this.endClose(this.slot);
    this.assertAllFree();
  }
}
