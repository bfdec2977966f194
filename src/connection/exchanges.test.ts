import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { RequestParser } from '../http/request-parser.ts';
import { CONNECTION_CTX_SIZE, ConnectionTable } from './connection-table.ts';
import { EXTRA_MAX, Exchanges, PIPELINED_MAX } from './exchanges.ts';

test('connections share what is pipelined; the first exchange of each is its own', () => {
  const connections = EXTRA_MAX / (PIPELINED_MAX - 1) + 2;
  const rows = new SharedArrayBuffer(Math.floor(connections) * CONNECTION_CTX_SIZE);
  const table = new ConnectionTable(rows, Math.floor(connections));
  const exchanges = new Exchanges(
    {
      memory: Buffer.alloc(16),
      parser: new RequestParser(REQUEST_LIMITS),
      parameters: { parameterStart: () => 0, parameterSize: () => 0 },
      clock: { nowMs: 0, unixSeconds: 0, update: () => {} },
      bodySizeMax: 0,
      onResponse: () => {},
      onRejected: () => {},
      onTransferred: () => {},
      onBodyWanted: () => {},
      callTask: () => {
        throw new Error('no task is awaited');
      },
      upgradeTo: () => {
        throw new Error('nothing is upgraded');
      },
    },
    table,
  );
  let extras = 0;
  let slot = table.acquire();
  const last = slot;
  for (; extras < EXTRA_MAX; slot = table.acquire()) {
    exchanges.enqueueCurrent(slot);
    for (; exchanges.mayPipeline(slot); extras++) exchanges.enqueueCurrent(slot);
    if (extras < EXTRA_MAX) equal(exchanges.count(slot), PIPELINED_MAX);
  }
  equal(extras, EXTRA_MAX);
  // One that has nothing in flight is served all the same, and may not pipeline.
  exchanges.enqueueCurrent(slot);
  equal(exchanges.mayPipeline(slot), false);
  // What one of them gives back, all may have.
  const done = exchanges.first(last)!;
  exchanges.shift(last);
  exchanges.release(done);
  equal(exchanges.mayPipeline(slot), true);
});
