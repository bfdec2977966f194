// Connections under a random sequence of events, with a model of the kernel and of the peers:
// streams are cut anywhere, sends are taken in part, operations complete in any order, a
// cancellation comes late, a peer ends or resets. The same seed gives the same sequence.

import { equal, ok } from 'node:assert/strict';
import type { App } from '../../src/app/app.ts';
import { compileApp } from '../../src/app/compiled-app.ts';
import { mayKeep } from '../../src/app/escape.ts';
import { LINGERING } from '../../src/connection/connection-table.ts';
import { LINGER_MS } from '../../src/connection/lifecycle.ts';
import { CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { ECANCELED, ECONNRESET, ENOBUFS, EPIPE } from '../../src/kernel/errno.ts';
import { SHUT_RDWR, SHUT_WR } from '../../src/kernel/sockets.ts';
import type { Prng } from './prng.ts';
import { prng } from './prng.ts';
import type { Running } from './unit-connection-bench.ts';
import {
  APP,
  BIG,
  ConnectionBench,
  errorText,
  OK,
  okText,
  response,
} from './unit-connection-bench.ts';
import { CHUNKED, chunked, turn } from './unit-exchange-bench.ts';
import type { Submission } from './unit-fake-io.ts';

const STEPS_MAX = 20_000;
/** Slow peers take their time: so many steps without an event mean that none will come. */
const IDLE_STEPS_MAX = 1000;

interface Exchange {
  readonly request: string;
  readonly response: string;
}

/** What the other end of a connection does, and what it saw. */
class Peer {
  readonly input: Buffer;
  readonly expected: string;
  /** It ends its side when it has sent everything, and not only when it has every response. */
  readonly endsEarly: boolean;
  readonly slot: number;
  readonly fd: number;
  output = '';
  delivered = 0;
  isReset = false;

  constructor(slot: number, fd: number, random: Prng) {
    const exchanges = makeExchanges(random);
    this.slot = slot;
    this.fd = fd;
    this.input = Buffer.from(exchanges.map(({ request }) => request).join(''), 'latin1');
    this.expected = exchanges.map((each) => each.response).join('');
    const { request = '', response: last = '' } = exchanges.at(-1) ?? {};
    // Only the end tells that a body stays incomplete.
    this.endsEarly = random(2) === 0 || (request.startsWith('POST') && last.includes(' 400 '));
  }

  hasEnded(sawEnd: boolean): boolean {
    if (this.delivered < this.input.length) return false;
    return this.endsEarly || sawEnd || this.output.length >= this.expected.length;
  }
}

// What a task answers with, which its target says.
function taskResult(target: string): { status: number; body: string } {
  const number = Number(target.slice('/slow?'.length));
  if (number % 5 === 0) return { status: 500, body: '' };
  return { status: 200, body: number % 3 === 0 ? '' : `result ${number}` };
}

function taskResponse(target: string, connection: readonly string[]): string {
  const { status, body } = taskResult(target);
  if (status === 500) return errorText('500 Internal Server Error', connection);
  if (body !== '') return okText(body, connection);
  return response('200 OK', [...connection, 'Content-Length: 0']);
}

const TARGETS = [
  '/fast',
  '/echo?',
  '/big',
  '/none',
  '/form',
  '/throw',
  '/slow?',
  '/slow?full',
  '/late?',
  '/stream?',
  '/body?whole',
  '/body?pieces',
  '/body?first',
  '/body?none',
];

// What is streamed: pieces that are never split, since they are small.
function streamPieces(target: string): string[] {
  const number = Number(target.slice('/stream?'.length));
  return Array.from({ length: 1 + (number % 4) }, (_, index) =>
    `${index}`.repeat(1 + (number % 90)),
  );
}

function streamResponse(target: string, fields: readonly string[]): string {
  const pieces = streamPieces(target);
  const body = pieces.join('');
  if (target.length % 2 === 0) {
    return response('200 OK', [...fields, `Content-Length: ${body.length}`], body);
  }
  const trailer = `${chunked(pieces).slice(0, -2)}X-Pieces: ${pieces.length}\r\n\r\n`;
  return response('200 OK', [...fields, CHUNKED], trailer);
}

// A request with a body, and what becomes of the body.
function makeBody(target: string, random: Prng, fields: readonly string[]): Exchange {
  const pieces = Array.from({ length: random(4) }, () => 'body'.repeat(1 + random(60)));
  const body = pieces.join('');
  const isChunked = random(2) === 0;
  const length = isChunked ? CHUNKED : `Content-Length: ${body.length}`;
  const lines = ['Host: a', ...fields, length].map((field) => `${field}\r\n`).join('');
  return {
    request: `POST ${target} HTTP/1.1\r\n${lines}\r\n${isChunked ? chunked(pieces) : body}`,
    response: bodyResponse(target, body, fields),
  };
}

function bodyResponse(target: string, body: string, fields: readonly string[]): string {
  switch (target) {
    case '/body?whole':
      return okText(body, fields);
    case '/body?pieces':
      return okText(`${body.length} bytes`, fields);
    case '/body?first':
      return okText(body === '' ? 'nothing' : 'something', fields);
    default:
      return response('200 OK', [...fields, 'Content-Length: 0']);
  }
}

function makeExchange(random: Prng, id: number, connection: readonly string[]): Exchange {
  const target = TARGETS[random(TARGETS.length)]!;
  if (target.startsWith('/body')) return makeBody(target, random, connection);
  const isOld = target !== '/stream?' && connection.length === 0 && random(8) === 0;
  const fields = isOld ? ['Connection: keep-alive'] : connection;
  const path = target.endsWith('?') ? `${target}${id}` : target;
  const method = path === '/form' ? 'DELETE' : random(6) === 0 ? 'HEAD' : 'GET';
  const text = answerTo(path, fields);
  const body = text.indexOf('\r\n\r\n') + 4;
  const version = isOld ? '1.0' : '1.1';
  const lines = ['Host: a', ...fields].map((field) => `${field}\r\n`).join('');
  return {
    request: `${method} ${path} HTTP/${version}\r\n${lines}\r\n`,
    response: method === 'HEAD' ? text.slice(0, body) : text,
  };
}

function answerTo(path: string, fields: readonly string[]): string {
  switch (path) {
    case '/fast':
      return fields.length === 0 ? OK : response('200 OK', [...fields, 'Content-Length: 0']);
    case '/big':
      return okText(BIG, fields);
    case '/none':
      return errorText('404 Not Found', fields);
    case '/form':
      return errorText('405 Method Not Allowed', fields, ['Allow: GET, HEAD, POST']);
    case '/throw':
      return errorText('500 Internal Server Error', fields);
    case '/slow?full':
      return errorText('503 Service Unavailable', fields, ['Retry-After: 1']);
    default:
      if (path.startsWith('/stream')) return streamResponse(path, fields);
      return path.startsWith('/slow') ? taskResponse(path, fields) : okText(path, fields);
  }
}

// Requests with their responses; the last one may end the connection, and more bytes may follow
// that.
function makeExchanges(random: Prng): Exchange[] {
  const close = 'Connection: close';
  const length = random(random(4) === 0 ? 40 : 8);
  const exchanges = Array.from({ length }, () => makeExchange(random, random(100), []));
  switch (random(6)) {
    case 0:
      exchanges.push(makeExchange(random, random(100), [close]));
      if (random(2) === 0) exchanges.push({ request: 'GET /echo HT', response: '' });
      break;
    case 1:
      exchanges.push({ request: 'NONSENSE\r\n', response: errorText('400 Bad Request', [close]) });
      if (random(2) === 0) exchanges.push({ request: 'GET /echo HTTP/1.1\r\n', response: '' });
      break;
    case 2:
      exchanges.push({ request: 'GET /never-finished HTTP/1.1\r\nHo', response: '' });
      break;
    case 3:
      exchanges.push({
        request: 'POST /body?whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart',
        response: errorText('400 Bad Request', [close]),
      });
      break;
    default:
      break;
  }
  return exchanges;
}

type Step = () => void;

/** One run: connections come, are served and go, until none is left. */
export class RandomRun {
  readonly bench: ConnectionBench;
  readonly #random: Prng;
  readonly #peers = new Map<number, Peer>();
  #submitted = new Set<Submission>();
  #toOpen: number;
  #resets = 0;
  readonly #isInline: boolean;
  readonly #isSlow: boolean;
  // Async handlers that wait until the run lets them go on.
  readonly #gates: (() => void)[] = [];

  constructor(seed: number) {
    const random = prng(seed);
    this.#random = random;
    // The first numbers of neighbouring seeds resemble each other.
    for (let index = 0; index < 8; index++) random(2);
    const capacity = 1 + random(4);
    const recvBufferSize = [8, 40, 200][random(3)]!;
    this.bench = new ConnectionBench({
      app: compileApp(this.#app(), mayKeep),
      capacity,
      recvBuffers: [4, 16, 64][random(3)]!,
      recvBufferSize,
      recvBlockSize: 512 + recvBufferSize,
      sendBlocks: Math.max(1, capacity - random(2) * random(2)),
      recvBlocks: Math.max(1, capacity - random(2) * random(2)),
    });
    this.#toOpen = 1 + random(6);
    this.#isInline = random(4) === 0;
    this.#isSlow = random(3) === 0;
    const { delegation } = this.bench;
    delegation.decide = (target) => (target === '/slow?full' ? 503 : 0);
    const delegate = delegation.delegate.bind(delegation);
    delegation.delegate = (...args) => {
      const status = delegate(...args);
      if (status === 0 && this.#isInline) this.#finishTask(delegation.running.at(-1)!);
      return status;
    };
  }

  async run(): Promise<void> {
    const { bench } = this;
    let idle = 0;
    for (let step = 0; this.#toOpen > 0 || this.#peers.size > 0; step++) {
      ok(step < STEPS_MAX, 'a run comes to its end');
      const events = 1 + this.#random(6);
      // The kernel gets what a tick submits at its end: nothing completes in the tick it began in.
      this.#submitted = new Set(bench.io.submissions);
      let done = 0;
      for (; done < events && this.#completeOne(); done++);
      if (this.#finishSomeTasks()) done++;
      if (this.#openSomeGates()) done++;
      await turn();
      const calls = bench.io.takeCalls().length;
      bench.tick(1 + this.#random(3));
      idle = done + calls + bench.io.calls.length > 0 ? 0 : idle + 1;
      if (idle === IDLE_STEPS_MAX / 2) this.#passTime();
      ok(idle < IDLE_STEPS_MAX, 'something goes on as long as there are connections');
    }
    equal(bench.count('closedIdle'), 0);
    // Tasks whose connection was reset may still run.
    for (const running of [...bench.delegation.running]) this.#finishTask(running);
    for (const open of this.#gates) open();
    await turn();
    bench.tick();
    bench.assertAllFree();
    ok(!bench.logged.includes('a handler failed after its response!'), 'who is gone is no news');
    if (this.#resets === 0 && bench.count('closedNoMemory') === 0) {
      equal(bench.count('completionsStale'), 0, 'nothing is stale without a reset');
    }
  }

  // Handlers that go on when the run lets them: late, in pieces, as far as their bodies come.
  #app(): App {
    const gate = (): Promise<void> => new Promise((resolve) => this.#gates.push(resolve));
    return {
      ...APP,
      routes: {
        ...APP.routes,
        'GET /late': async (request, answer) => {
          await gate();
          answer.end(request.target);
        },
        'GET /stream': async (request, answer) => {
          const pieces = streamPieces(request.target);
          if (request.target.length % 2 === 0) answer.length(pieces.join('').length);
          else answer.trailer('X-Pieces', `${pieces.length}`);
          for (const piece of pieces) {
            await gate();
            await answer.write(piece);
          }
          answer.end();
        },
        'POST /body': async (request, answer) => {
          if (request.target === '/body?none') return answer.end();
          if (this.#random(2) === 0) await gate();
          if (request.target === '/body?whole') return answer.end(await request.text());
          let size = 0;
          for await (const piece of request.body) {
            size += piece.length;
            if (request.target === '/body?first') break;
            if (this.#random(2) === 0) await gate();
          }
          const first = size > 0 ? 'something' : 'nothing';
          answer.end(request.target === '/body?first' ? first : `${size} bytes`);
        },
      },
    };
  }

  #openSomeGates(): boolean {
    const waited = this.#gates.length > 0;
    while (this.#gates.length > 0 && this.#random(3) > 0) {
      this.#gates.splice(this.#random(this.#gates.length), 1)[0]!();
    }
    return waited;
  }

  // Only a linger may have to wait for its time to be over.
  #passTime(): void {
    const { clock, connections } = this.bench;
    for (const { slot } of this.#peers.values()) {
      equal(connections.table.state(slot), LINGERING, 'a connection goes on');
    }
    clock.nowMs += LINGER_MS + 300;
  }

  /** One thing that can happen now happens; false when nothing can. */
  #completeOne(): boolean {
    const { bench } = this;
    const submitted = bench.io.submissions.filter(
      (each) => this.#submitted.has(each) && (each.operation !== SEND || this.#takesSends()),
    );
    const steps: Step[] = submitted.flatMap((each) => this.#stepsOf(each));
    if (this.#toOpen > 0 && bench.connections.table.pool.free > 0) steps.push(() => this.#open());
    if (steps.length === 0) return false;
    steps[this.#random(steps.length)]!();
    return true;
  }

  // In some runs the peers read slowly.
  #takesSends(): boolean {
    return !this.#isSlow || this.#random(12) === 0;
  }

  #stepsOf(submission: Submission): Step[] {
    if (submission.operation === CLOSE) return [() => this.#close(submission)];
    const peer = this.#peers.get(submission.slot)!;
    const how = this.bench.io.shutdowns.get(submission.fd);
    return submission.operation === SEND
      ? [() => this.#send(submission, peer, how)]
      : this.#recvSteps(submission, peer, how);
  }

  #recvSteps(recv: Submission, peer: Peer, how: number | undefined): Step[] {
    const { bench } = this;
    const steps: Step[] = [];
    const end = (result: number) => steps.push(() => bench.complete(recv, result));
    if (peer.isReset) end(-ECONNRESET);
    else {
      if (peer.delivered < peer.input.length) steps.push(() => this.#deliver(recv, peer));
      if (how === SHUT_RDWR || peer.hasEnded(how === SHUT_WR)) end(0);
      if (this.#random(60) === 0) steps.push(() => this.#reset(peer));
    }
    if (bench.io.cancelled.has(recv)) end(-ECANCELED);
    return steps;
  }

  #deliver(recv: Submission, peer: Peer): void {
    const { bench } = this;
    // Completions that wait to be taken may have every buffer.
    if (!bench.io.hasFreeBuffer || this.#random(20) === 0) {
      bench.complete(recv, -ENOBUFS);
      return;
    }
    const rest = Math.min(bench.io.bufferSize, peer.input.length - peer.delivered);
    const size = this.#random(3) === 0 ? 1 + this.#random(rest) : rest;
    const bytes = peer.input.subarray(peer.delivered, peer.delivered + size);
    peer.delivered += size;
    // A receive that repeats may end with any completion.
    bench.complete(recv, bytes, recv.repeat && this.#random(8) > 0);
  }

  #send(send: Submission, peer: Peer, how: number | undefined): void {
    if (peer.isReset || how === SHUT_RDWR) {
      this.bench.complete(send, -EPIPE);
      return;
    }
    equal(how, undefined, 'nothing is sent after our side has ended');
    const { length } = send.bytes;
    const taken = this.#random(3) === 0 ? 1 + this.#random(length) : length;
    peer.output += send.bytes.toString('latin1', 0, taken);
    this.bench.complete(send, taken);
  }

  #open(): void {
    this.#toOpen--;
    const slot = this.bench.open();
    const { fd } = this.bench.inFlight(RECV, slot);
    this.#peers.set(slot, new Peer(slot, fd, this.#random));
  }

  #reset(peer: Peer): void {
    peer.isReset = true;
    this.#resets++;
  }

  #close(close: Submission): void {
    const { bench } = this;
    const peer = this.#peers.get(close.slot)!;
    equal(close.fd, peer.fd);
    const dry = bench.count('sendBlocksDry') + bench.count('recvBlocksDry');
    const shortOfMemory = dry + bench.count('recvBuffersHeldMax') > 0;
    const closedBefore = bench.count('closedNoMemory');
    bench.endClose(close.slot);
    this.#peers.delete(close.slot);
    const endedForMemory = bench.count('closedNoMemory') > closedBefore;
    if (endedForMemory)
      ok(shortOfMemory, 'a connection ends for want of memory when there is none');
    if (endedForMemory || peer.isReset) ok(peer.expected.startsWith(peer.output));
    else equal(peer.output, peer.expected);
  }

  #finishSomeTasks(): boolean {
    const { running } = this.bench.delegation;
    let finished = false;
    while (running.length > 0 && this.#random(3) > 0) {
      this.#finishTask(running[this.#random(running.length)]!);
      finished = true;
    }
    return finished || running.length > 0;
  }

  #finishTask(running: Running): void {
    const { status, body } = taskResult(running.target);
    this.bench.finishTask(status, body, running);
  }
}
