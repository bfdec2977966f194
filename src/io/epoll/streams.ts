// RECV, SEND and CLOSE on descriptors: non-blocking calls, tried when there is a reason to.
//
// Why edge-triggered: a descriptor is put into the set once, when it is accepted, and then costs no
// epoll_ctl(2) however often it is received from. What is known of its readiness is kept in flags:
// a receive that did not fill its buffer has emptied the socket (epoll(7), "Do I need to
// continuously read/write a file descriptor until EAGAIN"), so one call serves a request, and the
// next waits for an event. A send is tried without an event: nearly always there is room. Only a
// send that found none asks for EPOLLOUT, from then on for the life of the descriptor; asked for at
// accept, each new connection would be an event of its own before it says anything.
//
// A run tries each listed descriptor once, in the order in which they were listed. One that has
// more to receive is listed again, behind all others: a busy one starves nobody.
//
// Data plane. Owner: one thread.

import { assert } from '../../base/assert.ts';
import type { Epoll } from '../../kernel/epoll.ts';
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from '../../kernel/epoll.ts';
import { EAGAIN, ECANCELED, EINTR, ENOBUFS } from '../../kernel/errno.ts';
import type { Mapping } from '../../kernel/mapping.ts';
import { closeStream, Message, recvStream } from '../../kernel/stream-calls.ts';
import { NONE } from '../../memory/pool.ts';
import type { RecvBuffers } from '../../memory/recv-buffers.ts';
import { CLOSE, RECV, SEND } from '../token.ts';
import type { CompletionQueue } from './completion-queue.ts';
import {
  BLOCKED,
  CLOSE_WAITS,
  type DescriptorTable,
  LISTED,
  OUT_ARMED,
  READ_ON,
  READABLE,
  RECV_CANCELLED,
  RECV_REPEATS,
  RECV_WAITS,
  SEND_CANCELLED,
  SEND_WAITS,
  STREAM,
} from './descriptor-table.ts';
import { SlotTable } from './slot-table.ts';

const STREAM_EVENTS = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
const ENDING = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const RECV_FLAGS = RECV_WAITS | RECV_REPEATS | RECV_CANCELLED;
const SEND_FLAGS = SEND_WAITS | SEND_CANCELLED;

export class Streams {
  readonly #epoll: Epoll;
  readonly #table: DescriptorTable;
  readonly #completions: CompletionQueue;
  readonly #buffers: RecvBuffers;
  readonly #addresses: readonly bigint[];
  readonly #bufferSize: bigint;
  readonly #mapping: Mapping;
  readonly #slots = new SlotTable();
  readonly #message = new Message();

  constructor(
    epoll: Epoll,
    table: DescriptorTable,
    completions: CompletionQueue,
    buffers: RecvBuffers,
    mapping: Mapping,
  ) {
    this.#epoll = epoll;
    this.#table = table;
    this.#completions = completions;
    this.#buffers = buffers;
    this.#mapping = mapping;
    this.#addresses = Array.from(
      { length: buffers.count },
      (_, index) => mapping.address + BigInt(buffers.offset(index)),
    );
    this.#bufferSize = BigInt(buffers.bufferSize);
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    const error = this.own(fd, slot, generation);
    if (error !== 0) {
      this.#completions.push(RECV, slot, generation, error, NONE, false);
      return;
    }
    const table = this.#table;
    assert((table.flags(fd) & RECV_WAITS) === 0, 'a descriptor has one receive in flight');
    table.setRecv(fd, slot, generation);
    table.setFlag(fd, repeat ? RECV_WAITS | RECV_REPEATS : RECV_WAITS);
    this.#slots.set(RECV, slot, fd);
    if ((table.flags(fd) & READABLE) !== 0) table.list(fd);
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    assert(size > 0, 'a send has bytes');
    const error = this.own(fd, slot, generation);
    if (error !== 0) {
      this.#completions.push(SEND, slot, generation, error, NONE, false);
      return;
    }
    const table = this.#table;
    if ((table.flags(fd) & SEND_WAITS) !== 0) this.#trySend(fd);
    assert((table.flags(fd) & SEND_WAITS) === 0, 'a descriptor has one send that waits');
    table.setSend(fd, slot, generation, offset, size);
    table.setFlag(fd, SEND_WAITS);
    this.#slots.set(SEND, slot, fd);
    if ((table.flags(fd) & BLOCKED) === 0) table.list(fd);
  }

  close(fd: number, slot: number, generation: number): void {
    const table = this.#table;
    if ((table.flags(fd) & STREAM) === 0) {
      const result = closeStream(table.makePointer(fd));
      this.#completions.push(CLOSE, slot, generation, result, NONE, false);
      return;
    }
    assert((table.flags(fd) & CLOSE_WAITS) === 0, 'a descriptor is closed once');
    table.setClose(fd, slot, generation);
    table.setFlag(fd, CLOSE_WAITS);
    table.list(fd);
  }

  detach(fd: number): void {
    const table = this.#table;
    const flags = table.flags(fd);
    if ((flags & STREAM) === 0) return;
    assert((flags & (RECV_WAITS | SEND_WAITS | CLOSE_WAITS)) === 0, 'nothing waits on what leaves');
    this.#epoll.remove(fd, table.pointer(fd));
    table.clearFlag(fd, ~LISTED);
  }

  cancel(operation: number, slot: number, generation: number): void {
    const table = this.#table;
    const fd = this.#slots.fd(operation, slot);
    const flags = table.flags(fd);
    if (operation === RECV) {
      if ((flags & RECV_WAITS) === 0) return;
      if (table.recvSlot(fd) !== slot || table.recvGeneration(fd) !== generation) return;
      table.setFlag(fd, RECV_CANCELLED);
    } else {
      if ((flags & SEND_WAITS) === 0) return;
      if (table.sendSlot(fd) !== slot || table.sendGeneration(fd) !== generation) return;
      table.setFlag(fd, SEND_CANCELLED);
    }
    table.list(fd);
  }

  /** Makes sure that the set has the descriptor. Answers 0, or an error number negated. */
  own(fd: number, slot: number, generation: number): number {
    return this.#table.isOwner(fd, slot, generation) ? 0 : this.#enter(fd, slot, generation);
  }

  /** The events that are asked for of a stream. */
  events(fd: number): number {
    const armed = (this.#table.flags(fd) & OUT_ARMED) !== 0;
    return armed ? STREAM_EVENTS | EPOLLOUT : STREAM_EVENTS;
  }

  onEvent(fd: number, events: number): void {
    const table = this.#table;
    if ((events & (EPOLLIN | ENDING)) !== 0) table.setFlag(fd, READABLE);
    if ((events & ENDING) !== 0) table.setFlag(fd, READ_ON);
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0) table.clearFlag(fd, BLOCKED);
    const flags = table.flags(fd);
    const receives = (flags & RECV_WAITS) !== 0 && (flags & READABLE) !== 0;
    if (receives || ((flags & SEND_WAITS) !== 0 && (flags & BLOCKED) === 0)) table.list(fd);
  }

  /** Tries each descriptor that is listed now, while there is room for completions. */
  run(): void {
    const table = this.#table;
    for (let left = table.listed; left > 0 && !this.#completions.isFull; left--) {
      const fd = table.unlist();
      const flags = table.flags(fd);
      if ((flags & SEND_WAITS) !== 0 && (flags & (BLOCKED | SEND_CANCELLED)) !== BLOCKED) {
        this.#trySend(fd);
      }
      if ((flags & RECV_WAITS) !== 0) this.#tryRecv(fd, flags);
      if ((flags & CLOSE_WAITS) !== 0) this.#close(fd);
    }
  }

  /** Control plane. */
  destroy(): void {
    this.#message.release();
  }

  #trySend(fd: number): void {
    const table = this.#table;
    if ((table.flags(fd) & SEND_CANCELLED) !== 0) {
      this.#endSend(fd, -ECANCELED);
      return;
    }
    const { addressLow, addressHigh } = this.#mapping;
    const low = (addressLow + table.sendOffset(fd)) | 0;
    const result = this.#message.send(table.pointer(fd), low, addressHigh, table.sendSize(fd));
    if (result === -EAGAIN) this.#block(fd);
    else if (result === -EINTR) table.list(fd);
    else this.#endSend(fd, result);
  }

  #endSend(fd: number, result: number): void {
    const table = this.#table;
    table.clearFlag(fd, SEND_FLAGS);
    this.#completions.push(SEND, table.sendSlot(fd), table.sendGeneration(fd), result, NONE, false);
  }

  // Modifying tells what the descriptor is ready for now: room that came meanwhile is not missed.
  #block(fd: number): void {
    const table = this.#table;
    table.setFlag(fd, BLOCKED);
    if ((table.flags(fd) & OUT_ARMED) !== 0) return;
    table.setFlag(fd, OUT_ARMED);
    this.#epoll.modify(fd, table.pointer(fd), this.events(fd));
  }

  #tryRecv(fd: number, flags: number): void {
    const table = this.#table;
    if ((flags & RECV_CANCELLED) !== 0) {
      this.#endRecv(fd, -ECANCELED, NONE);
      return;
    }
    if ((flags & READABLE) === 0) return;
    const buffers = this.#buffers;
    const buffer = buffers.takeSpare();
    if (buffer === NONE) {
      this.#endRecv(fd, -ENOBUFS, NONE);
      return;
    }
    const size = recvStream(table.pointer(fd), this.#addresses[buffer]!, this.#bufferSize);
    if (size > 0) {
      buffers.lend(buffer);
      if (size < buffers.bufferSize && (flags & READ_ON) === 0) table.clearFlag(fd, READABLE);
      this.#received(fd, flags, size, buffer);
      return;
    }
    buffers.putBack(buffer);
    if (size === -EAGAIN) table.clearFlag(fd, READABLE | READ_ON);
    else if (size === -EINTR) table.list(fd);
    else this.#endRecv(fd, size, NONE);
  }

  #received(fd: number, flags: number, size: number, buffer: number): void {
    if ((flags & RECV_REPEATS) === 0) {
      this.#endRecv(fd, size, buffer);
      return;
    }
    const table = this.#table;
    const slot = table.recvSlot(fd);
    this.#completions.push(RECV, slot, table.recvGeneration(fd), size, buffer, true);
    if ((table.flags(fd) & READABLE) !== 0) table.list(fd);
  }

  #endRecv(fd: number, result: number, buffer: number): void {
    const table = this.#table;
    table.clearFlag(fd, RECV_FLAGS);
    const slot = table.recvSlot(fd);
    this.#completions.push(RECV, slot, table.recvGeneration(fd), result, buffer, false);
  }

  // close(2) takes the descriptor out of the set by itself.
  #close(fd: number): void {
    const table = this.#table;
    const slot = table.closeSlot(fd);
    const generation = table.closeGeneration(fd);
    table.clearFlag(fd, CLOSE_WAITS);
    this.#endWaiting(fd);
    table.clearFlag(fd, ~LISTED);
    const result = closeStream(table.pointer(fd));
    this.#completions.push(CLOSE, slot, generation, result, NONE, false);
  }

  // What waits on a descriptor that goes, or has gone, ends with it.
  #endWaiting(fd: number): void {
    const flags = this.#table.flags(fd);
    if ((flags & SEND_WAITS) !== 0) this.#endSend(fd, -ECANCELED);
    if ((flags & RECV_WAITS) !== 0) this.#endRecv(fd, -ECANCELED, NONE);
  }

  // Once for each accepted connection, and where a descriptor comes from elsewhere. If the set does
  // not have the descriptor, whatever is known of its number was another's.
  #enter(fd: number, slot: number, generation: number): number {
    const table = this.#table;
    const pointer = table.makePointer(fd);
    const flags = table.flags(fd);
    const error = this.#epoll.add(fd, pointer, STREAM_EVENTS);
    if (error === 0) {
      assert((flags & CLOSE_WAITS) === 0, 'a descriptor is closed in one place');
      this.#endWaiting(fd);
      table.enter(fd, pointer, slot, generation);
      table.clearFlag(fd, ~LISTED);
    } else {
      if (this.#epoll.modify(fd, pointer, this.events(fd)) !== 0) return error;
      table.enter(fd, pointer, slot, generation);
    }
    table.setFlag(fd, STREAM);
    return 0;
  }
}
