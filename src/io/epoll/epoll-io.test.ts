// What only this backend promises. The rules of `Io` are tested in `test/contract/`.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { withDescriptorLimit } from '../../../test/support/descriptor-limit.ts';
import { RawPeer } from '../../../test/support/raw-peer.ts';
import { EMFILE } from '../../kernel/errno.ts';
import { openStreamPair } from '../../kernel/sockets.ts';
import { bindListeners, closeListeners, startListening } from '../listener.ts';
import { ACCEPT, RECV } from '../token.ts';
import { EpollIo } from './epoll-io.ts';

const COMPLETIONS = 8;

function makeIo(t: TestContext, completions = COMPLETIONS): EpollIo {
  const io = new EpollIo({
    submissions: 1,
    completions,
    recvBuffers: 64,
    recvBufferSize: 1024,
    blocksSize: 1 << 20,
  });
  t.after(() => io.destroy());
  return io;
}

function makePairs(t: TestContext, count: number): [number, number][] {
  const pairs = Array.from({ length: count }, () => openStreamPair());
  t.after(() => {
    for (const fd of pairs.flat()) closeSync(fd);
  });
  return pairs;
}

function listen(t: TestContext): { listenerFd: number; port: number } {
  const listeners = bindListeners('127.0.0.1', 0, 1);
  const { fds, port } = listeners;
  startListening(listeners);
  t.after(() => closeListeners(listeners));
  return { listenerFd: fds[0]!, port };
}

/** The events that epoll waits for on `fd`, from proc_pid_fdinfo(5). */
function eventsOf(io: EpollIo, fd: number): number {
  const info = readFileSync(`/proc/self/fdinfo/${io.fd}`, 'latin1');
  const line = info.split('\n').find((each) => new RegExp(`^tfd: +${fd} `).test(each));
  match(line ?? '', /events: +[\da-f]+/);
  return Number.parseInt(/events: +([\da-f]+)/.exec(line!)![1]!, 16) >>> 0;
}

const ET = 0x8000_0000;
const OUT = 0x4;

test('no more completes at a time than the queue holds', (t) => {
  const io = makeIo(t);
  const pairs = makePairs(t, 20);
  for (const [slot, [fd]] of pairs.entries()) io.send(fd, io.memory.blocksOffset, 1, slot, 1);
  const slots: number[] = [];
  let rounds = 0;
  for (; slots.length < pairs.length; rounds++) {
    io.submitAndWait(true);
    ok(io.completionsReady <= COMPLETIONS);
    while (io.nextCompletion()) slots.push(io.slot);
  }
  deepEqual(slots, [...pairs.keys()]);
  equal(rounds, 3);
});

test('a descriptor with endless bytes does not keep another from being heard', (t) => {
  const io = makeIo(t, 64);
  const [busy, quiet] = makePairs(t, 2) as [[number, number], [number, number]];
  io.recv(busy[0], 1, 1, true);
  io.recv(quiet[0], 2, 1, true);
  const heard = [0, 0];
  for (let round = 0; round < 30; round++) {
    // More than one receive takes: the busy one is never empty.
    io.send(busy[1], io.memory.blocksOffset, 3 * 1024, 3, 1);
    if (round % 10 === 5) io.send(quiet[1], io.memory.blocksOffset, 1, 4, 1);
    io.submitAndWait(false);
    while (io.nextCompletion()) {
      if (io.operation === RECV) heard[io.slot - 1]! += 1;
      if (io.buffer >= 0) io.releaseBuffer(io.buffer);
    }
  }
  equal(heard[1], 3);
  ok(heard[0]! >= 30);
});

test('a process without descriptors fails one of the accepts that wait, and not all', (t) => {
  const io = makeIo(t);
  const { listenerFd, port } = listen(t);
  const peer = new RawPeer(port);
  for (let slot = 0; slot < 4; slot++) io.accept(listenerFd, slot, 1);
  withDescriptorLimit(3, () => {
    io.submitAndWait(true);
    equal(io.completionsReady, 1);
    equal(io.nextCompletion(), true);
    deepEqual([io.operation, io.slot, io.result], [ACCEPT, 0, -EMFILE]);
  });
  io.submitAndWait(true);
  equal(io.nextCompletion(), true);
  equal(io.slot, 1);
  ok(io.result >= 0);
  closeSync(io.result);
  peer.close();
});

test('a listener is edge-triggered: its backlog at capacity is no event', (t) => {
  const io = makeIo(t);
  const { listenerFd } = listen(t);
  io.accept(listenerFd, 1, 1);
  equal(eventsOf(io, listenerFd) & ET, ET | 0);
});

test('room to send is asked for only after a send that found none', (t) => {
  const io = makeIo(t);
  const [[fd]] = makePairs(t, 1) as [[number, number]];
  const size = 1 << 20;
  io.send(fd, io.memory.blocksOffset, 1, 1, 1);
  io.submitAndWait(true);
  equal(eventsOf(io, fd) & (ET | OUT), ET | 0);
  while (io.nextCompletion()) io.send(fd, io.memory.blocksOffset, size, 1, 1);
  do {
    io.submitAndWait(false);
    if (io.nextCompletion()) io.send(fd, io.memory.blocksOffset, size, 1, 1);
  } while ((eventsOf(io, fd) & OUT) === 0);
  equal(io.inFlight, 1);
});
