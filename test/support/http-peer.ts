// A client of HTTP/1.1 that is in full control of its bytes: it sends what it is told, in the
// pieces it is told, reads response by response, and tells an orderly end from a reset.

import { equal } from 'node:assert/strict';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { ParsedResponse } from './http-response.ts';
import { parseResponse } from './http-response.ts';

export interface HttpResponse extends ParsedResponse {
  /** When its last byte was there, as `performance.now()` tells it. */
  readonly at: number;
}

/** Whoever ends what was opened: a test. */
export interface Owner {
  after(end: () => void): void;
}

export interface PeerOptions {
  readonly host?: string;
  /** Bytes arrive at the socket and are left there until something is read. */
  readonly paused?: boolean;
}

/** A whole request without a body; `fields` are complete lines. */
export function request(target: string, method = 'GET', ...fields: string[]): string {
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: test', ...fields];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export const FAST: string = request('/test/fast');
export const SLOW: string = request('/test/slow');
export const FAST_AND_CLOSE: string = request('/test/fast', 'GET', 'Connection: close');

export class HttpPeer {
  readonly socket: Socket;
  /** Settles when nothing more comes: 'end' after an orderly end, or the code of the error. */
  readonly ended: Promise<string>;
  /** Set once it has ended. */
  endedBy: string | undefined;
  /** Everything that arrived and was not read yet. */
  #received: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #receivedAt = 0;
  readonly #watchers = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      const end = (by: string): void => {
        if (this.endedBy !== undefined) return;
        this.endedBy = by;
        resolve(by);
        this.#changed();
      };
      socket.on('end', () => end('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      socket.on('close', () => end('closed'));
    });
  }

  /** Connects; throws what the connect meets. The connection is destroyed when the test ends. */
  static async open(
    t: Owner,
    port: number,
    { host = '127.0.0.1', paused = false }: PeerOptions = {},
  ): Promise<HttpPeer> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    t.after(() => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const peer = new HttpPeer(socket);
    if (!paused) peer.resume();
    return peer;
  }

  /** Starts to read what arrives, for a peer that was opened as `paused`. */
  resume(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#receivedAt = performance.now();
      this.#changed();
    });
  }

  /** Sends bytes; settles when the kernel has taken all of them. */
  send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
      this.socket.write(data, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Sends a request and reads its response. */
  async ask(bytes: string, method = 'GET'): Promise<HttpResponse> {
    await this.send(bytes);
    return this.response(method);
  }

  /** The next response. @throws when the connection ends before it is complete. */
  async response(method = 'GET'): Promise<HttpResponse> {
    for (;;) {
      const response = this.#take(method);
      if (response !== undefined) return response;
      if (this.endedBy !== undefined) {
        const rest = this.#received.toString('latin1');
        throw new Error(`ended by ${this.endedBy} before a response, with ${JSON.stringify(rest)}`);
      }
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  async responses(count: number): Promise<HttpResponse[]> {
    const responses: HttpResponse[] = [];
    while (responses.length < count) responses.push(await this.response());
    return responses;
  }

  /** Waits for the end, and answers with what came before it and was not read. */
  async rest(): Promise<{ by: string; bytes: string }> {
    const by = await this.ended;
    this.#gather();
    return { by, bytes: this.#received.toString('latin1') };
  }

  /** What is there and was not read, as latin1; `take` reads it. */
  peek(): string {
    this.#gather();
    return this.#received.toString('latin1');
  }

  take(): string {
    const bytes = this.peek();
    this.#received = Buffer.alloc(0);
    return bytes;
  }

  /** So many lines, once they are there; nothing may be behind them. */
  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = this.peek().split('\n');
      if (lines.length > count) {
        equal(lines.pop(), '');
        this.take();
        return lines;
      }
      if (this.endedBy !== undefined) throw new Error(`ended by ${this.endedBy}: ${lines}`);
      await new Promise<void>((resolve) => {
        this.socket.once('data', () => resolve());
        void this.ended.then(() => resolve());
      });
    }
  }

  /** True exactly when bytes are there that were not read. */
  get hasBytes(): boolean {
    return this.#received.length > 0 || this.#chunks.length > 0;
  }

  endSending(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  #take(method: string): HttpResponse | undefined {
    this.#gather();
    const response = parseResponse(this.#received, method, this.endedBy === 'end');
    if (response === undefined) return undefined;
    this.#received = this.#received.subarray(response.size);
    return { ...response, at: this.#receivedAt };
  }

  #gather(): void {
    if (this.#chunks.length === 0) return;
    this.#received = Buffer.concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
  }

  #changed(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}
