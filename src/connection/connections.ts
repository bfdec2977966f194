// The connections of a thread, from accept to close: takes the completions of their operations, and
// decides what comes next for each.
//
// Owner: one thread. Data plane, the constructor and the drain apart.

import type { CompiledApp } from '../app/compiled-app.ts';
import { assert, unreachable } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { RequestOptions } from '../base/options.ts';
import { BodyDecoder } from '../http/body-decoder.ts';
import { DateField } from '../http/date-field.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { RequestParser } from '../http/request-parser.ts';
import { ResponseWriter } from '../http/response-writer.ts';
import type { Io } from '../io/io.ts';
import { ACCEPT, CLOSE, RECV, SEND } from '../io/token.ts';
import { ECANCELED, ENOBUFS } from '../kernel/errno.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';
import { SlotQueue } from '../memory/slot-queue.ts';
import {
  BODY_TIMEOUT,
  BY_PEER,
  BY_RESET,
  DRAINING,
  HEADER_TIMEOUT,
  IDLE,
  NO_MEMORY,
  SEND_TIMEOUT,
} from './close-reason.ts';
import type { ConnectionMemoryOptions } from './connection-memory.ts';
import { ConnectionMemory } from './connection-memory.ts';
import {
  BODY_PAUSED,
  CLOSE_AFTER_SEND,
  type ConnectionTable,
  DEFERRED,
  LINGER_AFTER_SEND,
  LINGERING,
  OPEN,
  PEER_ENDED,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  SUSPENDED,
  TERMINATING,
} from './connection-table.ts';
import { BODY, Deadlines, HEAD, NEXT_REQUEST, NOTHING } from './deadlines.ts';
import { Exchanges } from './exchanges.ts';
import { Lifecycle } from './lifecycle.ts';
import { RecvSide } from './recv-side.ts';
import type { TaskDelegation } from './request-side.ts';
import { RequestSide } from './request-side.ts';
import { ResponseSide } from './response-side.ts';
import { SEND_DRAINED, SEND_FAILED, SendSide } from './send-side.ts';

export interface ConnectionsOptions extends ConnectionMemoryOptions {
  readonly loop: Loop;
  readonly app: CompiledApp;
  readonly counters: Counters;
  readonly delegation: TaskDelegation;
  readonly requests: RequestOptions;
  readonly log: (message: string, error?: unknown) => void;
}

export class Connections {
  readonly table: ConnectionTable;
  readonly #loop: Loop;
  readonly #io: Io;
  readonly #counters: Counters;
  readonly #memory: ConnectionMemory;
  readonly #sendSide: SendSide;
  readonly #recvSide: RecvSide;
  readonly #lifecycle: Lifecycle;
  readonly #exchanges: Exchanges;
  readonly #deadlines: Deadlines;
  readonly #responseSide: ResponseSide;
  readonly #requestSide: RequestSide;
  readonly #date = new DateField();
  // Connections whose unread bytes are looked at in the deferred phase: those with the flag
  // DEFERRED.
  readonly #deferred: SlotQueue;

  constructor(options: ConnectionsOptions) {
    const { loop, counters, capacity } = options;
    const { bytes } = loop.io.memory;
    this.#loop = loop;
    this.#io = loop.io;
    this.#counters = counters;
    this.#memory = new ConnectionMemory(loop.io, options);
    const { table, sendBlocks, recvBlocks } = this.#memory;
    this.table = table;
    const parser = new RequestParser(REQUEST_LIMITS);
    const exchanges = new Exchanges(
      {
        memory: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        parser,
        bodySizeMax: options.requests.bodySizeMax,
        onResponse: (exchange) => this.#responseSide.pump(exchange.slot),
        onBodyWanted: (exchange) => this.#onBodyWanted(exchange.slot),
      },
      capacity,
    );
    this.#exchanges = exchanges;
    this.#deadlines = new Deadlines(loop, options.requests, capacity);
    this.#sendSide = new SendSide(loop.io, table, sendBlocks, this.#deadlines, counters);
    this.#recvSide = new RecvSide(loop.io, table, recvBlocks, counters);
    this.#lifecycle = new Lifecycle(
      loop,
      table,
      exchanges,
      this.#sendSide,
      this.#recvSide,
      counters,
    );
    this.#date.set(loop.clock.unixSeconds);
    this.#responseSide = new ResponseSide({
      bytes,
      table,
      exchanges,
      sendSide: this.#sendSide,
      writer: new ResponseWriter(bytes, this.#date),
      counters,
      onDry: (slot) => this.#lifecycle.terminate(slot, NO_MEMORY),
      onUserCode: () => loop.userCodeRan(),
      onProgress: (slot) => this.#onProgress(slot),
    });
    this.#requestSide = new RequestSide({
      app: options.app,
      bytes,
      table,
      exchanges,
      sendSide: this.#sendSide,
      responseSide: this.#responseSide,
      parser,
      decoder: new BodyDecoder(),
      counters,
      delegation: options.delegation,
      requestsMax: options.requests.requestsMax,
      onBroken: (slot, reason) => this.#lifecycle.terminate(slot, reason),
      onUserCode: () => loop.userCodeRan(),
      log: options.log,
    });
    this.#deferred = new SlotQueue(capacity);
  }

  /** An accept has answered `fd` for a reserved slot. */
  open(slot: number, fd: number): void {
    const counters = this.#counters;
    this.table.setFd(slot, fd);
    this.table.setState(slot, OPEN);
    count(counters, Counter.connectionsAccepted);
    count(counters, Counter.connectionsOpen);
    if (counters[Counter.connectionsOpen]! > counters[Counter.connectionsOpenMax]!) {
      counters[Counter.connectionsOpenMax] = counters[Counter.connectionsOpen]!;
    }
    this.#deadlines.open(slot);
    this.#recvSide.arm(slot);
  }

  /** Takes the completion of a RECV, SEND or CLOSE that stands in `io`. */
  onCompletion(io: Io): void {
    const { operation, slot, generation } = io;
    assert(operation !== ACCEPT, 'accepts are the listener’s');
    if (!this.table.pool.isCurrent(slot, generation)) {
      // Unreachable by the join; if it is ever reached, the counter tells and nothing is touched.
      count(this.#counters, Counter.completionsStale);
      if (io.buffer >= 0) io.releaseBuffer(io.buffer);
      return;
    }
    switch (operation) {
      case RECV:
        this.#onRecv(slot, io.result, io.buffer, io.more);
        break;
      case SEND:
        this.#onSend(slot, io.result);
        break;
      case CLOSE:
        this.#lifecycle.onClosed(slot);
        break;
      default:
        unreachable(operation as never);
    }
  }

  /** The result of a task, for the exchange that was delegated; it may be gone. */
  onTaskDone(
    index: number,
    generation: number,
    status: number,
    result: Uint8Array,
    offset: number,
    size: number,
  ): void {
    const exchange = this.#exchanges.find(index, generation);
    if (exchange === undefined) count(this.#counters, Counter.completionsStale);
    else this.#responseSide.onTaskDone(exchange, status, result, offset, size);
  }

  /** A tick begins: the clock was just read. */
  beginTick(): void {
    this.#date.set(this.#loop.clock.unixSeconds);
  }

  /** The deferred phase of a tick. */
  runDeferred(budget: number): boolean {
    for (let ran = 0; ran < budget; ran++) {
      const slot = this.#deferred.shift();
      if (slot === NONE) return false;
      this.table.clearFlag(slot, DEFERRED);
      if (this.table.state(slot) === OPEN) this.#serveUnread(slot);
      else if (this.table.state(slot) === TERMINATING) this.#lifecycle.terminateJoin(slot);
    }
    return this.#deferred.count > 0;
  }

  /** The send phase of a tick. */
  runSends(): void {
    this.#sendSide.flush();
  }

  /** The release phase of a tick. */
  runReleases(): void {
    this.#recvSide.feed();
  }

  /** It is time to look what the connection waits for. */
  onTimer(slot: number): void {
    if (this.table.state(slot) === OPEN) this.#onLook(slot);
    else if (this.table.state(slot) === LINGERING) {
      this.#lifecycle.terminate(slot, this.table.reason(slot));
    }
  }

  /** From now on every response announces the close. Control plane. */
  drain(): void {
    this.#responseSide.draining = true;
  }

  /** Ends the connections that owe nothing to their peers. Control plane. */
  closeIdle(): void {
    for (let slot = 0; slot < this.table.pool.capacity; slot++) {
      if (this.table.state(slot) !== OPEN || this.table.has(slot, DEFERRED)) continue;
      if (this.#isAwaited(slot) || this.#recvSide.isWaiting(slot)) continue;
      this.#lifecycle.linger(slot, DRAINING);
    }
  }

  /** Ends every connection, whatever it waits for. Control plane. */
  terminateAll(): void {
    for (let slot = 0; slot < this.table.pool.capacity; slot++) {
      const state = this.table.state(slot);
      if (state === OPEN || state === LINGERING) this.#lifecycle.terminate(slot, DRAINING);
    }
  }

  /** Asserts that every slot, block and buffer is back. Control plane. */
  assertAllFree(): void {
    this.#memory.assertAllFree();
  }

  #onRecv(slot: number, result: number, buffer: number, more: boolean): void {
    const table = this.table;
    if (!more) table.clearFlag(slot, RECV_IN_FLIGHT | RECV_CANCELLED);
    if (result > 0) this.#onReceived(slot, buffer, result, more);
    else if (table.state(slot) === TERMINATING) this.#lifecycle.terminateJoin(slot);
    else if (result === -ENOBUFS) this.#recvSide.starve(slot);
    else if (result === 0) this.#onPeerEnded(slot);
    else if (result === -ECANCELED) this.#onRecvCancelled(slot);
    else this.#lifecycle.terminate(slot, BY_RESET);
  }

  #onReceived(slot: number, buffer: number, size: number, more: boolean): void {
    const table = this.table;
    switch (table.state(slot)) {
      case OPEN:
        if (table.has(slot, SUSPENDED | BODY_PAUSED | DEFERRED)) {
          this.#hold(slot, buffer, size, more);
        } else if (this.#endsUnread(slot)) {
          table.setFlag(slot, LINGER_AFTER_SEND);
          this.#io.releaseBuffer(buffer);
        } else {
          // A full buffer: there is more where that came from.
          if (size === this.#io.bufferSize) this.#recvSide.throttle(slot, more);
          this.#serveBuffer(slot, buffer, size);
          this.#afterServe(slot);
        }
        break;
      case LINGERING:
        this.#io.releaseBuffer(buffer);
        this.#recvSide.arm(slot);
        break;
      case TERMINATING:
        this.#io.releaseBuffer(buffer);
        this.#lifecycle.terminateJoin(slot);
        break;
      default:
        assert(false, 'bytes arrive on a connection that is there');
    }
  }

  // The bytes came too early: requests before them, or the handler of their body, are not ready.
  #hold(slot: number, buffer: number, size: number, more: boolean): void {
    if (this.#recvSide.hold(slot, buffer, size, more)) return;
    this.#io.releaseBuffer(buffer);
    this.#lifecycle.terminate(slot, NO_MEMORY);
  }

  // The receive was cancelled because bytes came too early; by now they may have been served.
  #onRecvCancelled(slot: number): void {
    const waits =
      this.table.has(slot, SUSPENDED | BODY_PAUSED | DEFERRED) || this.#endsUnread(slot);
    if (this.table.state(slot) === LINGERING) this.#recvSide.arm(slot);
    else if (this.table.state(slot) === OPEN && !waits) this.#recvSide.arm(slot);
  }

  // True exactly when what still arrives is of no interest: the connection ends.
  #endsUnread(slot: number): boolean {
    const { table } = this;
    return table.has(slot, CLOSE_AFTER_SEND) && this.#exchanges.receiving(slot) === undefined;
  }

  // True exactly when responses are still to be formed or taken.
  #isAwaited(slot: number): boolean {
    return this.#exchanges.count(slot) > 0 || this.#sendSide.isOwing(slot);
  }

  // Goes on with the bytes that were kept, and then with the buffers that were held.
  #serveUnread(slot: number): void {
    const recvSide = this.#recvSide;
    if (recvSide.hasUnread(slot)) {
      recvSide.restoreParser(slot, this.#requestSide.parser);
      this.#serve(slot, recvSide.unreadStart(slot), recvSide.unreadEnd(slot));
    }
    while (this.#isReady(slot)) {
      const buffer = recvSide.takeHeld(slot);
      if (buffer === NONE) break;
      this.#serveBuffer(slot, buffer, recvSide.heldSize(buffer));
    }
    this.#afterServe(slot);
  }

  // True exactly when the next bytes of the connection may be looked at.
  #isReady(slot: number): boolean {
    if (this.table.state(slot) !== OPEN || this.table.has(slot, SUSPENDED | BODY_PAUSED))
      return false;
    return !this.#endsUnread(slot);
  }

  #serveBuffer(slot: number, buffer: number, size: number): void {
    const recvSide = this.#recvSide;
    const start = this.#io.bufferOffset(buffer);
    if (recvSide.hasUnread(slot)) {
      recvSide.append(slot, start, start + size);
      recvSide.restoreParser(slot, this.#requestSide.parser);
      this.#serve(slot, recvSide.unreadStart(slot), recvSide.unreadEnd(slot));
    } else {
      this.#requestSide.parser.begin();
      this.#serve(slot, start, start + size);
    }
    this.#io.releaseBuffer(buffer);
  }

  #serve(slot: number, start: number, end: number): void {
    const { table } = this;
    const requests = table.requests(slot);
    table.clearFlag(slot, SUSPENDED | BODY_PAUSED);
    const at = this.#requestSide.serve(slot, start, end);
    if (table.state(slot) !== OPEN) return;
    if (table.requests(slot) !== requests) this.#deadlines.done(slot);
    if (!this.#sendSide.isOwing(slot)) this.#sendSide.release(slot);
    if (at === end) this.#recvSide.forgetUnread(slot);
    else if (this.#endsUnread(slot)) {
      // Bytes after the last request would make the kernel answer a close with a reset.
      table.setFlag(slot, LINGER_AFTER_SEND);
      this.#recvSide.forgetUnread(slot);
    } else if (!this.#recvSide.keep(slot, at, end, this.#requestSide.parser)) {
      this.#lifecycle.terminate(slot, NO_MEMORY);
    }
  }

  // What the connection waits for now: the next bytes, its exchanges, or its own send side.
  #afterServe(slot: number): void {
    const { table } = this;
    if (table.state(slot) !== OPEN) return;
    if (table.has(slot, SUSPENDED)) {
      if (this.#isAwaited(slot)) count(this.#counters, Counter.suspended);
      else this.#lifecycle.terminate(slot, NO_MEMORY);
    } else if (this.#endsUnread(slot)) {
      if (this.#recvSide.release(slot)) table.setFlag(slot, LINGER_AFTER_SEND);
      if (!this.#isAwaited(slot)) this.#lifecycle.finish(slot);
    } else if (!table.has(slot, BODY_PAUSED)) {
      if (table.has(slot, PEER_ENDED)) this.#onPeerEnded(slot);
      else this.#recvSide.arm(slot);
    }
    this.#await(slot);
  }

  // Notes what is waited for from now on.
  #await(slot: number): void {
    const { table } = this;
    if (table.state(slot) !== OPEN) return;
    let awaited = NOTHING;
    if (table.has(slot, SUSPENDED | BODY_PAUSED | DEFERRED)) awaited = NOTHING;
    else if (this.#exchanges.receiving(slot) !== undefined) awaited = BODY;
    else if (this.#recvSide.hasUnread(slot)) awaited = HEAD;
    else if (!this.#isAwaited(slot)) awaited = NEXT_REQUEST;
    this.#deadlines.await(slot, awaited);
  }

  #onLook(slot: number): void {
    const deadlines = this.#deadlines;
    if (this.#sendSide.isOwing(slot) && deadlines.sendLeft(slot) <= 0) {
      this.#lifecycle.terminate(slot, SEND_TIMEOUT);
      return;
    }
    const receiving = this.#exchanges.receiving(slot);
    let left = deadlines.left(slot, receiving === undefined ? 0 : receiving.receivedSize);
    if (left <= 0) {
      this.#onLate(slot);
      if (this.table.state(slot) !== OPEN) return;
      left = Number.MAX_SAFE_INTEGER;
    }
    if (this.#sendSide.isOwing(slot)) left = Math.min(left, deadlines.sendLeft(slot));
    deadlines.look(slot, left);
  }

  // RFC 9110 15.5.9: who began to send a request is told why it gets no other answer.
  #onLate(slot: number): void {
    const awaited = this.#deadlines.awaited(slot);
    this.#deadlines.done(slot);
    if (awaited === NEXT_REQUEST) this.#lifecycle.terminate(slot, IDLE);
    else if (awaited === HEAD) this.#requestSide.reject(slot, 408, HEADER_TIMEOUT);
    else {
      const receiving = this.#exchanges.receiving(slot)!;
      this.#requestSide.breakBody(slot, receiving, 408, BODY_TIMEOUT);
    }
    this.#afterServe(slot);
  }

  // The handler waits for bytes: those that were held back, or others.
  #onBodyWanted(slot: number): void {
    this.#responseSide.pump(slot);
    this.#onProgress(slot);
  }

  // Exchanges have made progress: bytes that wait may be looked at again.
  #onProgress(slot: number): void {
    if (this.table.state(slot) !== OPEN) return;
    if (this.table.has(slot, SUSPENDED | BODY_PAUSED)) this.#defer(slot);
  }

  // The peer ended its side (RFC 9112 section 9.5): what it asked for before, it still gets.
  #onPeerEnded(slot: number): void {
    const { table } = this;
    table.setFlag(slot, PEER_ENDED);
    if (table.state(slot) === LINGERING) {
      this.#lifecycle.terminate(slot, table.reason(slot));
      return;
    }
    if (table.has(slot, SUSPENDED | BODY_PAUSED | DEFERRED)) return;
    const receiving = this.#exchanges.receiving(slot);
    // The body is incomplete: RFC 9112 section 8.
    if (receiving !== undefined) this.#requestSide.breakBody(slot, receiving, 400, BY_PEER);
    if (table.state(slot) !== OPEN) return;
    if (this.#isAwaited(slot)) table.setFlag(slot, CLOSE_AFTER_SEND);
    else this.#lifecycle.terminate(slot, BY_PEER);
  }

  #onSend(slot: number, result: number): void {
    const table = this.table;
    const sent = this.#sendSide.onSend(slot, result);
    if (table.state(slot) === TERMINATING) {
      this.#lifecycle.terminateJoin(slot);
      return;
    }
    if (sent === SEND_FAILED) {
      this.#lifecycle.terminate(slot, BY_RESET);
      return;
    }
    if (table.state(slot) !== OPEN || sent !== SEND_DRAINED) return;
    if (this.#exchanges.count(slot) > 0) this.#responseSide.pump(slot);
    if (table.state(slot) !== OPEN) return;
    if (this.#endsUnread(slot) && !this.#isAwaited(slot)) this.#lifecycle.finish(slot);
    else {
      if (table.has(slot, SUSPENDED)) this.#defer(slot);
      this.#await(slot);
    }
  }

  #defer(slot: number): void {
    const table = this.table;
    if (table.has(slot, DEFERRED)) return;
    table.setFlag(slot, DEFERRED);
    this.#deferred.push(slot);
  }
}
