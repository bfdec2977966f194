// An `Io` without a kernel: connections are pairs of buffers in this process. With it the code that
// serves TCP serves a test, without a socket.
//
// It cannot sleep: when there is nothing to do it answers a WATCH completion, which makes the loop
// yield, and `waits` says so. Whoever runs the loop then calls it again when there may be more.
//
// Owner: one thread. Control plane: it serves tests, and allocates.

import { assert } from '../base/assert.ts';
import type { Io, IoMemory } from '../io/io.ts';
import { ACCEPT, CLOSE, RECV, SEND, TIMER, WATCH } from '../io/token.ts';
import { ECANCELED, ECONNRESET, EPIPE } from '../kernel/errno.ts';
import { SHUT_RDWR } from '../kernel/sockets.ts';

/** The client's end of a connection. */
export interface MemoryPeer {
  /** The server has sent bytes, which are the peer's. */
  onBytes(bytes: Buffer): void;
  /** The server has ended its side; nothing more comes. */
  onEnd(): void;
  /** The server has closed the connection, and forgotten it. */
  onClosed(): void;
}

interface Completion {
  readonly operation: number;
  readonly slot: number;
  readonly generation: number;
  readonly result: number;
  readonly buffer: number;
  readonly more: boolean;
}

interface Receive {
  readonly slot: number;
  readonly generation: number;
  readonly repeat: boolean;
}

interface Socket {
  readonly peer: MemoryPeer;
  /** Bytes of the client that were not received yet. */
  readonly unread: Buffer[];
  /** The client sends no more. */
  ended: boolean;
  /** The client has gone. */
  reset: boolean;
  /** The peer was told that nothing more comes. */
  closed: boolean;
  receive: Receive | undefined;
}

const NO_BUFFER = -1;

export interface MemoryIoOptions {
  readonly recvBuffers: number;
  readonly recvBufferSize: number;
  readonly blocksSize: number;
}

export class MemoryIo implements Io {
  readonly backend = 'epoll';
  readonly memory: IoMemory;
  readonly bufferCount: number;
  readonly bufferSize: number;
  operation = 0;
  slot = 0;
  generation = 0;
  result = 0;
  buffer = NO_BUFFER;
  more = false;
  buffersHighWater = 0;
  inFlight = 0;
  /** True exactly when the loop had nothing to do. */
  waits = false;
  /** Called when there is something to do, and the loop may wait. */
  onWork: () => void = () => {};
  readonly #completions: Completion[] = [];
  readonly #accepts: { readonly slot: number; readonly generation: number }[] = [];
  readonly #backlog: number[] = [];
  readonly #sockets = new Map<number, Socket>();
  readonly #free: number[];
  #nextFd = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor({ recvBuffers, recvBufferSize, blocksSize }: MemoryIoOptions) {
    const blocksOffset = recvBuffers * recvBufferSize;
    this.memory = { bytes: Buffer.alloc(blocksOffset + blocksSize), blocksOffset };
    this.bufferCount = recvBuffers;
    this.bufferSize = recvBufferSize;
    this.#free = Array.from({ length: recvBuffers }, (_, index) => index);
  }

  // What the client does.

  /** Opens a connection, and answers its name. */
  connect(peer: MemoryPeer): number {
    const fd = this.#nextFd++;
    const state = { ended: false, reset: false, closed: false, receive: undefined };
    this.#sockets.set(fd, { peer, unread: [], ...state });
    this.#backlog.push(fd);
    this.#acceptNext();
    this.onWork();
    return fd;
  }

  /** The client sends bytes. False when the server has closed the connection. */
  write(fd: number, bytes: Buffer): boolean {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return false;
    socket.unread.push(Buffer.from(bytes));
    this.#feed(socket);
    this.onWork();
    return true;
  }

  /** The client goes, whatever is under way: the server meets a reset. */
  reset(fd: number): void {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return;
    socket.reset = true;
    socket.unread.length = 0;
    this.#feed(socket);
    this.onWork();
  }

  /** The client sends no more. */
  end(fd: number): void {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return;
    socket.ended = true;
    this.#feed(socket);
    this.onWork();
  }

  // What the server does.

  get buffersUsed(): number {
    return this.bufferCount - this.#free.length;
  }

  get completionsReady(): number {
    return this.#completions.length;
  }

  accept(_listenerFd: number, slot: number, generation: number): void {
    this.inFlight++;
    this.#accepts.push({ slot, generation });
    this.#acceptNext();
  }

  recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    const socket = this.#socket(fd);
    assert(socket.receive === undefined, 'a descriptor has one RECV in flight');
    this.inFlight++;
    socket.receive = { slot, generation, repeat };
    this.#feed(socket);
  }

  send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    const socket = this.#socket(fd);
    this.inFlight++;
    const bytes = Buffer.from(this.memory.bytes.subarray(offset, offset + size));
    if (!socket.reset && !socket.closed) socket.peer.onBytes(bytes);
    this.#complete(SEND, slot, generation, socket.reset ? -EPIPE : size);
  }

  close(fd: number, slot: number, generation: number): void {
    const socket = this.#socket(fd);
    assert(socket.receive === undefined, 'nothing is in flight when a descriptor is closed');
    this.inFlight++;
    this.#sockets.delete(fd);
    this.#endPeer(socket);
    socket.peer.onClosed();
    this.#complete(CLOSE, slot, generation, 0);
  }

  detach(): void {
    assert(false, 'there is no other thread');
  }

  cancel(operation: number, slot: number, generation: number): void {
    if (operation === ACCEPT) {
      const index = this.#accepts.findIndex((each) => each.slot === slot);
      if (index < 0) return;
      this.#accepts.splice(index, 1);
      this.#complete(ACCEPT, slot, generation, -ECANCELED);
    } else if (operation === RECV) {
      for (const socket of this.#sockets.values()) {
        if (socket.receive?.slot !== slot || socket.receive.generation !== generation) continue;
        socket.receive = undefined;
        this.#complete(RECV, slot, generation, -ECANCELED);
      }
    }
  }

  shutdown(fd: number, how: number): void {
    const socket = this.#socket(fd);
    this.#endPeer(socket);
    if (how !== SHUT_RDWR) return;
    socket.ended = true;
    socket.unread.length = 0;
    this.#feed(socket);
  }

  setTimer(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#push({ operation: TIMER, slot: 0, generation: 0, result: 0 });
      this.onWork();
    }, delayMs);
    this.#timer.unref();
  }

  watch(): void {}
  watchWakeups(): void {}

  submitAndWait(wait: boolean): void {
    this.waits = wait && this.#completions.length === 0;
    if (this.waits) this.#push({ operation: WATCH, slot: 0, generation: 0, result: 0 });
  }

  get hasSubmissions(): boolean {
    return this.#completions.length > 0;
  }

  nextCompletion(): boolean {
    const completion = this.#completions.shift();
    if (completion === undefined) return false;
    this.operation = completion.operation;
    this.slot = completion.slot;
    this.generation = completion.generation;
    this.result = completion.result;
    this.buffer = completion.buffer;
    this.more = completion.more;
    if (completion.operation <= CLOSE && !completion.more) this.inFlight--;
    return true;
  }

  bufferOffset(buffer: number): number {
    return buffer * this.bufferSize;
  }

  takeBuffer(): number {
    return this.#free.pop() ?? NO_BUFFER;
  }

  releaseBuffer(buffer: number): void {
    this.#free.push(buffer);
    for (const socket of this.#sockets.values()) {
      if (socket.unread.length > 0) this.#feed(socket);
    }
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }

  #socket(fd: number): Socket {
    const socket = this.#sockets.get(fd);
    assert(socket !== undefined, 'the descriptor is open');
    return socket;
  }

  #acceptNext(): void {
    if (this.#backlog.length === 0 || this.#accepts.length === 0) return;
    const { slot, generation } = this.#accepts.shift()!;
    this.#complete(ACCEPT, slot, generation, this.#backlog.shift()!);
  }

  // Gives the receive of a socket what there is for it.
  #feed(socket: Socket): void {
    while (socket.receive !== undefined) {
      const { slot, generation, repeat } = socket.receive;
      if (socket.unread.length === 0) {
        if (!socket.ended && !socket.reset) return;
        socket.receive = undefined;
        this.#complete(RECV, slot, generation, socket.reset ? -ECONNRESET : 0);
        return;
      }
      const buffer = this.#free.pop();
      // Until one is released.
      if (buffer === undefined) return;
      this.buffersHighWater = Math.max(this.buffersHighWater, this.buffersUsed);
      const size = this.#fill(buffer, socket.unread);
      if (!repeat) socket.receive = undefined;
      this.#complete(RECV, slot, generation, size, buffer, repeat);
    }
  }

  #fill(buffer: number, unread: Buffer[]): number {
    const bytes = unread.shift()!;
    const size = Math.min(bytes.length, this.bufferSize);
    this.memory.bytes.set(bytes.subarray(0, size), this.bufferOffset(buffer));
    if (size < bytes.length) unread.unshift(bytes.subarray(size));
    return size;
  }

  #endPeer(socket: Socket): void {
    if (socket.closed) return;
    socket.closed = true;
    socket.peer.onEnd();
  }

  #complete(
    operation: number,
    slot: number,
    generation: number,
    result: number,
    buffer: number = NO_BUFFER,
    more = false,
  ): void {
    this.#push({ operation, slot, generation, result, buffer, more });
  }

  #push(completion: Partial<Completion> & Pick<Completion, 'operation' | 'slot'>): void {
    const rest = { generation: 0, result: 0, buffer: NO_BUFFER, more: false };
    this.#completions.push({ ...rest, ...completion });
  }
}
