import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBench } from '../../test/support/unit-connection-bench.ts';
import { compileApp } from '../app/compiled-app.ts';
import type { Protocol, RawConnection } from '../app/protocol.ts';
import { RECV } from '../io/token.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { NONE } from '../memory/pool.ts';

interface Opened {
  readonly bench: ConnectionBench;
  readonly slot: number;
  readonly connection: RawConnection;
  readonly calls: string[];
}

function open(answer: (connection: RawConnection) => void = () => {}): Opened {
  const calls: string[] = [];
  let connection!: RawConnection;
  const app = compileApp({
    routes: {},
    protocols: {
      raw: {
        port: 0,
        onOpen: (opened) => {
          connection = opened;
        },
        onData: (from, bytes) => {
          calls.push(Buffer.from(bytes).toString());
          answer(from);
        },
        onEnd: () => void calls.push('end'),
      },
    },
  });
  const bench = new ConnectionBench({ app });
  const slot = bench.connections.table.acquire(1);
  equal(slot === NONE, false);
  bench.connections.open(slot, 100);
  return { bench, slot, connection, calls };
}

test('one that is paused again before it was its turn stays paused', () => {
  const { bench, slot, connection, calls } = open();
  connection.pause();
  bench.receive(slot, 'a', false);
  connection.resume();
  connection.pause();
  bench.tick();
  deepEqual(calls, []);
  connection.resume();
  bench.tick();
  deepEqual(calls, ['a']);
});

test('one that pauses while it is given what was held gets the rest when it resumes', () => {
  const { bench, slot, connection, calls } = open((from) => from.pause());
  connection.pause();
  bench.receive(slot, 'a', true);
  bench.receive(slot, 'b', false);
  for (const expected of [['a'], ['a', 'b']]) {
    connection.resume();
    bench.tick();
    deepEqual(calls, expected);
  }
});

test('the end of the peer is told once', () => {
  const { bench, slot, connection, calls } = open();
  connection.pause();
  bench.endRecv(slot, 0);
  deepEqual(calls, []);
  for (let round = 0; round < 2; round++) {
    connection.pause();
    connection.resume();
    bench.tick();
    deepEqual(calls, ['end']);
  }
  equal(bench.io.find(RECV, slot), undefined);
});

const ASKS = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n';

// A connection of HTTP whose handler upgrades it.
function upgrade(onData: Protocol['onData']): { bench: ConnectionBench; calls: string[] } {
  const calls: string[] = [];
  const app = compileApp({
    routes: {
      'GET /': (_request, response) => response.upgrade('raw', { data: 'data' }),
    },
    protocols: {
      raw: {
        onOpen: ({ data, open: isOpen }) => calls.push(`open ${data} ${isOpen}`),
        onData: (connection, bytes) => {
          onData(connection, bytes);
          calls.push(Buffer.from(bytes).toString());
        },
        onClose: ({ data }) => calls.push(`close ${data}`),
      },
    },
  });
  return { bench: new ConnectionBench({ app }), calls };
}

test('one that ends before its protocol knows it is opened and closed', () => {
  const { bench, calls } = upgrade(() => {});
  const slot = bench.open();
  bench.receive(slot, `${ASKS}a`);
  deepEqual(calls, []);
  bench.endRecv(slot, -ECONNRESET);
  deepEqual(calls, ['open data false', 'close data']);
  bench.tick();
  bench.endClose(slot);
  bench.assertAllFree();
  equal(bench.count('upgraded'), 1);
});

test('bytes that came with the request are there until the protocol has had them', () => {
  const { bench, calls } = upgrade((connection) => connection.close());
  const slot = bench.open();
  bench.receive(slot, `${ASKS}abc`);
  bench.tick();
  deepEqual(calls, ['open data true', 'close data', 'abc']);
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  bench.assertAllFree();
});
