// The world of the contract suite, simulated: its peers, descriptors and time.

import { notEqual } from 'node:assert/strict';
import type { Peer, World } from '../contract/world.ts';
import { NO_FAULTS } from './faults.ts';
import { Kernel } from './kernel.ts';
import { Random } from './random.ts';
import { Socket } from './socket.ts';

const PIPE_SIZE = 1 << 18;

class SimPeer implements Peer {
  readonly #kernel: Kernel;
  readonly #socket: Socket;

  constructor(kernel: Kernel, socket: Socket) {
    this.#kernel = kernel;
    this.#socket = socket;
  }

  send(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    for (let sent = 0; sent < bytes.length; this.#kernel.progressOne()) {
      sent += this.#socket.peerSend(bytes.subarray(sent));
    }
  }

  recv(sizeMax = 65536): string {
    while (this.#socket.toPeer.size === 0 && !this.#socket.peerSawEnd) {
      notEqual(this.#kernel.progressOne(), false, 'the peer would wait for ever');
    }
    return this.#socket.peerRead(sizeMax).toString('latin1');
  }

  hasBytes(): boolean {
    return this.#socket.toPeer.size > 0 || this.#socket.peerSawEnd;
  }

  recvExactly(size: number): string {
    let text = '';
    while (text.length < size) {
      const part = this.recv(size - text.length);
      if (part === '') break;
      text += part;
    }
    return text;
  }

  endSending(): void {
    this.#socket.peerEnd();
  }

  close(): void {
    this.#socket.peerClose();
  }

  reset(): void {
    this.#socket.peerReset();
  }
}

export class SimWorld implements World {
  readonly kernel = new Kernel(new Random(1));

  listen(): number {
    return this.kernel.openListener();
  }

  connect(listenerFd: number, receiveBuffer = 0): Peer {
    const toPeer = receiveBuffer > 0 ? receiveBuffer : PIPE_SIZE;
    const { random } = this.kernel;
    const socket = new Socket({ toServer: PIPE_SIZE, toPeer }, random, NO_FAULTS);
    const listener = this.kernel.file(listenerFd);
    if (listener?.kind !== 'listener') throw new Error('nobody listens');
    listener.backlog.push(socket);
    return new SimPeer(this.kernel, socket);
  }

  openEventfd(): number {
    return this.kernel.openEventfd();
  }

  signal(fd: number): void {
    this.kernel.writeEventfd(fd);
  }

  close(fd: number): void {
    this.kernel.close(fd);
  }

  isOpen(fd: number): boolean {
    return this.kernel.file(fd) !== undefined;
  }

  isNoDelay(): boolean {
    return true;
  }

  passTime(ms: number): void {
    this.kernel.nowMs += ms;
  }
}
