import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBench, errorText, get, OK } from '../../test/support/unit-connection-bench.ts';
import { compileApp } from '../app/compiled-app.ts';
import { RECV } from '../io/token.ts';
import { ECANCELED, ECONNRESET, ENOBUFS } from '../kernel/errno.ts';
import { BY_PEER, HANDLER_TIMEOUT } from './close-reason.ts';
import { HANDED_OFF, OPEN, RAW } from './connection-table.ts';
import type { Departures, UnreadBytes } from './departures.ts';

const APP = compileApp({
  routes: {
    'GET /away': (_request, response) => response.end(),
    'GET /fast': (_request, response) => response.end(),
  },
});
const AWAY = get('/away');
const FAST = get('/fast');

/** Unread bytes as text. */
class Luggage implements UnreadBytes {
  text = '';
  stateSize = 0;

  get size(): number {
    return this.text.length;
  }

  read(target: Uint8Array, offset: number, sizeMax: number): number {
    const size = Math.min(sizeMax, this.text.length);
    Buffer.from(target.buffer).write(
      this.text.slice(0, size),
      target.byteOffset + offset,
      'latin1',
    );
    this.text = this.text.slice(size);
    return size;
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.text += Buffer.from(bytes.slice(start, end)).toString('latin1');
  }
}

class FakeDepartures implements Departures {
  readonly ofGuests: boolean;
  readonly calls: string[] = [];
  readonly luggage = new Luggage();
  sizeMax = 100_000;
  hasRoom = true;

  constructor(ofGuests = false) {
    this.ofGuests = ofGuests;
  }

  // A guest is at home where an accept thread's connection is away.
  isElsewhere(_slot: number, route: number): boolean {
    return (route === 0) !== this.ofGuests;
  }

  leavesAfter(): boolean {
    return this.ofGuests;
  }

  prepare(): boolean {
    if (this.hasRoom) this.calls.push('prepare');
    return this.hasRoom;
  }

  reserve(): boolean {
    return this.prepare();
  }

  unread(_slot: number, size: number): UnreadBytes | undefined {
    return size <= this.sizeMax ? this.luggage : undefined;
  }

  depart(): void {
    this.calls.push('depart');
  }

  cancel(): void {
    this.calls.push('cancel');
  }

  end(_slot: number, reason: number): void {
    this.calls.push(`end ${reason}`);
  }
}

function setUp(
  ofGuests = false,
  options = {},
): { bench: ConnectionBench; departures: FakeDepartures } {
  const departures = new FakeDepartures(ofGuests);
  return { bench: new ConnectionBench({ app: APP, departures, ...options }), departures };
}

test('a connection leaves with the request for another thread, and what is behind it', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY + FAST);
  deepEqual(departures.calls, ['prepare', 'depart']);
  equal(departures.luggage.text, AWAY + FAST);
  equal(bench.connections.table.state(slot), HANDED_OFF);
  equal(bench.io.takeCalls().at(-1), 'detach 100');
  deepEqual([bench.io.inFlight, bench.io.buffersUsed, bench.loop.timers.count], [0, 0, 0]);
});

test('responses before it are sent first, and the receive that repeats is ended', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  equal(bench.exchange(slot, FAST), OK);
  bench.receive(slot, FAST + AWAY);
  bench.tick();
  deepEqual(departures.calls, ['prepare']);
  equal(bench.send(slot), OK);
  deepEqual(departures.calls, ['prepare']);
  // Bytes that came before the cancellation are taken along.
  bench.receive(slot, FAST, true);
  bench.endRecv(slot, -ECANCELED);
  deepEqual(departures.calls, ['prepare', 'depart']);
  equal(departures.luggage.text, AWAY + FAST);
});

test('a request that arrives in pieces leaves when its head is complete', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY.slice(0, 10));
  bench.receive(slot, AWAY.slice(10), false);
  equal(departures.luggage.text, AWAY);
  deepEqual(departures.calls, ['prepare', 'depart']);
});

test('the end of the peer, or a receive without a buffer, does not hold it up', () => {
  for (const result of [0, -ENOBUFS]) {
    const { bench, departures } = setUp();
    const slot = bench.open();
    bench.exchange(slot, FAST);
    bench.receive(slot, AWAY);
    bench.endRecv(slot, result);
    bench.tick();
    deepEqual(departures.calls, ['prepare', 'depart']);
    equal(bench.connections.table.state(slot), HANDED_OFF);
  }
});

test('a connection that ends before it could leave is forgotten', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.exchange(slot, FAST);
  bench.receive(slot, AWAY);
  bench.endRecv(slot, -ECONNRESET);
  deepEqual(departures.calls, ['prepare', 'cancel']);
  bench.endClose(slot);
  bench.assertAllFree();
});

test('without room for what it takes along it is refused', () => {
  const { bench, departures } = setUp();
  departures.sizeMax = AWAY.length - 1;
  const slot = bench.open();
  bench.receive(slot, AWAY);
  equal(bench.flush(slot), errorText('503 Service Unavailable', ['Connection: close']));
  deepEqual(departures.calls, ['prepare', 'cancel']);
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  bench.assertAllFree();
});

test('a connection that comes back is served on, with what it has brought', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY);
  departures.luggage.text = FAST + FAST + FAST.slice(0, 9);
  bench.connections.travel.resume(slot, 7, departures.luggage);
  equal(bench.flush(slot), OK + OK);
  equal(bench.connections.table.state(slot), OPEN);
  equal(bench.connections.table.requests(slot), 9);
  equal(bench.exchange(slot, FAST.slice(9)), OK);
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  bench.assertAllFree();
});

test('one that comes back with nothing waits for the next request', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY);
  departures.luggage.text = '';
  bench.connections.travel.resume(slot, 1, departures.luggage);
  equal(bench.exchange(slot, FAST), OK);
});

test('one that comes back to be closed or answered with an error ends', () => {
  const { bench } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY);
  bench.connections.travel.close(slot, BY_PEER);
  bench.endClose(slot);
  const other = bench.open();
  bench.receive(other, AWAY);
  bench.connections.travel.refuse(other, 504, BY_PEER);
  equal(bench.flush(other), errorText('504 Gateway Timeout', ['Connection: close']));
  bench.endRecv(other, 0);
  bench.endClose(other);
  bench.assertAllFree();
});

test('a HEAD request that is not served elsewhere is answered without a body', () => {
  const { bench, departures } = setUp();
  const head = AWAY.replace('GET', 'HEAD');
  const slot = bench.open();
  bench.receive(slot, head);
  bench.connections.travel.refuse(slot, 504, BY_PEER);
  const refused = errorText('504 Gateway Timeout', ['Connection: close']);
  equal(bench.flush(slot), refused.slice(0, refused.indexOf('\r\n\r\n') + 4));
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  departures.sizeMax = 0;
  const other = bench.open();
  bench.receive(other, head);
  const full = errorText('503 Service Unavailable', ['Connection: close']);
  equal(bench.flush(other), full.slice(0, full.indexOf('\r\n\r\n') + 4));
  bench.endRecv(other, 0);
  bench.endClose(other);
  bench.assertAllFree();
});

test('a HEAD request that was served elsewhere leaves nothing behind', () => {
  const { bench, departures } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY.replace('GET', 'HEAD'));
  departures.luggage.text = '';
  bench.connections.travel.resume(slot, 1, departures.luggage);
  bench.receive(slot, AWAY);
  bench.endRecv(slot, -ECANCELED);
  bench.connections.travel.refuse(slot, 504, BY_PEER);
  equal(bench.flush(slot), errorText('504 Gateway Timeout', ['Connection: close']));
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  bench.assertAllFree();
});

test('a guest goes home after its response, with what is behind its request', () => {
  const { bench, departures } = setUp(true);
  const slot = bench.open();
  bench.receive(slot, AWAY + FAST);
  bench.tick();
  equal(bench.send(slot), OK);
  deepEqual(departures.calls, ['depart']);
  equal(departures.luggage.text, FAST);
});

test('a guest that ends goes home to be closed: its descriptor is not closed here', () => {
  const { bench, departures } = setUp(true);
  const slot = bench.open();
  bench.endRecv(slot, 0);
  deepEqual(departures.calls, [`end ${BY_PEER}`]);
  deepEqual(bench.io.submissions, []);
  equal(bench.io.find(RECV, slot), undefined);
});

test('the receives of a guest do not repeat, whatever it has had before', () => {
  const { bench, departures } = setUp(true);
  const slot = bench.open();
  bench.receive(slot, AWAY);
  bench.tick();
  bench.send(slot);
  departures.luggage.text = '';
  bench.connections.travel.resume(slot, 7, departures.luggage);
  equal(bench.inFlight(RECV, slot).repeat, false);
});

test('no worker has taken a connection of a protocol: it ends', () => {
  const { bench } = setUp();
  const slot = bench.open();
  bench.receive(slot, AWAY);
  bench.connections.table.setFlag(slot, RAW);
  bench.connections.travel.refuse(slot, 504, BY_PEER);
  equal(bench.connections.table.reason(slot), HANDLER_TIMEOUT);
  equal(bench.flush(slot), '');
  bench.endClose(slot);
  bench.assertAllFree();
});
