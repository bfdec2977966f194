// The contract of `Io`, as one suite that every backend runs, the simulated one included. A backend
// that cannot do a case names it in `skips`, with the reason.

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Io } from '../../src/io/io.ts';
import type { IoOptions } from '../../src/io/io-options.ts';
import { ACCEPT, CLOSE, RECV, SEND, TIMER, WAKEUP, WATCH } from '../../src/io/token.ts';
import { ECANCELED, ECONNRESET, EMFILE, ENOBUFS, EPIPE } from '../../src/kernel/errno.ts';
import { SHUT_RDWR } from '../../src/kernel/sockets.ts';
import type { Peer, World } from './world.ts';

export type MakeIo = (options: IoOptions, world: World) => Io;

export interface Result {
  operation: number;
  slot: number;
  generation: number;
  result: number;
  text: string;
  more: boolean;
}

const OPTIONS: IoOptions = {
  submissions: 8,
  completions: 64,
  recvBuffers: 4,
  recvBufferSize: 4096,
  blocksSize: 1 << 20,
};

/** What a case works with: an `Io`, a listener, and helpers that wait without a time limit. */
export class Bench {
  readonly io: Io;
  readonly world: World;
  readonly listenerFd: number;

  constructor(io: Io, world: World) {
    this.io = io;
    this.world = world;
    this.listenerFd = world.listen();
  }

  /** A peer that has connected and was not accepted yet. */
  peer(receiveBuffer = 0): Peer {
    return this.world.connect(this.listenerFd, receiveBuffer);
  }

  /** The next completion; its buffer, if any, is read and given back. */
  next(): Result {
    while (!this.io.nextCompletion()) this.io.submitAndWait(true);
    return this.#read();
  }

  /** Every completion that is there without sleeping. */
  poll(): Result[] {
    const results: Result[] = [];
    this.io.submitAndWait(false);
    while (this.io.nextCompletion()) results.push(this.#read());
    return results;
  }

  #read(): Result {
    const { io } = this;
    let text = '';
    if (io.buffer >= 0) {
      const offset = io.bufferOffset(io.buffer);
      text = Buffer.from(io.memory.bytes.slice(offset, offset + io.result)).toString('latin1');
      io.releaseBuffer(io.buffer);
    }
    const { operation, slot, generation, result, more } = io;
    return { operation, slot, generation, result, text, more };
  }

  /** A connection: the peer's end, and the descriptor that was accepted. */
  connect(receiveBuffer = 0): { peer: Peer; fd: number } {
    const peer = this.peer(receiveBuffer);
    this.io.accept(this.listenerFd, 0, 0);
    const { operation, result } = this.next();
    equal(operation, ACCEPT);
    ok(result >= 0);
    return { peer, fd: result };
  }

  write(text: string): { offset: number; size: number } {
    const offset = this.io.memory.blocksOffset;
    this.io.memory.bytes.set(Buffer.from(text, 'latin1'), offset);
    return { offset, size: text.length };
  }

  close(): void {
    this.world.close(this.listenerFd);
    this.io.destroy();
  }
}

const cases: Record<string, (bench: Bench) => void> = {
  'accept answers a descriptor that has TCP_NODELAY from its listener': (bench) => {
    const { peer, fd } = bench.connect();
    equal(bench.world.isNoDelay(fd), true);
    bench.world.close(fd);
    peer.close();
  },

  'a completion carries the operation, slot and generation of its submission': (bench) => {
    const peer = bench.peer();
    bench.io.accept(bench.listenerFd, 0x12_3456, 0xab_cdef);
    const { operation, slot, generation, result } = bench.next();
    deepEqual([operation, slot, generation], [ACCEPT, 0x12_3456, 0xab_cdef]);
    bench.world.close(result);
    peer.close();
  },

  'accepts that wait are served one connection each, in any number': (bench) => {
    for (let slot = 0; slot < 4; slot++) bench.io.accept(bench.listenerFd, slot, 1);
    deepEqual(bench.poll(), []);
    equal(bench.io.inFlight, 4);
    const peers = [1, 2, 3, 4].map(() => bench.peer());
    const accepted = peers.map(() => bench.next());
    deepEqual(accepted.map((each) => each.slot).toSorted(), [0, 1, 2, 3]);
    equal(bench.io.inFlight, 0);
    for (const each of accepted) bench.world.close(each.result);
    for (const peer of peers) peer.close();
  },

  'a connection waits in the backlog until an accept is submitted': (bench) => {
    const peer = bench.peer();
    deepEqual(bench.poll(), []);
    bench.io.accept(bench.listenerFd, 0, 0);
    const { result } = bench.next();
    ok(result >= 0);
    bench.world.close(result);
    peer.close();
  },

  'a descriptor that was detached is silent until it is used again': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 1, 1, false);
    peer.send('before');
    equal(bench.next().text, 'before');
    bench.io.detach(fd);
    peer.send('meanwhile');
    deepEqual(bench.poll(), []);
    bench.io.recv(fd, 2, 5, false);
    const { slot, generation, text } = bench.next();
    deepEqual([slot, generation, text], [2, 5, 'meanwhile']);
    bench.io.detach(fd);
    bench.world.close(fd);
    peer.close();
  },

  'recv answers what arrived, once': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 7, 9, false);
    deepEqual(bench.poll(), []);
    peer.send('hello');
    const { operation, slot, generation, result, text } = bench.next();
    deepEqual([operation, slot, generation, result, text], [RECV, 7, 9, 5, 'hello']);
    peer.send('not asked for');
    deepEqual(bench.poll(), []);
    bench.world.close(fd);
    peer.close();
  },

  'recv of bytes that are there already completes': (bench) => {
    const { peer, fd } = bench.connect();
    peer.send('early');
    bench.io.recv(fd, 0, 0, false);
    equal(bench.next().text, 'early');
    bench.world.close(fd);
    peer.close();
  },

  'more bytes than a buffer holds arrive in order, a buffer at a time': (bench) => {
    const { peer, fd } = bench.connect();
    const sent = 'abcdefghij'.repeat(1000);
    peer.send(sent);
    let received = '';
    while (received.length < sent.length) {
      bench.io.recv(fd, 0, 0, false);
      const { text } = bench.next();
      ok(text.length <= OPTIONS.recvBufferSize);
      received += text;
    }
    equal(received, sent);
    bench.world.close(fd);
    peer.close();
  },

  'recv answers 0 when the peer ended its side': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 0, 0, false);
    peer.endSending();
    equal(bench.next().result, 0);
    bench.world.close(fd);
    peer.close();
  },

  'recv answers -ECONNRESET when the peer reset': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 0, 0, false);
    deepEqual(bench.poll(), []);
    peer.reset();
    equal(bench.next().result, -ECONNRESET);
    bench.world.close(fd);
  },

  'recv answers -ENOBUFS while every buffer is taken, and works again after a release': (bench) => {
    const { peer, fd } = bench.connect();
    const { io } = bench;
    const taken: number[] = [];
    for (let index = 0; index < OPTIONS.recvBuffers; index++) {
      peer.send('x');
      io.recv(fd, 0, 0, false);
      while (!io.nextCompletion()) io.submitAndWait(true);
      taken.push(io.buffer);
    }
    equal(io.buffersUsed, OPTIONS.recvBuffers);
    peer.send('y');
    io.recv(fd, 0, 0, false);
    equal(bench.next().result, -ENOBUFS);
    for (const buffer of taken) io.releaseBuffer(buffer);
    equal(io.buffersUsed, 0);
    io.recv(fd, 0, 0, false);
    equal(bench.next().text, 'y');
    equal(io.buffersHighWater, OPTIONS.recvBuffers);
    bench.world.close(fd);
    peer.close();
  },

  'send delivers the bytes': (bench) => {
    const { peer, fd } = bench.connect();
    const { offset, size } = bench.write('response');
    bench.io.send(fd, offset, size, 3, 4);
    const { operation, slot, generation, result } = bench.next();
    deepEqual([operation, slot, generation, result], [SEND, 3, 4, size]);
    equal(peer.recvExactly(size), 'response');
    bench.world.close(fd);
    peer.close();
  },

  'a send to a peer that does not read stays in flight, and goes on when it reads': (bench) => {
    const { peer, fd } = bench.connect(4096);
    const size = OPTIONS.blocksSize;
    let sent = 0;
    let rounds = 0;
    bench.io.memory.bytes.fill(
      120,
      bench.io.memory.blocksOffset,
      bench.io.memory.blocksOffset + size,
    );
    // Fill what the two sockets buffer, until a send does not complete at once.
    for (; rounds < 64; rounds++) {
      bench.io.send(fd, bench.io.memory.blocksOffset, size, 0, 0);
      const [done] = bench.poll();
      if (done === undefined) break;
      sent += done.result;
    }
    ok(rounds < 64);
    equal(bench.io.inFlight, 1);
    bench.io.recv(fd, 1, 1, false);
    deepEqual(bench.poll(), []);
    let received = 0;
    for (;;) {
      // Only the ring's own work may bring more: the peer must not wait for it.
      if (peer.hasBytes()) received += peer.recv(1 << 20).length;
      const [done] = bench.poll();
      if (done === undefined) continue;
      equal(done.operation, SEND);
      ok(done.result > 0);
      sent += done.result;
      break;
    }
    while (received < sent) received += peer.recv(1 << 20).length;
    equal(received, sent);
    bench.world.close(fd);
    peer.close();
  },

  'send to a peer that reset answers -EPIPE or -ECONNRESET, without a signal': (bench) => {
    const { peer, fd } = bench.connect();
    peer.reset();
    const { offset, size } = bench.write('x');
    bench.io.send(fd, offset, size, 0, 0);
    ok([-EPIPE, -ECONNRESET].includes(bench.next().result));
    bench.world.close(fd);
  },

  'close ends the descriptor and tells': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.close(fd, 5, 6);
    const { operation, slot, generation, result } = bench.next();
    deepEqual([operation, slot, generation, result], [CLOSE, 5, 6, 0]);
    equal(bench.world.isOpen(fd), false);
    equal(peer.recv(), '');
    peer.close();
  },

  'a cancelled recv completes with -ECANCELED and nothing else follows': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 1, 2, false);
    deepEqual(bench.poll(), []);
    bench.io.cancel(RECV, 1, 2);
    const { operation, slot, generation, result } = bench.next();
    deepEqual([operation, slot, generation, result], [RECV, 1, 2, -ECANCELED]);
    equal(bench.io.inFlight, 0);
    peer.send('x');
    deepEqual(bench.poll(), []);
    bench.world.close(fd);
    peer.close();
  },

  'a cancelled accept completes with -ECANCELED, the others stay': (bench) => {
    bench.io.accept(bench.listenerFd, 1, 1);
    bench.io.accept(bench.listenerFd, 2, 1);
    deepEqual(bench.poll(), []);
    bench.io.cancel(ACCEPT, 1, 1);
    const { slot, result } = bench.next();
    deepEqual([slot, result], [1, -ECANCELED]);
    const peer = bench.peer();
    const accepted = bench.next();
    equal(accepted.slot, 2);
    bench.world.close(accepted.result);
    peer.close();
  },

  'a cancel that names nothing in flight has no effect': (bench) => {
    bench.io.cancel(RECV, 1, 1);
    deepEqual(bench.poll(), []);
    deepEqual(bench.poll(), []);
  },

  'shutdown ends a recv that waits': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 0, 0, false);
    deepEqual(bench.poll(), []);
    bench.io.shutdown(fd, SHUT_RDWR);
    equal(bench.next().result, 0);
    bench.world.close(fd);
    peer.close();
  },

  'the timer completes once, and can be moved to an earlier time': (bench) => {
    bench.io.setTimer(3_600_000);
    deepEqual(bench.poll(), []);
    bench.io.setTimer(1);
    equal(bench.next().operation, TIMER);
    deepEqual(bench.poll(), []);
    bench.io.setTimer(0);
    equal(bench.next().operation, TIMER);
  },

  'the timer completes when its time has passed, without a sleep too': (bench) => {
    bench.io.setTimer(10);
    const results = bench.poll();
    bench.world.passTime(20);
    results.push(...bench.poll());
    deepEqual(
      results.map(({ operation }) => operation),
      [TIMER],
    );
  },

  'watch tells once that a descriptor is readable': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.watch(fd);
    deepEqual(bench.poll(), []);
    peer.send('x');
    equal(bench.next().operation, WATCH);
    deepEqual(bench.poll(), []);
    bench.world.close(fd);
    peer.close();
  },

  'every wake-up wakes, without being read': (bench) => {
    const fd = bench.world.openEventfd();
    bench.io.watchWakeups(fd);
    deepEqual(bench.poll(), []);
    for (let round = 0; round < 3; round++) {
      bench.world.signal(fd);
      equal(bench.next().operation, WAKEUP);
      deepEqual(bench.poll(), []);
    }
    bench.world.close(fd);
  },

  'more submissions than the queue holds are all taken, in order': (bench) => {
    const { peer, fd } = bench.connect();
    const { offset } = bench.write('abcdefghijklmnopqrstuvwxyz');
    for (let index = 0; index < 26; index++) bench.io.send(fd, offset + index, 1, index, 0);
    const slots = Array.from({ length: 26 }, () => bench.next().slot);
    deepEqual(
      slots,
      Array.from({ length: 26 }, (_, index) => index),
    );
    equal(peer.recvExactly(26), 'abcdefghijklmnopqrstuvwxyz');
    bench.world.close(fd);
    peer.close();
  },

  'a bad descriptor is a result, not an exception': (bench) => {
    bench.io.recv(1_000_000, 0, 0, false);
    const { operation, result } = bench.next();
    equal(operation, RECV);
    ok(result < 0);
    notEqual(result, -EMFILE);
  },
};

export function ioContract(
  backend: string,
  makeIo: MakeIo,
  makeWorld: () => World,
  skips: Record<string, string> = {},
): void {
  for (const [name, run] of Object.entries(cases)) {
    test(`${backend}: ${name}`, (context: TestContext) => {
      const reason = skips[name];
      if (reason !== undefined) return context.skip(reason);
      const world = makeWorld();
      const bench = new Bench(makeIo(OPTIONS, world), world);
      try {
        run(bench);
      } finally {
        bench.close();
      }
    });
  }
}
