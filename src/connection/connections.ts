// The connections of a thread, from accept to close: takes the completions of their operations, and
// decides what comes next for each.
//
// Owner: one thread. Data plane, the constructor and the drain apart.

import { assert, unreachable } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count, countUp } from '../base/counters.ts';
import type { DateField } from '../http/date-field.ts';
import type { Io } from '../io/io.ts';
import { ACCEPT, CLOSE, RECV, SEND } from '../io/token.ts';
import { ECANCELED, ENOBUFS } from '../kernel/errno.ts';
import type { Loop } from '../loop/loop.ts';
import { NONE } from '../memory/pool.ts';
import { SlotQueue } from '../memory/slot-queue.ts';
import type { ConnectionsOptions } from './assembly.ts';
import { assemble } from './assembly.ts';
import { BY_PEER, BY_RESET, NO_MEMORY } from './close-reason.ts';
import {
  AWAITED,
  BODY_PAUSED,
  CLOSE_AFTER_SEND,
  type ConnectionTable,
  DEFERRED,
  isLeaving,
  LINGER_AFTER_SEND,
  LINGERING,
  OPEN,
  PEER_ENDED,
  RAW,
  RECV_CANCELLED,
  RECV_IN_FLIGHT,
  SUSPENDED,
  TERMINATING,
} from './connection-table.ts';
import type { Deadlines } from './deadlines.ts';
import { DropSide } from './drop-side.ts';
import type { Ending } from './ending.ts';
import type { Exchanges } from './exchanges.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { RawSide } from './raw-side.ts';
import type { RecvSide } from './recv-side.ts';
import type { RequestSide } from './request-side.ts';
import type { ResponseSide } from './response-side.ts';
import type { SendSide } from './send-side.ts';
import { SEND_DRAINED, SEND_FAILED } from './send-side.ts';
import type { TaskSide } from './task-side.ts';
import type { Travel } from './travel.ts';
import type { Waiting } from './waiting.ts';

export class Connections {
  readonly table: ConnectionTable;
  /** Takes the results of tasks. */
  readonly tasks: TaskSide;
  /** How connections come and go between threads. */
  readonly travel: Travel;
  /** Those of protocols other than HTTP. */
  readonly raw: RawSide;
  /** How they end when the server does. */
  readonly ending: Ending;
  readonly #loop: Loop;
  readonly #io: Io;
  readonly #counters: Counters;
  readonly #sendSide: SendSide;
  readonly #recvSide: RecvSide;
  readonly #dropSide: DropSide;
  readonly #lifecycle: Lifecycle;
  readonly #exchanges: Exchanges;
  readonly #deadlines: Deadlines;
  readonly #responseSide: ResponseSide;
  readonly #requestSide: RequestSide;
  readonly #waiting: Waiting;
  readonly #date: DateField;
  // Connections whose unread bytes are looked at in the deferred phase: those with the flag
  // DEFERRED.
  readonly #deferred: SlotQueue;

  constructor(options: ConnectionsOptions) {
    const { loop, counters, capacity } = options;
    this.#loop = loop;
    this.#io = loop.io;
    this.#counters = counters;
    const parts = assemble(options, {
      onBodyWanted: (slot) => this.#onBodyWanted(slot),
      onProgress: (slot) => this.#onProgress(slot),
      onArrival: (slot) => this.#defer(slot),
    });
    this.table = parts.memory.table;
    this.#date = parts.date;
    this.#exchanges = parts.exchanges;
    this.#deadlines = parts.deadlines;
    this.#sendSide = parts.sendSide;
    this.#recvSide = parts.recvSide;
    this.#dropSide = new DropSide(this.#io, this.table, parts.recvSide);
    this.#lifecycle = parts.lifecycle;
    this.#responseSide = parts.responseSide;
    this.#requestSide = parts.requestSide;
    this.#waiting = parts.waiting;
    this.raw = parts.rawSide;
    this.travel = parts.travel;
    this.ending = parts.ending;
    this.tasks = parts.requestSide.tasks;
    this.#deferred = new SlotQueue(capacity);
  }

  /** An accept has answered `fd` for a reserved slot. */
  open(slot: number, fd: number): void {
    this.table.setFd(slot, fd);
    this.table.setState(slot, OPEN);
    count(this.#counters, Counter.connectionsAccepted);
    countUp(this.#counters, Counter.connectionsOpen, Counter.connectionsOpenMax);
    this.#deadlines.open(slot);
    if (this.table.protocol(slot) !== 0) this.raw.open(slot);
    if (this.table.state(slot) === OPEN && !this.#waits(slot)) this.#recvSide.arm(slot);
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
    if (operation === RECV) this.#onRecv(slot, io.result, io.buffer, io.more);
    else if (operation === SEND) this.#onSend(slot, io.result);
    else if (operation === CLOSE) this.#lifecycle.onClosed(slot);
    else unreachable(operation as never);
  }

  beginTick(): void {
    this.#date.set(this.#loop.clock.unixSeconds);
  }

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

  runSends(): void {
    this.#sendSide.flush();
  }

  /** True exactly when something was written or put off: the thread must not sleep. */
  get hasWork(): boolean {
    return this.#sendSide.isQueued || this.#deferred.count > 0;
  }

  /** The release phase of a tick. */
  runReleases(): void {
    let slot = this.#recvSide.feed();
    for (; slot !== NONE; slot = this.#recvSide.feed()) {
      if (this.table.state(slot) === TERMINATING) this.#lifecycle.terminateJoin(slot);
      else this.travel.tryLeave(slot);
    }
  }

  /** It is time to look what the connection waits for. */
  onTimer(slot: number): void {
    if (this.table.state(slot) === OPEN) {
      if (this.#waiting.look(slot)) this.#afterServe(slot);
    } else if (this.table.state(slot) === LINGERING) {
      this.#lifecycle.terminate(slot, this.table.reason(slot));
    }
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
        if (this.#waits(slot)) this.#hold(slot, buffer, size, more);
        else if (this.#dropSide.isDropping(slot)) this.#dropSide.drop(slot, buffer, size, more);
        else {
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
    if (this.#recvSide.hold(slot, buffer, size, more)) this.travel.tryLeave(slot);
    else {
      this.#io.releaseBuffer(buffer);
      this.#lifecycle.terminate(slot, NO_MEMORY);
    }
  }

  // True exactly when it is not time for bytes that arrive, or they are for another thread.
  #waits(slot: number): boolean {
    const flags = this.table.flags(slot);
    return (flags & (SUSPENDED | BODY_PAUSED | DEFERRED)) !== 0 || isLeaving(flags);
  }

  // The receive was cancelled because bytes came too early; they may have been served by now.
  #onRecvCancelled(slot: number): void {
    const state = this.table.state(slot);
    if (state === LINGERING) this.#recvSide.arm(slot);
    else if (state !== OPEN || this.#waits(slot)) this.travel.tryLeave(slot);
    else if (this.#dropSide.isDropping(slot)) this.#dropSide.watch(slot);
    else this.#recvSide.arm(slot);
  }

  // Goes on with the bytes that were kept, and then with the buffers that were held.
  #serveUnread(slot: number): void {
    const recvSide = this.#recvSide;
    if (isLeaving(this.table.flags(slot))) {
      this.travel.tryLeave(slot);
      return;
    }
    if (this.table.has(slot, RAW)) this.raw.goOn(slot);
    else if (this.#dropSide.isDropping(slot)) this.table.clearFlag(slot, SUSPENDED | BODY_PAUSED);
    else if (recvSide.hasUnread(slot)) {
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
    return (
      this.table.state(slot) === OPEN && !this.#waits(slot) && !this.#dropSide.isDropping(slot)
    );
  }

  #serveBuffer(slot: number, buffer: number, size: number): void {
    const recvSide = this.#recvSide;
    const start = this.#io.bufferOffset(buffer);
    if (this.table.has(slot, RAW)) {
      this.raw.onData(slot, start, start + size);
      this.#io.releaseBuffer(buffer);
      return;
    }
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
    else if (this.#dropSide.isDropping(slot)) {
      // Bytes after the last request would make the kernel answer a close with a reset.
      table.setFlag(slot, LINGER_AFTER_SEND);
      this.#recvSide.forgetUnread(slot);
    } else if (!this.#recvSide.keep(slot, at, end, this.#requestSide.parser)) {
      this.#lifecycle.terminate(slot, NO_MEMORY);
    }
  }

  // What the connection waits for now.
  #afterServe(slot: number): void {
    const { table } = this;
    if (table.state(slot) !== OPEN) return;
    if (isLeaving(table.flags(slot))) this.travel.tryLeave(slot);
    else if (table.has(slot, SUSPENDED) && !this.#dropSide.isDropping(slot)) {
      if (this.#waiting.isAwaited(slot)) count(this.#counters, Counter.suspended);
      else this.#lifecycle.terminate(slot, NO_MEMORY);
    } else if (this.#dropSide.isDropping(slot)) {
      table.clearFlag(slot, SUSPENDED | BODY_PAUSED);
      if (this.#recvSide.release(slot)) table.setFlag(slot, LINGER_AFTER_SEND);
      if (!this.#waiting.isAwaited(slot)) this.#lifecycle.finish(slot);
      else if (table.has(slot, AWAITED) && table.has(slot, PEER_ENDED)) this.#onPeerEnded(slot);
      else this.#dropSide.watch(slot);
    } else if (!table.has(slot, BODY_PAUSED)) {
      if (table.has(slot, PEER_ENDED)) this.#onPeerEnded(slot);
      else this.#recvSide.arm(slot);
    }
    this.#waiting.note(slot);
  }

  // The handler waits for bytes: those that were held back, or others.
  #onBodyWanted(slot: number): void {
    this.#responseSide.pump(slot);
    this.#onProgress(slot);
    this.#waiting.note(slot);
  }

  // Exchanges have made progress: bytes that wait may be looked at again, and without a send in
  // flight nothing else would look at what comes after the last response.
  #onProgress(slot: number): void {
    if (this.table.state(slot) !== OPEN) return;
    const waits = this.table.has(slot, SUSPENDED | BODY_PAUSED);
    if (waits || !this.#waiting.isAwaited(slot)) this.#defer(slot);
  }

  // The peer ended its side (RFC 9112 9.5): what it asked for before, it still gets.
  #onPeerEnded(slot: number): void {
    const { table } = this;
    table.setFlag(slot, PEER_ENDED);
    if (table.state(slot) === LINGERING) {
      this.#lifecycle.terminate(slot, table.reason(slot));
      return;
    }
    this.travel.tryLeave(slot);
    if (table.state(slot) !== OPEN || this.#waits(slot)) return;
    if (table.has(slot, RAW)) {
      this.raw.onPeerEnded(slot);
      return;
    }
    const receiving = this.#exchanges.receiving(slot);
    // The body is incomplete: RFC 9112 section 8.
    if (receiving !== undefined) this.#requestSide.bodySide.break(slot, receiving, 400, BY_PEER);
    if (table.state(slot) !== OPEN) return;
    if (this.#waiting.isAwaited(slot)) {
      this.#loop.userCodeRan();
      this.#exchanges.peerEnded(slot);
      table.setFlag(slot, CLOSE_AFTER_SEND);
      // The rest of a head will not come, and is not late.
      this.#recvSide.forgetUnread(slot);
      this.#waiting.note(slot);
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
    if (table.state(slot) !== OPEN || sent !== SEND_DRAINED) return;
    if (table.has(slot, AWAITED)) this.#responseSide.pump(slot);
    else if (table.has(slot, RAW)) this.raw.onSent(slot);
    if (table.state(slot) !== OPEN) return;
    if (this.#dropSide.isDropping(slot) && !this.#waiting.isAwaited(slot))
      this.#lifecycle.finish(slot);
    else {
      if (table.has(slot, SUSPENDED)) this.#defer(slot);
      this.travel.tryLeave(slot);
      this.#waiting.note(slot);
    }
  }

  #defer(slot: number): void {
    const table = this.table;
    if (table.has(slot, DEFERRED)) return;
    table.setFlag(slot, DEFERRED);
    this.#deferred.push(slot);
  }
}
