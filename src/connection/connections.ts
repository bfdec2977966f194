// The connections of a thread, from accept to close: takes the completions of their operations, and
// decides what comes next for each.
//
// Owner: one thread. Data plane, the constructor and the drain apart.

import type { CompiledApp } from '../app/compiled-app.ts';
import { assert, unreachable } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
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
import { BY_PEER, BY_RESET, DRAINING, IDLE, NO_MEMORY } from './close-reason.ts';
import type { ConnectionMemoryOptions } from './connection-memory.ts';
import { ConnectionMemory } from './connection-memory.ts';
import {
  CLOSE_AFTER_SEND,
  type ConnectionTable,
  DEFERRED,
  DELEGATED,
  LINGER_AFTER_SEND,
  LINGERING,
  OPEN,
  PEER_ENDED,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  SUSPENDED,
  TERMINATING,
} from './connection-table.ts';
import type { TaskDelegation } from './http-exchange.ts';
import { HttpExchange } from './http-exchange.ts';
import { Lifecycle } from './lifecycle.ts';
import { RecvSide } from './recv-side.ts';
import { SEND_DRAINED, SEND_FAILED, SendSide } from './send-side.ts';

export interface ConnectionsOptions extends ConnectionMemoryOptions {
  readonly loop: Loop;
  readonly app: CompiledApp;
  readonly counters: Counters;
  readonly delegation: TaskDelegation;
  readonly keepAliveTimeoutMs: number;
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
  readonly #exchange: HttpExchange;
  readonly #date = new DateField();
  readonly #keepAliveTimeoutMs: number;
  // Connections whose unread bytes are looked at in the deferred phase: those with the flag
  // DEFERRED.
  readonly #deferred: SlotQueue;

  constructor(options: ConnectionsOptions) {
    const { loop, counters, capacity } = options;
    const { bytes } = loop.io.memory;
    this.#loop = loop;
    this.#io = loop.io;
    this.#counters = counters;
    this.#keepAliveTimeoutMs = options.keepAliveTimeoutMs;
    this.#memory = new ConnectionMemory(loop.io, options);
    const { table, sendBlocks, recvBlocks } = this.#memory;
    this.table = table;
    this.#sendSide = new SendSide(loop.io, table, sendBlocks, counters);
    this.#recvSide = new RecvSide(loop.io, table, recvBlocks, counters);
    this.#lifecycle = new Lifecycle(loop, this.table, this.#sendSide, this.#recvSide, counters);
    this.#date.set(loop.clock.unixSeconds);
    this.#exchange = new HttpExchange({
      app: options.app,
      bytes,
      table: this.table,
      sendSide: this.#sendSide,
      parser: new RequestParser(REQUEST_LIMITS),
      writer: new ResponseWriter(bytes, this.#date),
      counters,
      delegation: options.delegation,
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
    this.#receiveNext(slot);
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

  /** The result of a task for a connection: its response, and then what waited behind it. */
  onTaskDone(
    slot: number,
    generation: number,
    status: number,
    body: Uint8Array,
    offset: number,
    size: number,
  ): void {
    if (!this.table.pool.isCurrent(slot, generation) || this.table.state(slot) !== DELEGATED) {
      count(this.#counters, Counter.completionsStale);
      return;
    }
    if (!this.#exchange.onTaskDone(slot, status, body, offset, size)) {
      this.#lifecycle.terminate(slot, NO_MEMORY);
    } else this.#defer(slot);
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
    const recvSide = this.#recvSide;
    for (let slot = recvSide.feed(); slot !== NONE; slot = recvSide.feed()) {
      this.#lifecycle.terminateJoin(slot);
    }
  }

  onTimer(slot: number): void {
    switch (this.table.state(slot)) {
      case OPEN:
        this.#lifecycle.terminate(slot, IDLE);
        break;
      case LINGERING:
        this.#lifecycle.terminate(slot, this.table.reason(slot));
        break;
      case DELEGATED:
        // Silence is the task's fault here, not the peer's.
        this.#touch(slot);
        break;
      default:
        break;
    }
  }

  /** From now on every response announces the close. Control plane. */
  drain(): void {
    this.#exchange.draining = true;
  }

  /** Ends the connections that owe nothing to their peers. Control plane. */
  closeIdle(): void {
    for (let slot = 0; slot < this.table.pool.capacity; slot++) {
      if (this.table.state(slot) !== OPEN || this.table.has(slot, DEFERRED)) continue;
      if (this.#sendSide.isOwing(slot) || this.#recvSide.isWaiting(slot)) continue;
      this.#lifecycle.linger(slot, DRAINING);
    }
  }

  /** Ends every connection, whatever it waits for. Control plane. */
  terminateAll(): void {
    for (let slot = 0; slot < this.table.pool.capacity; slot++) {
      const state = this.table.state(slot);
      if (state === OPEN || state === DELEGATED || state === LINGERING) {
        this.#lifecycle.terminate(slot, DRAINING);
      }
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
        if (table.has(slot, SUSPENDED | DEFERRED)) this.#hold(slot, buffer, size, more);
        else if (table.has(slot, CLOSE_AFTER_SEND)) {
          table.setFlag(slot, LINGER_AFTER_SEND);
          this.#io.releaseBuffer(buffer);
        } else {
          // A full buffer: there is more where that came from.
          if (size === this.#io.bufferSize) this.#recvSide.throttle(slot, more);
          this.#serveBuffer(slot, buffer, size);
          this.#afterServe(slot);
        }
        break;
      case DELEGATED:
        this.#hold(slot, buffer, size, more);
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

  // The bytes came too early: a task runs, or responses wait to be taken.
  #hold(slot: number, buffer: number, size: number, more: boolean): void {
    if (this.#recvSide.hold(slot, buffer, size, more)) return;
    this.#io.releaseBuffer(buffer);
    this.#lifecycle.terminate(slot, NO_MEMORY);
  }

  // The receive was cancelled because bytes came too early; by now they may have been served.
  #onRecvCancelled(slot: number): void {
    const waits = this.table.has(slot, SUSPENDED | DEFERRED | CLOSE_AFTER_SEND);
    if (this.table.state(slot) === LINGERING) this.#recvSide.arm(slot);
    else if (this.table.state(slot) === OPEN && !waits) this.#receiveNext(slot);
  }

  // Goes on with the bytes that were kept, and then with the buffers that were held.
  #serveUnread(slot: number): void {
    const recvSide = this.#recvSide;
    if (recvSide.hasUnread(slot) && !this.table.has(slot, CLOSE_AFTER_SEND)) {
      recvSide.restoreParser(slot, this.#exchange.parser);
      this.#serve(slot, recvSide.unreadStart(slot), recvSide.unreadEnd(slot));
    }
    while (this.#isReady(slot)) {
      const buffer = recvSide.takeHeld(slot);
      if (buffer === NONE) break;
      this.#serveBuffer(slot, buffer, recvSide.heldSize(buffer));
    }
    this.#afterServe(slot);
  }

  // True exactly when the next request of the connection may be looked at.
  #isReady(slot: number): boolean {
    return this.table.state(slot) === OPEN && !this.table.has(slot, SUSPENDED | CLOSE_AFTER_SEND);
  }

  #serveBuffer(slot: number, buffer: number, size: number): void {
    const recvSide = this.#recvSide;
    const start = this.#io.bufferOffset(buffer);
    if (recvSide.hasUnread(slot)) {
      recvSide.append(slot, start, start + size);
      recvSide.restoreParser(slot, this.#exchange.parser);
      this.#serve(slot, recvSide.unreadStart(slot), recvSide.unreadEnd(slot));
    } else {
      this.#exchange.parser.begin();
      this.#serve(slot, start, start + size);
    }
    this.#io.releaseBuffer(buffer);
  }

  #serve(slot: number, start: number, end: number): void {
    this.table.clearFlag(slot, SUSPENDED);
    const at = this.#exchange.serve(slot, start, end);
    if (!this.#sendSide.isOwing(slot)) this.#sendSide.release(slot);
    if (at === end) this.#recvSide.forgetUnread(slot);
    else if (this.table.has(slot, CLOSE_AFTER_SEND)) {
      // Bytes after the last request would make the kernel answer a close with a reset.
      this.table.setFlag(slot, LINGER_AFTER_SEND);
      this.#recvSide.forgetUnread(slot);
    } else if (!this.#recvSide.keep(slot, at, end, this.#exchange.parser)) {
      this.#lifecycle.terminate(slot, NO_MEMORY);
    }
  }

  // What the connection waits for now: the next bytes, its task, or its own send side.
  #afterServe(slot: number): void {
    const table = this.table;
    if (table.state(slot) !== OPEN) return;
    if (table.has(slot, SUSPENDED)) {
      if (this.#sendSide.hasBlock(slot)) {
        count(this.#counters, Counter.suspended);
        this.#touch(slot);
      } else this.#lifecycle.terminate(slot, NO_MEMORY);
      return;
    }
    if (table.has(slot, CLOSE_AFTER_SEND)) {
      if (this.#recvSide.release(slot)) table.setFlag(slot, LINGER_AFTER_SEND);
      this.#touch(slot);
    } else if (table.has(slot, PEER_ENDED)) this.#onPeerEnded(slot);
    else this.#receiveNext(slot);
  }

  #receiveNext(slot: number): void {
    this.#recvSide.arm(slot);
    this.#touch(slot);
  }

  // The peer was heard, or took something: silence is counted from now.
  #touch(slot: number): void {
    this.#loop.timers.set(slot, this.#loop.clock.nowMs, this.#keepAliveTimeoutMs);
  }

  // The peer ended its side (RFC 9112 section 9.5): what it asked for before, it still gets.
  #onPeerEnded(slot: number): void {
    const table = this.table;
    table.setFlag(slot, PEER_ENDED);
    if (table.state(slot) === LINGERING) {
      this.#lifecycle.terminate(slot, table.reason(slot));
      return;
    }
    if (table.state(slot) === DELEGATED || table.has(slot, SUSPENDED | DEFERRED)) return;
    if (this.#sendSide.isOwing(slot)) {
      table.setFlag(slot, CLOSE_AFTER_SEND);
      this.#touch(slot);
    } else this.#lifecycle.terminate(slot, BY_PEER);
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
    if (table.state(slot) !== OPEN) return;
    // What a slow peer takes is heard of it, as what it sends.
    if (sent !== SEND_DRAINED) this.#touch(slot);
    else if (table.has(slot, CLOSE_AFTER_SEND)) this.#lifecycle.finish(slot);
    else if (table.has(slot, SUSPENDED)) this.#defer(slot);
  }

  #defer(slot: number): void {
    const table = this.table;
    if (table.has(slot, DEFERRED)) return;
    table.setFlag(slot, DEFERRED);
    this.#deferred.push(slot);
  }
}
