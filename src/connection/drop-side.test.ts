import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { okText } from '../../test/support/unit-connection-bench.ts';
import {
  CLOSE_FIELD,
  ExchangeBench,
  gate,
  head,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { ECANCELED, ECONNRESET } from '../kernel/errno.ts';
import { LINGERING, OPEN } from './connection-table.ts';
import { DROP_MAX } from './drop-side.ts';

const LAST = head('GET', '/late', [CLOSE_FIELD]);
const LAST_SLOW = head('GET', '/slow', [CLOSE_FIELD]);
const LATE = okText('late', [CLOSE_FIELD]);

/** A connection whose last request awaits its response, and what its handler sees. */
class Awaiting {
  readonly answers = gate();
  readonly bench: ExchangeBench;
  signal!: AbortSignal;

  constructor(before = 0) {
    this.bench = new ExchangeBench({
      'GET /late': async (request, given) => {
        this.signal = request.signal;
        await this.answers.promise;
        given.end('late');
      },
    });
    for (let count = 0; count < before; count++) this.bench.answer(head('GET', '/fast'));
    this.bench.answer(LAST);
  }

  async answer(): Promise<string> {
    this.answers.resolve();
    return this.bench.settle();
  }
}

for (const before of [0, 1]) {
  test(`a reset ends the last request after ${before} others`, async () => {
    const { bench, signal } = new Awaiting(before);
    equal(signal.aborted, false);
    bench.endRecv(bench.slot, -ECONNRESET);
    equal(signal.aborted, true);
    bench.closed();
    equal(bench.count('closedByReset'), 1);
  });

  test(`who ends its side after ${before} others is still answered`, async (t) => {
    const awaiting = new Awaiting(before);
    const { bench } = awaiting;
    const userCodeRan = t.mock.method(bench.loop, 'userCodeRan');
    bench.endRecv(bench.slot, 0);
    equal(awaiting.signal.aborted, true);
    // Or what waits for the signal goes on only when something else wakes the thread.
    equal(userCodeRan.mock.callCount(), 1);
    equal(bench.receives, false);
    equal(await awaiting.answer(), LATE);
    bench.closed();
    equal(bench.count('closedByPeer'), 1);
  });

  test(`what arrives after ${before} others and the last is dropped, up to a limit`, async () => {
    const awaiting = new Awaiting(before);
    const { bench } = awaiting;
    const requests = bench.count('requests');
    for (let size = 0; size < DROP_MAX; size += 4096) {
      equal(bench.io.cancelled.size, 0);
      bench.receive(bench.slot, head('GET', '/fast').padEnd(4096, 'x'));
      bench.tick();
    }
    equal(bench.io.buffersUsed, 0);
    equal(bench.count('requests'), requests);
    // It was asked to end, and none is submitted in its place.
    equal(bench.io.cancelled.size, 1);
    bench.endRecv(bench.slot, -ECANCELED);
    equal(bench.receives, false);
    equal(bench.state, OPEN);
    equal(await awaiting.answer(), LATE);
    equal(bench.state, LINGERING);
    bench.close();
  });
}

test('a reset takes the task of the last request back', () => {
  const bench = new ExchangeBench({});
  bench.answer(LAST_SLOW);
  deepEqual(bench.delegation.cancelled, []);
  bench.endRecv(bench.slot, -ECONNRESET);
  equal(bench.delegation.cancelled.length, 1);
  bench.closed();
});

test('a receive that found bytes too early, and was cancelled, is submitted again', async () => {
  const awaiting = new Awaiting(1);
  const { bench } = awaiting;
  bench.receive(bench.slot, 'x', false);
  equal(bench.receives, true);
  bench.endRecv(bench.slot, -ECANCELED);
  equal(bench.receives, true);
  bench.endRecv(bench.slot, -ECONNRESET);
  equal(awaiting.signal.aborted, true);
  bench.closed();
});

test('once the last response is complete, nothing is received but to end', async () => {
  const awaiting = new Awaiting();
  const { bench } = awaiting;
  awaiting.answers.resolve();
  await turn();
  bench.tick();
  equal(bench.send(bench.slot), LATE);
  // The receive is still in flight, and is made to complete: nothing is closed before.
  equal(bench.receives, true);
  equal(bench.io.calls.includes('shutdown 100 both'), true);
  bench.endRecv(bench.slot, 0);
  bench.closed();
  equal(bench.count('closedServed'), 1);
});

test('the last response is sent in pieces to who is still there', async () => {
  const bench = new ExchangeBench({
    'GET /pieces': async (request, given) => {
      while (!request.signal.aborted) {
        given.write('x');
        await turn();
      }
      given.end();
    },
  });
  bench.answer(head('GET', '/pieces', [CLOSE_FIELD]));
  await turn();
  equal(bench.receives, true);
  bench.endRecv(bench.slot, 0);
  const sent = await bench.settle();
  equal(sent.endsWith('0\r\n\r\n'), true);
  bench.closed();
});
