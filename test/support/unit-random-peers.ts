// Connections under a random sequence of events, with a model of the kernel and of the peers:
// streams are cut anywhere, sends are taken in part, operations complete in any order, a
// cancellation comes late, a peer ends or resets. The same seed gives the same sequence.

import { equal, ok } from 'node:assert/strict';
import { LINGERING } from '../../src/connection/connection-table.ts';
import { LINGER_MS } from '../../src/connection/lifecycle.ts';
import { CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { ECANCELED, ECONNRESET, ENOBUFS, EPIPE } from '../../src/kernel/errno.ts';
import { SHUT_RDWR, SHUT_WR } from '../../src/kernel/sockets.ts';
import type { Prng } from './prng.ts';
import { prng } from './prng.ts';
import type { Running } from './unit-connection-bench.ts';
import { BIG, ConnectionBench, errorText, OK, okText, response } from './unit-connection-bench.ts';
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
    this.endsEarly = random(2) === 0;
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

const TARGETS = ['/fast', '/echo?', '/big', '/none', '/form', '/throw', '/slow?', '/slow?full'];

function makeExchange(random: Prng, id: number, connection: readonly string[]): Exchange {
  const isOld = connection.length === 0 && random(8) === 0;
  const fields = isOld ? ['Connection: keep-alive'] : connection;
  const target = TARGETS[random(TARGETS.length)]!;
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
      return path.startsWith('/slow') ? taskResponse(path, fields) : okText(path, fields);
  }
}

// Requests with their responses; the last one may end the connection, and more bytes may follow
// that.
function makeExchanges(random: Prng): Exchange[] {
  const close = 'Connection: close';
  const length = random(random(4) === 0 ? 40 : 8);
  const exchanges = Array.from({ length }, () => makeExchange(random, random(100), []));
  switch (random(5)) {
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

  constructor(seed: number) {
    const random = prng(seed);
    this.#random = random;
    // The first numbers of neighbouring seeds resemble each other.
    for (let index = 0; index < 8; index++) random(2);
    const capacity = 1 + random(4);
    const recvBufferSize = [8, 40, 200][random(3)]!;
    this.bench = new ConnectionBench({
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

  run(): void {
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
      const calls = bench.io.takeCalls().length;
      bench.tick(1 + this.#random(3));
      idle = done + calls + bench.io.calls.length > 0 ? 0 : idle + 1;
      if (idle === IDLE_STEPS_MAX / 2) this.#passTime();
      ok(idle < IDLE_STEPS_MAX, 'something goes on as long as there are connections');
    }
    equal(bench.count('closedIdle'), 0);
    // Tasks whose connection was reset may still run.
    for (const running of [...bench.delegation.running]) this.#finishTask(running);
    bench.tick();
    bench.assertAllFree();
    if (this.#resets === 0 && bench.count('closedNoMemory') === 0) {
      equal(bench.count('completionsStale'), 0, 'nothing is stale without a reset');
    }
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
