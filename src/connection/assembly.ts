// Puts the parts of `Connections` together. Control plane.

import type { CompiledApp } from '../app/compiled-app.ts';
import type { Counters } from '../base/counters.ts';
import type { RequestOptions } from '../base/options.ts';
import { BodyDecoder } from '../http/body-decoder.ts';
import { DateField } from '../http/date-field.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { RequestParser } from '../http/request-parser.ts';
import { ResponseWriter } from '../http/response-writer.ts';
import type { Loop } from '../loop/loop.ts';
import { NO_MEMORY } from './close-reason.ts';
import type { ConnectionMemoryOptions } from './connection-memory.ts';
import { ConnectionMemory } from './connection-memory.ts';
import { Deadlines } from './deadlines.ts';
import type { Departures } from './departures.ts';
import { Ending } from './ending.ts';
import { Exchanges } from './exchanges.ts';
import { Lifecycle } from './lifecycle.ts';
import { RawSide } from './raw-side.ts';
import { RecvSide } from './recv-side.ts';
import { RequestSide } from './request-side.ts';
import { ResponseSide } from './response-side.ts';
import { SendSide } from './send-side.ts';
import type { TaskDelegation } from './task-delegation.ts';
import { Travel } from './travel.ts';
import { findUpgrade } from './upgrades.ts';
import { Waiting } from './waiting.ts';

export interface ConnectionsOptions extends ConnectionMemoryOptions {
  readonly loop: Loop;
  readonly app: CompiledApp;
  readonly counters: Counters;
  readonly delegation: TaskDelegation;
  /** Undefined when no connection is for another thread. */
  readonly departures: Departures | undefined;
  readonly requests: RequestOptions;
  readonly log: (message: string, error?: unknown) => void;
}

/** What the parts tell the whole. */
export interface Hooks {
  /** The handler waits for bytes of a body. */
  onBodyWanted(slot: number): void;
  /** The connection may go on with bytes that wait to be looked at. */
  onProgress(slot: number): void;
  /** The connection has come from another thread, with bytes to be looked at. */
  onArrival(slot: number): void;
}

export interface Parts {
  readonly memory: ConnectionMemory;
  readonly date: DateField;
  readonly exchanges: Exchanges;
  readonly deadlines: Deadlines;
  readonly sendSide: SendSide;
  readonly recvSide: RecvSide;
  readonly lifecycle: Lifecycle;
  readonly responseSide: ResponseSide;
  readonly requestSide: RequestSide;
  readonly waiting: Waiting;
  readonly travel: Travel;
  readonly ending: Ending;
  readonly rawSide: RawSide;
}

function transferred(): Error {
  return new TypeError('the memory of a body was transferred before it was sent');
}

export function assemble(options: ConnectionsOptions, hooks: Hooks): Parts {
  const { loop, app, counters, capacity, requests, log } = options;
  const { io } = loop;
  const { bytes } = io.memory;
  const memory = new ConnectionMemory(io, options);
  const { table, sendBlocks, recvBlocks } = memory;
  const parser = new RequestParser(REQUEST_LIMITS);
  const date = new DateField();
  date.set(loop.clock.unixSeconds);
  const onUserCode = (): void => loop.userCodeRan();
  const exchanges = new Exchanges(
    {
      memory: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      parser,
      parameters: app.router,
      clock: loop.clock,
      bodySizeMax: requests.bodySizeMax,
      onResponse: (exchange) => responseSide.pump(exchange.slot),
      onRejected: (exchange, response, error) =>
        requestSide.handlers.onRejected(exchange, response, error),
      onTransferred: (exchange) => requestSide.handlers.fail(exchange, transferred()),
      onBodyWanted: (exchange) => hooks.onBodyWanted(exchange.slot),
      callTask: (task, input, caller, into) => requestSide.tasks.call(task, input, caller, into),
      upgradeTo: (exchange, name, token) =>
        findUpgrade(app.protocols, exchange, name, token, responseSide.draining),
    },
    table,
  );
  const deadlines = new Deadlines(loop, requests, capacity);
  const sendSide = new SendSide(io, table, sendBlocks, deadlines, counters);
  const recvSide = new RecvSide(io, table, recvBlocks, counters);
  const lifecycle = new Lifecycle(
    loop,
    table,
    exchanges,
    sendSide,
    recvSide,
    options.delegation,
    options.departures,
    counters,
    (slot) => rawSide.onClosed(slot),
  );
  const responseSide: ResponseSide = new ResponseSide({
    bytes,
    table,
    exchanges,
    sendSide,
    writer: new ResponseWriter(bytes, date),
    counters,
    onDry: (slot) => lifecycle.terminate(slot, NO_MEMORY),
    onUserCode,
    onProgress: (slot) => hooks.onProgress(slot),
    onUpgrade: (slot, upgrade) => rawSide.upgrade(slot, upgrade),
  });
  const requestSide: RequestSide = new RequestSide({
    app,
    bytes,
    table,
    exchanges,
    sendSide,
    responseSide,
    parser,
    decoder: new BodyDecoder(),
    counters,
    delegation: options.delegation,
    departures: options.departures,
    requestsMax: requests.requestsMax,
    onBroken: (slot, reason) => lifecycle.terminate(slot, reason),
    onUserCode,
    log,
  });
  const rawSide: RawSide = new RawSide({
    bytes,
    table,
    recvSide,
    sendSide,
    protocols: app.protocols.map(({ protocol }) => protocol),
    handlers: app.rawHandlers,
    departures: options.departures,
    counters,
    onUserCode,
    log,
    onBroken: (slot, reason) => lifecycle.terminate(slot, reason),
    onProgress: (slot) => hooks.onProgress(slot),
    onArrival: (slot) => hooks.onArrival(slot),
  });
  const waiting = new Waiting(
    table,
    exchanges,
    deadlines,
    sendSide,
    recvSide,
    requestSide,
    lifecycle,
  );
  const travel = new Travel({
    loop,
    memory,
    deadlines,
    recvSide,
    sendSide,
    requestSide,
    rawSide,
    waiting,
    lifecycle,
    departures: options.departures,
    onArrival: (slot) => hooks.onArrival(slot),
  });
  const ending = new Ending({
    io,
    memory,
    exchanges,
    recvSide,
    responseSide,
    rawSide,
    waiting,
    lifecycle,
  });
  return {
    memory,
    date,
    exchanges,
    deadlines,
    sendSide,
    recvSide,
    lifecycle,
    responseSide,
    requestSide,
    waiting,
    travel,
    ending,
    rawSide,
  };
}
