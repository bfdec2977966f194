import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBench } from '../../test/support/unit-connection-bench.ts';
import { compileApp } from '../app/compiled-app.ts';
import type { RawConnection } from '../app/protocol.ts';
import { RECV } from '../io/token.ts';
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
