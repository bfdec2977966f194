// Connections over an `Io` without a kernel, driven a step at a time: what arrives, what is sent,
// which task is done and when a tick goes on are the test's decisions.

import { equal, notEqual } from 'node:assert/strict';
import type { App } from '../../src/app/app.ts';
import type { CompiledApp } from '../../src/app/compiled-app.ts';
import { compileApp } from '../../src/app/compiled-app.ts';
import { delegate } from '../../src/app/delegation.ts';
import { mayKeep } from '../../src/app/escape.ts';
import type { TaskCall, TaskCaller } from '../../src/app/request.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Counters } from '../../src/base/counters.ts';
import { COUNTERS, Counter } from '../../src/base/counters.ts';
import type { RequestOptions } from '../../src/base/options.ts';
import { CONNECTION_CTX_SIZE } from '../../src/connection/connection-table.ts';
import { Connections } from '../../src/connection/connections.ts';
import type { Departures } from '../../src/connection/departures.ts';
import type { TaskDelegation } from '../../src/connection/task-delegation.ts';
import { CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { NodeLoop } from '../../src/kernel/node-loop.ts';
import { Loop } from '../../src/loop/loop.ts';
import { NONE } from '../../src/memory/pool.ts';
import type { Submission } from './unit-fake-io.ts';
import { FakeIo } from './unit-fake-io.ts';

export const KEEP_ALIVE_MS = 1000;
const LARGE_BLOCKS = 1;
const LARGE_BLOCK_SIZE = 65_536;

export const REQUESTS: RequestOptions = {
  keepAliveTimeoutMs: KEEP_ALIVE_MS,
  headerTimeoutMs: 2000,
  bodyTimeoutMs: 3000,
  sendTimeoutMs: 4000,
  handlerTimeoutMs: 120_000,
  bodySizeMax: 4096,
  requestsMax: 1000,
};
const DATE = 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n';
const BIG_SIZE = 3000;

/** What `APP` answers with for `/big`. */
export const BIG = 'b'.repeat(BIG_SIZE);

export const APP: App = {
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /echo': (request, response) => response.end(request.target),
    'GET /big': (_request, response) => response.end(BIG),
    'POST /form': (_request, response) => response.end(undefined, 201),
    'GET /form': (_request, response) => response.end(),
    'GET /throw': () => {
      throw new Error('thrown by a handler');
    },
    'GET /slow': delegate('slow'),
    'POST /slow': delegate('slow'),
  },
  tasks: { slow: () => {} },
};
const COMPILED = compileApp(APP, mayKeep);
const NODE_LOOP = new NodeLoop();

/** A response as this server writes it; a status line, then fields, then the body. */
export function response(status: string, fields: readonly string[] = [], body = ''): string {
  const lines = fields.map((field) => `${field}\r\n`).join('');
  return `HTTP/1.1 ${status}\r\n${DATE}${lines}\r\n${body}`;
}

export const OK = response('200 OK', ['Content-Length: 0']);

export function okText(body: string, connection: readonly string[] = []): string {
  const type = 'Content-Type: text/plain; charset=utf-8';
  return response('200 OK', [...connection, type, `Content-Length: ${body.length}`], body);
}

/** An error response; `extra` field lines come last. */
export function errorText(
  status: string,
  connection: readonly string[] = [],
  extra: readonly string[] = [],
): string {
  const type = 'Content-Type: text/plain; charset=utf-8';
  const size = `Content-Length: ${status.length + 1}`;
  return response(status, [...connection, type, size, ...extra], `${status}\n`);
}

/** A request that is not safe: those behind it wait. */
export function post(target: string): string {
  return get(target, 'POST');
}

/** The request of a client that says no more than it has to. */
export function get(target: string, method = 'GET'): string {
  return `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

export class FakeClock implements Clock {
  nowMs = 0;
  unixSeconds = 0;
  update(): void {}
}

/** A task that was delegated and is not done. */
export interface Running {
  readonly task: number;
  readonly slot: number;
  readonly generation: number;
  readonly target: string;
}

export class FakeCall implements TaskCall {
  cancelled = false;
  readonly #promise = Promise.withResolvers<unknown>();
  readonly #caller: TaskCaller;

  /** Its caller has no other. */
  constructor(caller: TaskCaller) {
    this.#caller = caller;
    caller.firstCall = this;
  }

  get result(): Promise<unknown> {
    return this.#promise.promise;
  }

  resolve(value: unknown): void {
    this.#caller.firstCall = undefined;
    this.#promise.resolve(value);
  }

  reject(error: Error): void {
    this.#caller.firstCall = undefined;
    this.#promise.reject(error);
  }

  cancel(): void {
    this.#caller.firstCall = undefined;
    this.cancelled = true;
  }
}

export class FakeDelegation implements TaskDelegation {
  readonly running: Running[] = [];
  /** Exchanges whose task nobody waits for any more. */
  readonly cancelled: number[] = [];
  /** What `delegate` answers: 0, or the status to refuse with. */
  decide: (target: string) => number = () => 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readonly inputSizeMax = 100;
  /** What `call` was given and answered with. */
  readonly calls: { task: number; input: string | Uint8Array; kind: number; call: FakeCall }[] = [];

  delegateInput(
    task: number,
    slot: number,
    generation: number,
    input: string | Uint8Array,
  ): number {
    const target = Buffer.from(input).toString();
    const status = this.decide(target);
    if (status === 0) this.running.push({ task, slot, generation, target });
    return status;
  }

  call(
    task: number,
    input: string | Uint8Array,
    kind: number,
    caller: TaskCaller,
  ): Promise<unknown> {
    const call = new FakeCall(caller);
    this.calls.push({ task, input, kind, call });
    return call.result;
  }

  delegate(task: number, slot: number, generation: number, offset: number, size: number): number {
    const target = Buffer.from(this.#bytes.slice(offset, offset + size)).toString('latin1');
    const status = this.decide(target);
    if (status === 0) this.running.push({ task, slot, generation, target });
    return status;
  }

  cancel(exchange: number): void {
    this.cancelled.push(exchange);
  }
}

export interface BenchOptions {
  readonly app?: CompiledApp;
  readonly capacity?: number;
  readonly recvBuffers?: number;
  readonly recvBufferSize?: number;
  readonly sendBlocks?: number;
  readonly recvBlocks?: number;
  readonly recvBlockSize?: number;
  readonly requests?: Partial<RequestOptions>;
  /** In place of one that only records. */
  readonly delegation?: (io: FakeIo, counters: Counters) => TaskDelegation;
  readonly departures?: Departures;
}

/** A loop of nobody's, for parts that only need its clock and its timers. */
export function unitLoop(io: FakeIo, counters: Counters): Loop {
  const clock = new FakeClock();
  return new Loop({ io, clock, nodeLoop: NODE_LOOP, nextTurn: setImmediate, counters, timers: 8 });
}

export class ConnectionBench {
  /** A timer behind those of the connections, for whoever else has one: see `onExtraTimer`. */
  readonly extraTimer: number;
  onExtraTimer = (): void => {};
  readonly io: FakeIo;
  readonly counters: Counters = new Float64Array(COUNTERS);
  readonly clock = new FakeClock();
  readonly loop: Loop;
  readonly delegation: FakeDelegation;
  readonly connections: Connections;
  readonly logged: string[] = [];
  #nextFd = 100;

  constructor(options: BenchOptions = {}) {
    const { capacity = 4, sendBlocks = capacity, recvBlocks = capacity } = options;
    const { recvBuffers = 8, recvBufferSize = 4096, recvBlockSize = 20_480 } = options;
    const sendBlockSize = 16_384;
    this.extraTimer = capacity;
    const largeSize = LARGE_BLOCKS * LARGE_BLOCK_SIZE;
    const blocksSize = sendBlocks * sendBlockSize + largeSize + recvBlocks * recvBlockSize;
    this.io = new FakeIo(recvBuffers, recvBufferSize, blocksSize);
    this.delegation = new FakeDelegation(this.io.memory.bytes);
    this.loop = new Loop({
      io: this.io,
      clock: this.clock,
      nodeLoop: NODE_LOOP,
      nextTurn: setImmediate,
      counters: this.counters,
      timers: capacity + 1,
    });
    this.connections = new Connections({
      loop: this.loop,
      app: options.app ?? COMPILED,
      counters: this.counters,
      delegation: options.delegation?.(this.io, this.counters) ?? this.delegation,
      departures: options.departures,
      capacity,
      rows: new SharedArrayBuffer(capacity * CONNECTION_CTX_SIZE),
      sendBlocks,
      sendBlockSize,
      recvBlocks,
      recvBlockSize,
      largeSendBlocks: LARGE_BLOCKS,
      largeSendBlockSize: LARGE_BLOCK_SIZE,
      requests: { ...REQUESTS, ...options.requests },
      log: (message, error) => this.logged.push(error === undefined ? message : `${message}!`),
    });
  }

  count(name: keyof typeof Counter): number {
    return this.counters[Counter[name]]!;
  }

  /** A connection was accepted; answers its slot. */
  open(): number {
    const slot = this.connections.table.acquire();
    notEqual(slot, NONE);
    this.connections.open(slot, this.#nextFd++);
    return slot;
  }

  /** The operation of a slot that is in flight; there has to be one. */
  inFlight(operation: number, slot: number): Submission {
    const found = this.io.find(operation, slot);
    notEqual(found, undefined, 'the operation is in flight');
    return found!;
  }

  complete(submission: Submission, result: number | Uint8Array, more = false): void {
    this.io.complete(submission, result, more);
    this.connections.onCompletion(this.io);
  }

  /** Bytes arrive, by the receive that is in flight. */
  receive(slot: number, text: string, more?: boolean): void {
    const recv = this.inFlight(RECV, slot);
    this.complete(recv, Buffer.from(text, 'latin1'), more ?? recv.repeat);
  }

  /** The receive in flight ends with `result`, such as 0 or an error number. */
  endRecv(slot: number, result: number): void {
    this.complete(this.inFlight(RECV, slot), result);
  }

  /** The send in flight takes all of its bytes, or `size`; answers what it took. */
  send(slot: number, size?: number): string {
    const send = this.inFlight(SEND, slot);
    const taken = size ?? send.bytes.length;
    this.complete(send, taken);
    return send.bytes.toString('latin1', 0, taken);
  }

  /** The phases of a tick behind the completions. */
  tick(deferredBudget = 256): void {
    const { connections, loop } = this;
    connections.beginTick();
    connections.runDeferred(deferredBudget);
    connections.runSends();
    for (let slot = loop.timers.expire(this.clock.nowMs); slot !== NONE; ) {
      if (slot === this.extraTimer) this.onExtraTimer();
      else connections.onTimer(slot);
      slot = loop.timers.expire(this.clock.nowMs);
    }
    connections.runReleases();
  }

  /** Ticks and sends until nothing is sent any more; answers all that was sent. */
  flush(slot: number): string {
    let text = '';
    for (this.tick(); this.io.find(SEND, slot) !== undefined; this.tick()) text += this.send(slot);
    return text;
  }

  /** The request's whole way: it arrives, and what was answered is taken. */
  exchange(slot: number, text: string): string {
    this.receive(slot, text);
    return this.flush(slot);
  }

  /** The oldest task that runs, or `running`, is done. */
  finishTask(status = 200, body = '', running = this.delegation.running[0]!): void {
    const { slot, generation } = running;
    const bytes = Buffer.from(`..${body}`, 'latin1');
    this.delegation.running.splice(this.delegation.running.indexOf(running), 1);
    this.connections.tasks.onDone(slot, generation, status, bytes, 2, body.length);
  }

  /** The close that is in flight completes; the connection is gone. */
  endClose(slot: number): void {
    this.complete(this.inFlight(CLOSE, slot), 0);
    equal(this.connections.table.pool.isUsed(slot), false);
  }

  /** Everything is back, and nothing is in flight or planned. */
  assertAllFree(): void {
    this.connections.ending.assertAllFree();
    equal(this.io.inFlight, 0);
    equal(this.loop.timers.count, 0);
    equal(this.count('connectionsOpen'), 0);
  }
}
