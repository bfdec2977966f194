// What a thread must never do to its connections, checked at each of its calls, and what it owes to
// a client, checked when a connection ends. A worker has some of them for a time: the checks of all
// threads share what they know of a connection.

import type { Clock } from '../../src/base/clock.ts';
import { msBetween } from '../../src/base/clock.ts';
import { Counter } from '../../src/base/counters.ts';
import type { RequestOptions } from '../../src/base/options.ts';
import {
  BAD_REQUEST,
  BODY_TIMEOUT,
  BY_PEER,
  BY_RESET,
  DRAINING,
  HANDLER_FAILED,
  HANDLER_TIMEOUT,
  HEADER_TIMEOUT,
  IDLE,
  NO_MEMORY,
  SEND_TIMEOUT,
  SERVED,
  THREAD_DIED,
} from '../../src/connection/close-reason.ts';
import {
  ACCEPTING,
  type ConnectionTable,
  FREE,
  LINGERING,
  OPEN,
  TERMINATING,
} from '../../src/connection/connection-table.ts';
import type { Connections } from '../../src/connection/connections.ts';
import { LINGER_MS } from '../../src/connection/lifecycle.ts';
import { ACCEPT, CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { ECANCELED, ENOBUFS } from '../../src/kernel/errno.ts';
import { SHUT_WR } from '../../src/kernel/sockets.ts';
import { NONE } from '../../src/memory/pool.ts';
import type { Client } from './client.ts';
import type { Kernel } from './kernel.ts';
import { OPERATION_NAMES, type Operation } from './operation.ts';
import type { Ownership } from './ownership.ts';
import { DRAIN_TIMEOUT_MS } from './server-options.ts';
import type { IoChecks, SimIo } from './sim-io.ts';
import type { Socket } from './socket.ts';

const REASONS = new Map<number, string>([
  [SERVED, 'served'],
  [BY_PEER, 'by peer'],
  [BY_RESET, 'by reset'],
  [BAD_REQUEST, 'bad request'],
  [IDLE, 'idle'],
  [NO_MEMORY, 'no memory'],
  [DRAINING, 'draining'],
  [HEADER_TIMEOUT, 'header timeout'],
  [BODY_TIMEOUT, 'body timeout'],
  [SEND_TIMEOUT, 'send timeout'],
  [HANDLER_FAILED, 'handler failed'],
  [HANDLER_TIMEOUT, 'handler timeout'],
  [THREAD_DIED, 'thread died'],
]);

/** A connection, as the checks see it. */
export interface Link {
  readonly client: Client;
  readonly socket: Socket;
  readonly fd: number;
  /** The thread that accepted it, and its slot there. */
  readonly home: number;
  readonly slot: number;
  /** When the thread last learned that the peer sent something, or took all it was sent. */
  heardMs: number;
  /** When the head that has arrived in part began to arrive. */
  headSinceMs: number;
  wasLate: boolean;
  /** When the send block that is sent was begun. */
  sendSinceMs: number;
  /** Bytes of the peer that the thread has seen. */
  received: number;
  sawEnd: boolean;
  sawError: boolean;
  /** By the clock of the thread, which may be late by a jump. */
  lingersSinceMs: number | undefined;
  isJudged: boolean;
  /** The thread that has it, or undefined while it is on its way. */
  thread: number | undefined;
  /** When it came from another one, by the clock of the thread, until that hears of the peer. */
  arrivedMs: number | undefined;
  /** The worker that had it has died. */
  hasDied: boolean;
  /** The drain has ended it while a worker had it. */
  isForced: boolean;
  /** It has ended with a worker, for a reason that allows that the peer loses bytes. */
  mayLose: boolean;
}

/** By descriptor: the connections of all threads. */
export type Links = Map<number, Link>;

export interface ThreadFacts {
  readonly kernel: Kernel;
  /** Accept threads first. */
  readonly thread: number;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** Of a worker: once it has had a guest. */
  readonly connections: Connections | undefined;
  readonly io: SimIo;
  readonly counters: Float64Array;
  readonly requests: RequestOptions;
  /** When the thread began to drain, or undefined. */
  readonly drainsSinceMs: number | undefined;
  /** Of a worker: its guests go home, or end, because the server drains. */
  isRecalled(): boolean;
  clientOf(socket: Socket): Client;
  attach(client: Client, peer: Peer): void;
  /** A worker submits an operation of a guest: it may die here. */
  onGuestOperation?(): void;
  fail(message: string): never;
}

/** What the checks know of the peer of a connection. */
export interface Peer {
  isLate(): boolean;
  sawEnd(): boolean;
  /** Bytes that the server has seen of it. */
  received(): number;
}

export class ConnectionChecks implements IoChecks {
  readonly links: Links;
  #facts: ThreadFacts | undefined;

  constructor(links: Links) {
    this.links = links;
  }

  /** The thread is there: its `Io`, which needs this object, was made before it. */
  attach(facts: ThreadFacts): void {
    this.#facts = facts;
  }

  get #thread(): ThreadFacts {
    return this.#facts!;
  }

  get #table(): ConnectionTable {
    return this.#thread.connections!.table;
  }

  fail(message: string): never {
    return this.#thread.fail(message);
  }

  onSubmit(operation: Operation): void {
    const { fd, slot, generation } = operation;
    const kind = operation.operation;
    const table = this.#table;
    const name = OPERATION_NAMES[kind];
    const expect = (condition: boolean, message: string): void => {
      if (!condition) this.fail(`${name} of slot ${slot}, descriptor ${fd}: ${message}`);
    };
    expect(!this.#thread.io.isInFlight(kind, slot), 'one of its kind is in flight');
    expect(generation === table.generation(slot), 'the generation is not that of the slot');
    const state = table.state(slot);
    if (kind === ACCEPT) {
      expect(state === ACCEPTING, 'the slot is not reserved for it');
      return;
    }
    const link = this.links.get(fd);
    expect(link !== undefined && table.fd(slot) === fd, 'the descriptor is not that of the slot');
    this.#expectOwner(link!);
    this.#noteArrival(link!);
    if (link!.home !== this.#thread.thread) this.#thread.onGuestOperation?.();
    if (kind === CLOSE) {
      const { io } = this.#thread;
      const inFlight = io.isInFlight(RECV, slot) || io.isInFlight(SEND, slot);
      expect(state === TERMINATING, 'the connection does not end');
      expect(!inFlight, 'an operation of the slot is in flight');
      expect(link!.home === this.#thread.thread, 'it is not of the thread that accepted it');
      for (const each of this.#thread.kernel.ios) {
        // What a dead ring holds of it ends soon, if it is shut down.
        const ends = each.isDead && link!.socket.shutRead && link!.socket.shutWrite;
        expect(ends || !each.holds(fd), 'an operation is in flight on the descriptor');
      }
    } else {
      const can = state === OPEN || (kind === RECV && state === LINGERING);
      expect(can, `the state is ${state}`);
      if (kind === SEND && table.sendStart(slot) === 0) {
        link!.sendSinceMs = this.#thread.clock.nowMs;
      }
    }
  }

  #slot(link: Link): number {
    return link.home === this.#thread.thread ? link.slot : this.slotOf(link.fd);
  }

  /** The slot of a guest's descriptor, or NONE. */
  slotOf(fd: number): number {
    const { connections } = this.#thread;
    if (connections === undefined) return NONE;
    const { table } = connections;
    for (let slot = 0; slot < table.pool.capacity; slot++) {
      if (table.state(slot) !== FREE && table.fd(slot) === fd) return slot;
    }
    return NONE;
  }

  onDetach(fd: number): void {
    const link = this.links.get(fd);
    if (link === undefined) this.fail(`descriptor ${fd} goes, which is not open`);
    this.#expectOwner(link);
    const { io } = this.#thread;
    const slot = this.#slot(link);
    if (slot === NONE) this.fail(`descriptor ${fd} goes, which no slot has`);
    if (io.isInFlight(RECV, slot) || io.isInFlight(SEND, slot)) {
      this.fail(`descriptor ${fd} goes, and an operation is in flight`);
    }
    link.thread = undefined;
    link.client.conversation.onMoved();
    if (this.#table.state(slot) !== TERMINATING) return;
    this.#judge(link);
    link.mayLose = this.#mayLose(link);
  }

  #noteArrival(link: Link): void {
    const { thread, clock } = this.#thread;
    if (link.thread === thread) return;
    link.thread = thread;
    link.arrivedMs = clock.nowMs;
  }

  // At every moment one thread has a connection, and no other touches it.
  #expectOwner({ fd, home }: Link): void {
    const { kernel, ownership, thread, io } = this.#thread;
    const objection = ownership.objection(fd, thread, home);
    if (objection !== undefined) this.fail(`thread ${thread} uses descriptor ${fd}: ${objection}`);
    for (const each of kernel.ios) {
      if (each === io || each.isDead || !each.holds(fd)) continue;
      this.fail(`thread ${thread} uses descriptor ${fd}, and another one's ring holds it`);
    }
  }

  onShutdown(fd: number, how: number): void {
    const link = this.links.get(fd);
    if (link === undefined) this.fail(`shutdown of descriptor ${fd}, which is not open`);
    const { clock, drainsSinceMs, ownership, thread } = this.#thread;
    if (link.home === thread && ownership.objection(fd, thread, thread) !== undefined) {
      // The drain ends what is away: whoever has it sees its end.
      const isForced =
        drainsSinceMs !== undefined && msBetween(drainsSinceMs, clock.nowMs) >= DRAIN_TIMEOUT_MS;
      if (!isForced) this.fail(`shutdown of descriptor ${fd}, which is away`);
      link.isForced = true;
      return;
    }
    this.#expectOwner(link);
    // What the ring of a dead worker may hold is to end.
    if (link.hasDied && this.#reason(link) === 0) return;
    if (how !== SHUT_WR) {
      this.#judge(link);
      return;
    }
    if (this.#thread.io.find(SEND, this.#slot(link)) !== undefined) {
      this.fail(`the server ends its side of descriptor ${fd} during a send`);
    }
    link.lingersSinceMs = this.#thread.clock.nowMs;
    if (this.#reason(link) === DRAINING) this.#judgeAnswers(link);
  }

  onAccepted(socket: Socket, fd: number, slot: number): void {
    const client = this.#thread.clientOf(socket);
    if (this.links.has(fd)) this.fail(`descriptor ${fd} is given away twice`);
    const link: Link = {
      client,
      socket,
      fd,
      home: this.#thread.thread,
      slot,
      heardMs: this.#thread.kernel.nowMs,
      headSinceMs: this.#thread.kernel.nowMs,
      wasLate: false,
      sendSinceMs: this.#thread.kernel.nowMs,
      received: 0,
      sawEnd: false,
      sawError: false,
      lingersSinceMs: undefined,
      isJudged: false,
      thread: this.#thread.thread,
      arrivedMs: undefined,
      hasDied: false,
      isForced: false,
      mayLose: false,
    };
    this.links.set(fd, link);
    this.#thread.attach(client, {
      isLate: () => this.#isHeadLate(link) || this.#isBodyLate(link),
      sawEnd: () => link.sawEnd,
      received: () => link.received,
    });
  }

  onReaped(socket: Socket, operation: number, result: number, isShort: boolean): void {
    const { nowMs } = this.#thread.kernel;
    for (const link of this.links.values()) {
      if (link.socket !== socket) continue;
      if (result > 0) {
        if (operation === RECV) this.#onReceived(link, result);
        if (operation === RECV || !isShort) {
          link.heardMs = nowMs;
          link.arrivedMs = undefined;
        }
      } else if (result === 0 && operation === RECV) link.sawEnd = true;
      else if (result !== -ECANCELED && result !== -ENOBUFS) link.sawError = true;
    }
  }

  onClose(socket: Socket, fd: number, slot: number): void {
    const link = this.links.get(fd);
    const isOwn = link?.home === this.#thread.thread && link.slot === slot;
    if (link === undefined || !isOwn) this.fail(`a close of descriptor ${fd}`);
    this.#judge(link);
    this.#judgeLoss(link, socket);
    this.links.delete(fd);
  }

  // Once late, always late: the answer may go when the rest has arrived after all.
  #isHeadLate(link: Link): boolean {
    const { kernel, requests } = this.#thread;
    const waitedMs = kernel.nowMs - link.headSinceMs;
    const isLate = waitedMs >= requests.headerTimeoutMs;
    if (isLate && !link.client.conversation.isBetween(link.received)) link.wasLate = true;
    return link.wasLate;
  }

  // It was waited for since its request began to arrive, or later. One that comes slowly is late
  // without a long pause.
  #isBodyLate(link: Link): boolean {
    const { kernel, requests } = this.#thread;
    if (link.client.conversation.isBetween(link.received)) return link.wasLate;
    if (kernel.nowMs - link.headSinceMs >= requests.bodyTimeoutMs) link.wasLate = true;
    return link.wasLate;
  }

  #onReceived(link: Link, size: number): void {
    const { conversation } = link.client;
    this.#isHeadLate(link);
    this.#isBodyLate(link);
    const before = conversation.requestsWithin(link.received);
    const wasBetween = conversation.isBetween(link.received);
    link.received += size;
    if (wasBetween || conversation.requestsWithin(link.received) > before) {
      link.headSinceMs = this.#thread.kernel.nowMs;
    }
  }

  #reason(link: Link): number {
    const slot = this.#slot(link);
    return slot === NONE ? 0 : this.#table.reason(slot);
  }

  #complain(link: Link, message: string): never {
    const reason = REASONS.get(this.#reason(link)) ?? 'none';
    return this.fail(`client ${link.client.id}, which ends with reason "${reason}": ${message}`);
  }

  /** The connection ends now: is its reason true, and has the client what it is owed? */
  #judge(link: Link): void {
    if (link.isJudged) return;
    link.isJudged = true;
    const { client, socket } = link;
    const { conversation } = client;
    const { clock, counters, io, kernel, requests, drainsSinceMs } = this.#thread;
    const expect = (condition: boolean, message: string): void => {
      if (!condition) this.#complain(link, message);
    };
    switch (this.#reason(link)) {
      case SERVED:
      case BAD_REQUEST:
        expect(conversation.closed, 'no response announced the close');
        expect(conversation.isWhole, 'the last response is cut off');
        break;
      case BY_PEER:
        expect(link.sawEnd, 'the peer has not ended its side');
        if (!socket.resetByPeer && !link.isForced) this.#judgeAnswers(link);
        break;
      case BY_RESET:
        expect(link.sawError, 'no operation failed');
        break;
      case IDLE: {
        // What comes from another thread is not heard of behind a look at the clock.
        const hereMs = link.arrivedMs === undefined ? 0 : msBetween(link.arrivedMs, clock.nowMs);
        const silentMs = Math.max(kernel.nowMs - link.heardMs, hereMs);
        expect(silentMs >= requests.keepAliveTimeoutMs, `it was silent for ${silentMs} ms only`);
        const isSending = this.#thread.io.isInFlight(SEND, this.#slot(link));
        if (!isSending && !socket.resetByPeer) this.#judgeAnswers(link);
        break;
      }
      case BODY_TIMEOUT:
        expect(this.#isBodyLate(link), 'no body is late');
        break;
      case HEADER_TIMEOUT: {
        expect(this.#isHeadLate(link), 'no head is late');
        expect(conversation.closed, 'no response announced the close');
        expect(conversation.isWhole, 'the last response is cut off');
        break;
      }
      case SEND_TIMEOUT: {
        const waitedMs = msBetween(link.sendSinceMs, clock.nowMs);
        expect(waitedMs >= requests.sendTimeoutMs, `a block took ${waitedMs} ms only`);
        expect(this.#thread.io.isInFlight(SEND, this.#slot(link)), 'nothing is sent');
        break;
      }
      case NO_MEMORY: {
        const dry = counters[Counter.sendBlocksDry]! + counters[Counter.recvBlocksDry]!;
        const held = counters[Counter.recvBuffersHeldMax]!;
        const isFull = io.buffersHighWater === io.bufferCount;
        // Or what it has not read does not fit what it travels in. In lines nobody says so.
        const isLarge = [503, 101].includes(conversation.lastStatus);
        expect(dry + held > 0 || isFull || isLarge, 'there is memory');
        break;
      }
      case HANDLER_TIMEOUT:
        // Handlers have all the time that there is: it is a connection that no worker has taken.
        expect(counters[Counter.handOffsLate]! > 0, 'no hand-off is late');
        break;
      case THREAD_DIED:
        expect(link.hasDied, 'its worker lives');
        break;
      case DRAINING:
        expect(
          drainsSinceMs !== undefined || this.#thread.isRecalled(),
          'the server does not drain',
        );
        break;
      default:
        this.#complain(link, 'there is no reason');
    }
  }

  // Every request that the thread has seen to its end was answered, to its end.
  #judgeAnswers(link: Link): void {
    const { conversation } = link.client;
    if (conversation.closed) return;
    const asked = conversation.requestsWithin(link.received);
    const answered = conversation.responsesCount;
    // Who answers need not wait for the end of a body.
    const isEarly = answered === asked + 1 && conversation.exchanges[asked]?.requestBody !== '';
    if (answered !== asked && !isEarly)
      this.#complain(link, `${answered} of ${asked} requests were answered`);
    if (!conversation.isWhole) this.#complain(link, 'the last response is cut off');
  }

  // A close with unread bytes resets, and the peer may lose what it was sent.
  #judgeLoss(link: Link, socket: Socket): void {
    if (socket.toServer.size === 0 || socket.resetByPeer) return;
    if (!link.mayLose && !this.#mayLose(link)) {
      this.#complain(link, 'a reset destroys what it was sent');
    }
  }

  #mayLose(link: Link): boolean {
    const { clock, drainsSinceMs } = this.#thread;
    const { lingersSinceMs } = link;
    const drains = drainsSinceMs !== undefined;
    if (drains && msBetween(drainsSinceMs, clock.nowMs) >= DRAIN_TIMEOUT_MS) return true;
    const lingers = lingersSinceMs !== undefined;
    if (lingers && msBetween(lingersSinceMs, clock.nowMs) >= LINGER_MS) return true;
    switch (this.#reason(link)) {
      case IDLE:
      case SEND_TIMEOUT:
      case NO_MEMORY:
      case BY_RESET:
      case HANDLER_TIMEOUT:
      case THREAD_DIED:
        return true;
      case BODY_TIMEOUT:
        // A response that had begun is broken off.
        return !link.client.conversation.closed;
      case SERVED:
        // Documented: who sends behind its last request may lose the response to it.
        return link.client.sendsBehindEnd;
      default:
        return false;
    }
  }
}
