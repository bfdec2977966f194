// Thousands of clients that send a byte now and then, or read nothing, while others are served.

import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import type { SoakSpec } from './soak.ts';
import { check, checkPlan, GoodClients, passed } from './soak.ts';

const TIMEOUT_S = 10;
/** A timer may be late, and so may a machine with so much to do. */
const LATE_MAX_S = 3;
const PACE_MS = 2000;
const RUN_MS = 25_000;
const SLOW = 5000;
const GOOD = 32;
/** Connections are opened in groups: a backlog has its limit. */
const GROUP = 500;

interface Client {
  socket: Socket;
  begun: number;
  answer: string;
}

// Keeps `count` clients that begin with `begin` and add a byte every PACE_MS. Each that was cut off
// is followed by another one until the time is up.
class SlowClients {
  readonly lifetimes: number[] = [];
  readonly answers = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #clients = new Set<Client>();
  readonly #port: number;
  readonly #begin: string;
  readonly #pace: NodeJS.Timeout;
  #stopped = false;

  constructor(port: number, begin: string) {
    this.#port = port;
    this.#begin = begin;
    this.#pace = setInterval(() => {
      for (const { socket } of this.#clients) if (socket.writable) socket.write('x');
    }, PACE_MS);
  }

  async open(count: number): Promise<void> {
    for (let opened = 0; opened < count; opened += GROUP) {
      await Promise.all(
        Array.from({ length: Math.min(GROUP, count - opened) }, () => this.#open()),
      );
    }
  }

  get count(): number {
    return this.#clients.size;
  }

  /** Opens no more, and waits until the last one was cut off. */
  async stop(waitMs: number): Promise<void> {
    this.#stopped = true;
    const end = performance.now() + waitMs;
    while (this.#clients.size > 0 && performance.now() < end) await passed(100);
    clearInterval(this.#pace);
    for (const { socket } of this.#clients) socket.destroy();
  }

  #open(): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1' });
      const client: Client = { socket, begun: 0, answer: '' };
      socket.on('connect', () => {
        client.begun = performance.now();
        this.#clients.add(client);
        socket.write(this.#begin);
        resolve();
      });
      socket.on('data', (bytes: Buffer) => {
        client.answer += bytes.toString('latin1');
      });
      socket.on('error', (error) => this.failures.push(error.message));
      socket.on('close', () => this.#onClose(client, resolve));
    });
  }

  #onClose(client: Client, resolve: () => void): void {
    this.#clients.delete(client);
    resolve();
    this.lifetimes.push((performance.now() - client.begun) / 1000);
    const status = client.answer.slice(9, 12);
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    if (!this.#stopped) void this.#open();
  }
}

function slow(begin: string, counter: string): (server: ServerProcess) => Promise<string> {
  return async (server) => {
    const good = new GoodClients(server.port, GOOD);
    const slowClients = new SlowClients(server.port, begin);
    await slowClients.open(SLOW);
    await passed(RUN_MS);
    const held = slowClients.count;
    await slowClients.stop((TIMEOUT_S + LATE_MAX_S) * 1000);
    const met = await good.stop();
    const { lifetimes, answers, failures } = slowClients;
    lifetimes.sort((a, b) => a - b);
    const [least, most] = [lifetimes[0]!, lifetimes.at(-1)!];
    check(slowClients.count === 0, `${slowClients.count} slow clients were not cut off`);
    check(lifetimes.length >= 2 * SLOW, `only ${lifetimes.length} slow clients were cut off`);
    check(least >= TIMEOUT_S - 0.5, `one was cut off after ${least} s`);
    check(most <= TIMEOUT_S + LATE_MAX_S, `one was cut off after ${most} s`);
    check(answers.size === 1 && answers.has('408'), `answers ${JSON.stringify([...answers])}`);
    check(failures.length === 0, `${failures.length} failures: ${failures[0]}`);
    const counted = await server.counter(counter);
    check(counted === lifetimes.length, `${counter} is ${counted}`);
    return [
      `${held} slow clients held at once, ${lifetimes.length} cut off with 408`,
      `after ${least.toFixed(1)} to ${most.toFixed(1)} s; ${met}; ${checkPlan(server)}`,
    ].join(' ');
  };
}

const HEAD = 'GET /fast HTTP/1.1\r\nHost: test\r\nX: ';
const BODY = 'POST /hash HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nsome';
const CAPACITY = ['-C', '8000'];

export const slowHeaders: SoakSpec = {
  args: [...CAPACITY, '--header-timeout', String(TIMEOUT_S)],
  run: slow(HEAD, 'closedHeaderTimeout'),
};

export const slowBodies: SoakSpec = {
  args: [...CAPACITY, '--body-timeout', String(TIMEOUT_S)],
  run: slow(BODY, 'closedBodyTimeout'),
};

const NEVER = 1000;

export const neverRead: SoakSpec = {
  args: [...CAPACITY, '--send-timeout', String(TIMEOUT_S)],
  run: async (server) => {
    const good = new GoodClients(server.port, GOOD);
    const sockets: Socket[] = [];
    while (sockets.length < NEVER) {
      const socket = connect({ port: server.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.on('connect', () => socket.write(request('/blocks?count=1000')));
      socket.pause();
      sockets.push(socket);
    }
    const begin = performance.now();
    let closed = 0;
    let memory = '';
    while (closed < NEVER && performance.now() - begin < 1000 * (2 * TIMEOUT_S + LATE_MAX_S)) {
      await passed(500);
      closed = await server.counter('closedSendTimeout');
      if (closed === 0) memory = checkPlan(server);
    }
    const took = (performance.now() - begin) / 1000;
    const met = await good.stop();
    for (const socket of sockets) socket.destroy();
    check(closed === NEVER, `${closed} of ${NEVER} were cut off after ${took} s`);
    check(took >= TIMEOUT_S, `they were cut off after ${took} s`);
    const open = await server.counter('connectionsOpen');
    check(open === 0, `${open} connections are open`);
    return `${NEVER} cut off within ${took.toFixed(1)} s; ${met}; while held: ${memory}`;
  },
};
