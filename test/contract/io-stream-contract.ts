// The contract of `Io`, continued: receives that repeat, cancellations, descriptors whose numbers
// are used again, and what happens when something is short. Every backend with a kernel runs it.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { closeSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Io } from '../../src/io/io.ts';
import type { IoOptions } from '../../src/io/io-options.ts';
import { ACCEPT, CLOSE, RECV, SEND, TIMER, WATCH } from '../../src/io/token.ts';
import { EBADF, ECANCELED, EMFILE, ENOBUFS } from '../../src/kernel/errno.ts';
import { openStreamPair, SHUT_RDWR } from '../../src/kernel/sockets.ts';
import { withDescriptorLimit } from '../support/descriptor-limit.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { realWorld } from '../support/real-world.ts';
import type { MakeIo, Result } from './io-contract.ts';
import { Bench } from './io-contract.ts';

// So few that the cases fill all of them.
const OPTIONS: IoOptions = {
  submissions: 4,
  completions: 8,
  recvBuffers: 4,
  recvBufferSize: 4096,
  blocksSize: 1 << 20,
};

/** A send that waits, because nobody reads: the bytes that were taken before it. */
function fill(bench: Bench, fd: number): number {
  let sent = 0;
  for (let round = 0; round < 64; round++) {
    bench.io.send(fd, bench.io.memory.blocksOffset, OPTIONS.blocksSize, 1, 1);
    const [done] = bench.poll();
    if (done === undefined) return sent;
    sent += done.result;
  }
  throw new Error('every send was taken');
}

/** Completions of one operation, up to its last. */
function untilLast(bench: Bench, operation: number): Result[] {
  const results: Result[] = [];
  for (;;) {
    const result = bench.next();
    equal(result.operation, operation);
    results.push(result);
    if (!result.more) return results;
  }
}

function textOf(results: readonly Result[]): string {
  return results.map(({ text }) => text).join('');
}

const cases: Record<string, (bench: Bench) => void> = {
  'a receive that repeats answers each arrival, and ends with the peer': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 3, 4, true);
    for (const text of ['one', 'two', 'three']) {
      peer.send(text);
      const answer = bench.next();
      deepEqual(answer, {
        operation: RECV,
        slot: 3,
        generation: 4,
        result: text.length,
        text,
        more: true,
      });
      equal(bench.io.inFlight, 1);
    }
    peer.endSending();
    const last = bench.next();
    deepEqual([last.result, last.more, bench.io.inFlight], [0, false, 0]);
    closeSync(fd);
    peer.close();
  },

  'a receive that repeats brings more than a buffer holds, in order': (bench) => {
    const { peer, fd } = bench.connect();
    const sent = 'abcdefghij'.repeat(2000);
    peer.send(sent);
    bench.io.recv(fd, 1, 1, true);
    let received = '';
    while (received.length < sent.length) {
      const { result, text, more } = bench.next();
      received += text;
      if (result === -ENOBUFS) bench.io.recv(fd, 1, 1, true);
      else equal(more, true);
    }
    equal(received, sent);
    closeSync(fd);
    peer.close();
  },

  'a receive that repeats and is cancelled ends once, and what follows stays': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 1, 1, true);
    peer.send('heard');
    equal(bench.next().text, 'heard');
    bench.io.cancel(RECV, 1, 1);
    const last = bench.next();
    deepEqual([last.result, last.more, bench.io.inFlight], [-ECANCELED, false, 0]);
    peer.send('left');
    deepEqual(bench.poll(), []);
    bench.io.recv(fd, 1, 2, false);
    equal(bench.next().text, 'left');
    closeSync(fd);
    peer.close();
  },

  'a cancel that races with bytes loses none': (bench) => {
    const { peer, fd } = bench.connect();
    for (const repeat of [false, true]) {
      bench.io.recv(fd, 1, 1, repeat);
      deepEqual(bench.poll(), []);
      peer.send('racing');
      bench.io.cancel(RECV, 1, 1);
      let text = textOf(untilLast(bench, RECV));
      if (text === '') {
        bench.io.recv(fd, 1, 1, false);
        text = bench.next().text;
      }
      equal(text, 'racing');
      equal(bench.io.inFlight, 0);
    }
    closeSync(fd);
    peer.close();
  },

  'a cancel of an older generation has no effect': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 1, 2, false);
    bench.io.cancel(RECV, 1, 1);
    deepEqual(bench.poll(), []);
    deepEqual(bench.poll(), []);
    peer.send('still here');
    equal(bench.next().text, 'still here');
    closeSync(fd);
    peer.close();
  },

  'a send that waits goes on when the peer reads, without any other operation': (bench) => {
    const { peer, fd } = bench.connect(4096);
    const sent = fill(bench, fd);
    let received = 0;
    let done = bench.poll()[0];
    // A backend may go on until all of it was taken, which is more than the two sockets buffer.
    for (; done === undefined; done = bench.poll()[0]) {
      if (peer.hasBytes()) received += peer.recv(1 << 20).length;
    }
    equal(done.operation, SEND);
    ok(done.result > 0);
    const rest = sent + done.result - received;
    equal(peer.recvExactly(rest).length, rest);
    closeSync(fd);
    peer.close();
  },

  'more sends of one descriptor than the queues hold are all taken, in order': (bench) => {
    const { peer, fd } = bench.connect();
    const text = 'abcdefghijklmnopqrstuvwxyz';
    const { offset } = bench.write(text);
    for (let slot = 0; slot < text.length; slot++) bench.io.send(fd, offset + slot, 1, slot, 1);
    const slots = Array.from(text, () => bench.next().slot);
    deepEqual(slots, [...slots.keys()]);
    equal(peer.recvExactly(text.length), text);
    closeSync(fd);
    peer.close();
  },

  'a send that waits can be cancelled': (bench) => {
    const { peer, fd } = bench.connect(4096);
    fill(bench, fd);
    bench.io.cancel(SEND, 1, 1);
    const { operation, result } = bench.next();
    deepEqual([operation, bench.io.inFlight], [SEND, 0]);
    ok(result === -ECANCELED || result > 0);
    deepEqual(bench.poll(), []);
    closeSync(fd);
    peer.close();
  },

  'shutdown ends a send that waits': (bench) => {
    const { peer, fd } = bench.connect(4096);
    fill(bench, fd);
    bench.io.shutdown(fd, SHUT_RDWR);
    const { operation, result } = bench.next();
    deepEqual([operation, bench.io.inFlight], [SEND, 0]);
    // An error, or what was taken before.
    ok(result !== 0);
    ok(result < OPTIONS.blocksSize);
    closeSync(fd);
    peer.close();
  },

  'bytes before the end of the peer come first, then the end': (bench) => {
    for (const repeat of [false, true]) {
      const { peer, fd } = bench.connect();
      peer.send('last words');
      peer.endSending();
      bench.io.recv(fd, 1, 1, repeat);
      equal(bench.next().text, 'last words');
      if (!repeat) bench.io.recv(fd, 1, 1, false);
      const { result, more } = bench.next();
      deepEqual([result, more], [0, false]);
      // The other direction is open.
      const { offset, size } = bench.write('answer');
      bench.io.send(fd, offset, size, 1, 1);
      equal(bench.next().result, size);
      equal(peer.recvExactly(size), 'answer');
      closeSync(fd);
      peer.close();
    }
  },

  'an urgent byte does not hide what comes after it': (bench) => {
    const { peer, fd } = bench.connect();
    peer.send('before');
    (peer as RawPeer).sendUrgent('!');
    peer.send('after');
    bench.io.recv(fd, 1, 1, true);
    let text = '';
    while (!text.endsWith('after')) text += bench.next().text;
    equal(text, 'beforeafter');
    closeSync(fd);
    peer.close();
  },

  'two descriptors are told apart, however their events mix': (bench) => {
    const [first, second] = [bench.connect(), bench.connect()];
    bench.io.recv(first.fd, 1, 10, true);
    bench.io.recv(second.fd, 2, 20, true);
    const heard = ['', ''];
    for (let round = 0; round < 10; round++) {
      const [early, late] = round % 2 === 0 ? [first, second] : [second, first];
      early.peer.send(`${round}`);
      late.peer.send(`${round}`);
      for (const { slot, generation, text } of [bench.next(), bench.next()]) {
        equal(generation, slot * 10);
        heard[slot - 1] += text;
      }
    }
    deepEqual(heard, ['0123456789', '0123456789']);
    first.peer.endSending();
    const last = bench.next();
    deepEqual([last.slot, last.result, last.more], [1, 0, false]);
    second.peer.send('x');
    equal(bench.next().slot, 2);
    for (const { fd, peer } of [first, second]) {
      closeSync(fd);
      peer.close();
    }
  },

  'a descriptor number that is used again begins anew': (bench) => {
    const old = bench.connect(4096);
    // As much as can be left behind: unread bytes, an end, no room to send.
    fill(bench, old.fd);
    old.peer.send('unread');
    old.peer.endSending();
    bench.io.cancel(SEND, 1, 1);
    equal(bench.next().operation, SEND);
    // The peer takes a number of its own first.
    const peer = bench.peer();
    bench.io.close(old.fd, 1, 1);
    equal(bench.next().operation, CLOSE);
    bench.io.accept(bench.listenerFd, 2, 1);
    const { result: fd } = bench.next();
    equal(fd, old.fd);
    bench.io.recv(fd, 2, 1, true);
    deepEqual(bench.poll(), []);
    const { offset, size } = bench.write('fresh');
    bench.io.send(fd, offset, size, 2, 1);
    deepEqual([bench.next().result, peer.recvExactly(size)], [size, 'fresh']);
    peer.send('hello');
    equal(bench.next().text, 'hello');
    closeSync(fd);
    old.peer.close();
    peer.close();
  },

  'a number that was closed elsewhere, and is that of a socket from elsewhere': (bench) => {
    const old = bench.connect();
    bench.io.recv(old.fd, 1, 1, false);
    old.peer.send('x');
    equal(bench.next().text, 'x');
    closeSync(old.fd);
    const pair = openStreamPair();
    equal(pair[0], old.fd);
    bench.io.recv(pair[0], 2, 1, false);
    deepEqual(bench.poll(), []);
    const { offset, size } = bench.write('from elsewhere');
    bench.io.send(pair[1], offset, size, 3, 1);
    const texts = [bench.next(), bench.next()].map(({ text }) => text);
    deepEqual(texts.toSorted(), ['', 'from elsewhere']);
    for (const fd of pair) closeSync(fd);
    old.peer.close();
  },

  'a number that was closed here, and is that of a socket from elsewhere': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 1, 1, false);
    peer.send('x');
    equal(bench.next().text, 'x');
    bench.io.close(fd, 1, 1);
    equal(bench.next().operation, CLOSE);
    const pair = openStreamPair();
    equal(pair[0], fd);
    bench.io.recv(pair[0], 1, 1, false);
    deepEqual(bench.poll(), []);
    const { offset, size } = bench.write('from elsewhere');
    bench.io.send(pair[1], offset, size, 3, 1);
    const texts = [bench.next(), bench.next()].map(({ text }) => text);
    deepEqual(texts.toSorted(), ['', 'from elsewhere']);
    for (const each of pair) closeSync(each);
    peer.close();
  },

  'nothing completes within the submitting call': (bench) => {
    const { peer, fd } = bench.connect();
    const { offset } = bench.write('ab');
    const bad = 1_000_000;
    bench.io.recv(bad, 1, 1, false);
    bench.io.send(bad, offset, 1, 2, 1);
    bench.io.close(bad, 3, 1);
    bench.io.accept(bad, 4, 1);
    bench.io.send(fd, offset, 1, 5, 1);
    bench.io.send(fd, offset + 1, 1, 6, 1);
    bench.io.cancel(RECV, 1, 1);
    deepEqual([bench.io.completionsReady, bench.io.nextCompletion()], [0, false]);
    const results = Array.from({ length: 6 }, () => bench.next());
    const bySlot = results.toSorted((a, b) => a.slot - b.slot).map(({ result }) => result);
    deepEqual(bySlot, [-EBADF, -EBADF, -EBADF, -EBADF, 1, 1]);
    equal(bench.io.inFlight, 0);
    closeSync(fd);
    peer.close();
  },

  'a connection that is watched goes on receiving': (bench) => {
    const { peer, fd } = bench.connect();
    bench.io.recv(fd, 0, 0, true);
    bench.io.watch(fd);
    for (const text of ['one', 'two', 'three']) {
      peer.send(text);
      let heard = '';
      while (heard === '') {
        const { operation, text: part } = bench.next();
        if (operation !== WATCH) heard = part;
      }
      equal(heard, text);
    }
    closeSync(fd);
    peer.close();
  },

  'more completions than the queue holds all come, each once': (bench) => {
    const pairs = Array.from({ length: 20 }, () => openStreamPair());
    const { offset } = bench.write('x');
    for (const [slot, pair] of pairs.entries()) {
      bench.io.recv(pair[0], slot, 1, false);
      bench.io.send(pair[1], offset, 1, slot, 1);
    }
    const waiting = { [SEND]: new Set(pairs.keys()), [RECV]: new Set(pairs.keys()) };
    while (bench.io.inFlight > 0) {
      const { operation, slot, result } = bench.next();
      if (result === -ENOBUFS) bench.io.recv(pairs[slot]![0], slot, 1, false);
      else ok(waiting[operation as typeof RECV].delete(slot), `${operation} of ${slot}`);
    }
    deepEqual([waiting[SEND].size, waiting[RECV].size], [0, 0]);
    deepEqual(bench.poll(), []);
    for (const pair of pairs) for (const fd of pair) closeSync(fd);
  },

  'an accept without a descriptor fails, and the connection waits for the next': (bench) => {
    const peer = bench.peer();
    withDescriptorLimit(3, () => {
      bench.io.accept(bench.listenerFd, 1, 1);
      const { operation, slot, result } = bench.next();
      deepEqual([operation, slot, result], [ACCEPT, 1, -EMFILE]);
    });
    bench.io.accept(bench.listenerFd, 2, 1);
    const { slot, result } = bench.next();
    equal(slot, 2);
    ok(result >= 0);
    closeSync(result);
    peer.close();
  },

  'connections that nobody accepts do not end a sleep': (bench) => {
    const first = bench.connect();
    const waiting = [bench.peer(), bench.peer()];
    bench.io.setTimer(20);
    bench.io.submitAndWait(true);
    equal(bench.io.completionsReady, 1);
    equal(bench.next().operation, TIMER);
    closeSync(first.fd);
    for (const peer of [first.peer, ...waiting]) peer.close();
  },

  'a listener serves who waits, in the order of the accepts': (bench) => {
    const peers = [bench.peer(), bench.peer(), bench.peer()];
    for (let slot = 0; slot < 5; slot++) bench.io.accept(bench.listenerFd, slot, 1);
    const accepted = peers.map(() => bench.next());
    deepEqual(
      accepted.map(({ slot }) => slot),
      [0, 1, 2],
    );
    equal(bench.io.inFlight, 2);
    for (const { result } of accepted) closeSync(result);
    for (const peer of peers) peer.close();
  },
};

export function ioStreamContract(backend: string, makeIo: MakeIo): void {
  for (const [name, run] of Object.entries(cases)) {
    test(`${backend}: ${name}`, () => {
      const bench = new Bench(makeIo(OPTIONS, realWorld), realWorld);
      try {
        run(bench);
      } finally {
        bench.close();
      }
    });
  }

  test(`${backend}: destroy leaves no descriptor behind`, () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const io: Io = makeIo(OPTIONS, realWorld);
    ok(descriptors() > before);
    io.destroy();
    equal(descriptors(), before);
  });
}
