// What the soak tests share: a server of their own, its memory, and clients that behave.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('app.ts', import.meta.url));
const MEBIBYTE = 1024 * 1024;
/** The main thread, Node itself and V8's heaps are not in the plan. */
const OUTSIDE_PLAN = 160 * MEBIBYTE;

/** A test: answers what it measured. @throws when something is not as it has to be. */
export type Soak = (server: ServerProcess) => Promise<string>;

export interface SoakSpec {
  /** The path of the application, unless it is that of most tests. */
  readonly app?: string;
  readonly args: readonly string[];
  readonly run: Soak;
}

export function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

export function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Runs a test with its own server. Answers what it measured. */
export async function runSoak({ app = APP, args, run }: SoakSpec): Promise<string> {
  const ends: (() => Promise<void>)[] = [];
  const scope = { after: (end: () => Promise<void>) => ends.push(end) };
  const server = await startServer(scope, [app, '-A', '1', '-w', '0', ...args]);
  try {
    const measured = await run(server);
    check(!/died|a handler failed/.test(server.program.stderr), server.program.stderr.slice(-2000));
    return measured;
  } finally {
    for (const end of ends) await end();
  }
}

/** proc(5): resident, or the most it ever was, in bytes. */
export function memoryOf({ pid }: ServerProcess, name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}

/** The memory that the server said it would use, and what is not in the plan. */
export function checkPlan(server: ServerProcess): string {
  const [, size, unit] = /([\d.]+) (MiB|GiB) of memory planned/.exec(server.readyLine)!;
  const planned = Number(size) * MEBIBYTE * (unit === 'GiB' ? 1024 : 1);
  const most = memoryOf(server, 'VmHWM');
  check(most < planned + OUTSIDE_PLAN, `${mebibytes(most)} of ${mebibytes(planned)} planned`);
  return `VmHWM ${mebibytes(most)}, ${mebibytes(planned)} planned`;
}

/** Clients that ask one request after the other, each on its connection. */
export class GoodClients {
  readonly #port: number;
  readonly #latencies: number[] = [];
  readonly #failures: string[] = [];
  #stopped = false;
  readonly #ends: Promise<void>[] = [];

  constructor(port: number, count: number) {
    this.#port = port;
    for (let index = 0; index < count; index++) this.#ends.push(this.#client());
  }

  /** Ends them. Answers what they met. @throws when one of them was not served. */
  async stop(): Promise<string> {
    this.#stopped = true;
    await Promise.all(this.#ends);
    const latencies = this.#latencies.sort((a, b) => a - b);
    const at = (share: number): string =>
      `${latencies[Math.floor((latencies.length - 1) * share)]!.toFixed(1)} ms`;
    const failures = this.#failures;
    check(failures.length === 0, `${failures.length} good clients failed: ${failures[0]}`);
    check(latencies.length > 1000, `only ${latencies.length} requests of good clients`);
    return `${latencies.length} good requests, median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`;
  }

  #client(): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      const bytes = request('/fast');
      let begin = 0;
      const ask = (): void => {
        begin = performance.now();
        socket.write(bytes);
      };
      socket.on('connect', ask);
      socket.on('data', (answer: Buffer) => {
        this.#latencies.push(performance.now() - begin);
        if (!answer.toString('latin1').startsWith('HTTP/1.1 200'))
          socket.destroy(new Error('status'));
        else if (this.#stopped) socket.end();
        // Not as fast as it can: the slow ones and their client share the machine.
        else setTimeout(ask, 5);
      });
      socket.on('error', (error) => this.#failures.push(error.message));
      socket.on('close', () => {
        if (!this.#stopped) this.#failures.push('closed');
        resolve();
      });
    });
  }
}
