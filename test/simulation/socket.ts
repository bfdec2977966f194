// A simulated TCP connection: two pipes of bounded size between the descriptor in the server and
// the peer, and what an end or a reset of either side does to the other.

import type { Faults } from './faults.ts';
import type { Random } from './random.ts';

/** Bytes on their way in one direction. */
export class Pipe {
  readonly capacity: number;
  readonly #bytes: Buffer;
  #start = 0;
  #end = 0;
  /** No byte follows: the writing side has ended. */
  ended = false;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = Buffer.alloc(capacity);
  }

  get size(): number {
    return this.#end - this.#start;
  }

  get space(): number {
    return this.capacity - this.size;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.capacity) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Takes up to `size` bytes; the view is good until the next push. */
  take(size: number): Buffer {
    const start = this.#start;
    this.#start = Math.min(this.#end, start + size);
    return this.#bytes.subarray(start, this.#start);
  }

  /** Loses all bytes but the first `size`. */
  truncate(size: number): void {
    this.#end = Math.min(this.#end, this.#start + size);
  }
}

export interface SocketOptions {
  /** What the two pipes hold. */
  readonly toServer: number;
  readonly toPeer: number;
}

export class Socket {
  readonly kind = 'socket';
  readonly toServer: Pipe;
  readonly toPeer: Pipe;
  /** The peer has reset; the next operation is told, once. */
  resetByPeer = false;
  resetTold = false;
  /** The peer was told by a reset that the server's end is gone. */
  resetByServer = false;
  /** What the server shut down. */
  shutRead = false;
  shutWrite = false;
  closed = false;
  /** The peer has closed its end altogether: what is sent to it is answered by a reset. */
  peerClosed = false;
  /** Sees every byte that the server's kernel takes for the peer. */
  onSent: ((bytes: Uint8Array) => void) | undefined;
  readonly #random: Random;
  readonly #faults: Faults;

  constructor(options: SocketOptions, random: Random, faults: Faults) {
    this.toServer = new Pipe(options.toServer);
    this.toPeer = new Pipe(options.toPeer);
    this.#random = random;
    this.#faults = faults;
  }

  get isReadable(): boolean {
    return this.toServer.size > 0 || this.toServer.ended || this.resetByPeer || this.shutRead;
  }

  get isWritable(): boolean {
    return this.toPeer.space > 0 || this.resetByPeer || this.shutWrite;
  }

  /** The server's kernel takes bytes for the peer. */
  send(bytes: Uint8Array): void {
    this.onSent?.(bytes);
    if (this.peerClosed) {
      this.resetByPeer = true;
      return;
    }
    this.toPeer.push(bytes);
  }

  /** close(2) of the server: an orderly end, or a reset if it has not read everything. */
  closeServer(): void {
    this.closed = true;
    if (this.toServer.size > 0) this.#resetPeer();
    else this.toPeer.ended = true;
  }

  /** The kernel gives up a connection that was not accepted. */
  abort(): void {
    this.closed = true;
    this.resetByServer = true;
  }

  /** The peer sends; answers how many bytes were taken. */
  peerSend(bytes: Uint8Array): number {
    if (this.closed) {
      this.#resetPeer();
      return bytes.length;
    }
    const taken = Math.min(bytes.length, this.toServer.space);
    this.toServer.push(bytes.subarray(0, taken));
    return taken;
  }

  peerRead(size: number): Buffer {
    return this.toPeer.take(size);
  }

  /** True exactly when the peer has read everything and knows that nothing follows. */
  get peerSawEnd(): boolean {
    return this.resetByServer || (this.toPeer.ended && this.toPeer.size === 0);
  }

  peerEnd(): void {
    this.toServer.ended = true;
  }

  peerClose(): void {
    this.peerClosed = true;
    if (this.toPeer.size > 0) this.peerReset();
    else this.peerEnd();
  }

  peerReset(): void {
    this.resetByPeer = true;
    this.peerClosed = true;
    if (this.#random.chance(this.#faults.resetLosesBytes)) this.toServer.truncate(0);
  }

  // What is on its way may be lost; what has arrived, the peer can still read.
  #resetPeer(): void {
    this.resetByServer = true;
    if (this.#random.chance(this.#faults.resetLosesBytes)) {
      this.toPeer.truncate(this.#random.below(this.toPeer.size + 1));
    }
  }
}

/** A listening socket. */
export class ListeningSocket {
  readonly kind = 'listener';
  readonly backlog: Socket[] = [];
  /** Since when SYNs are dropped, or undefined. */
  refusedAtMs: number | undefined;
  closed = false;
}

/** An eventfd that is never read, and what polls it. */
export class EventFile {
  readonly kind = 'eventfd';
  written = false;
  readonly polls = new Set<{ pending: boolean }>();
  closed = false;

  write(): void {
    this.written = true;
    for (const poll of this.polls) poll.pending = true;
  }
}

/** A descriptor that is readable when someone says so: the backend of Node's loop. */
export class FlagFile {
  readonly kind = 'flag';
  readable = false;
  closed = false;
}

export type File = Socket | ListeningSocket | EventFile | FlagFile;
