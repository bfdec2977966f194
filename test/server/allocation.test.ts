// The data plane allocates nothing: the heap of the accept thread does not grow with the requests.
//
// `allocatedBytes` is V8's count of everything that was ever allocated: no garbage collection hides
// anything. What remains is a tick's own: entering the kernel through FFI is a call that allocates,
// and so is a turn of Node's loop. A tick serves many requests, the more the busier the thread is:
// where requests are pipelined it serves sixteen at least, and what ticks cost is not counted.

import { equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { request } from '../support/http-peer.ts';
import type { Load } from '../support/load.ts';
import { runLoad } from '../support/load.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '1000']);

interface Case {
  readonly name: string;
  readonly load: Load;
  /** Compiles and settles what is going to be measured. */
  readonly warmUp: number;
  readonly bytesPerRequestMax: number;
  /** What a tick may allocate, on top. */
  readonly bytesPerTick: number;
}

const ROUNDS_MAX = 10;
const PIPELINED = { connections: 64, pipelined: 16, requests: 300_000 };
// The immediate of a turn, mostly.
const TICK_BYTES = 450;

const CASES: readonly Case[] = [
  {
    name: 'pipelined requests',
    load: { ...PIPELINED, bytes: request('/empty'), status: 200 },
    warmUp: 100_000,
    bytesPerRequestMax: 8,
    bytesPerTick: TICK_BYTES,
  },
  {
    name: 'pipelined requests for an unknown path',
    load: { ...PIPELINED, bytes: request('/gone'), status: 404 },
    warmUp: 100_000,
    bytesPerRequestMax: 8,
    bytesPerTick: TICK_BYTES,
  },
  {
    name: 'pipelined requests with a method that is not allowed',
    load: { ...PIPELINED, bytes: request('/empty', 'POST'), status: 405 },
    warmUp: 100_000,
    bytesPerRequestMax: 8,
    bytesPerTick: TICK_BYTES,
  },
  {
    name: 'one request at a time on each connection',
    load: {
      connections: 64,
      pipelined: 1,
      requests: 60_000,
      bytes: request('/empty'),
      status: 200,
    },
    warmUp: 30_000,
    bytesPerRequestMax: 40,
    bytesPerTick: 0,
  },
  {
    // Waking a worker is an FFI call of its own, but a worker that is busy is not woken.
    name: 'tasks',
    load: {
      connections: 64,
      pipelined: 1,
      requests: 30_000,
      bytes: request('/nothing'),
      status: 200,
    },
    warmUp: 20_000,
    bytesPerRequestMax: 40,
    bytesPerTick: 0,
  },
  {
    name: 'tasks with bytes in and out, and a response that is formed of them',
    load: {
      connections: 64,
      pipelined: 1,
      requests: 30_000,
      bytes: request('/bytes'),
      status: 200,
    },
    warmUp: 20_000,
    bytesPerRequestMax: 40,
    bytesPerTick: 0,
  },
];

for (const { name, load, warmUp, bytesPerRequestMax, bytesPerTick } of CASES) {
  test(`${name}: at most ${bytesPerRequestMax} bytes of heap each`, async (t) => {
    await runLoad(t, server().port, { ...load, requests: warmUp });
    // V8 may still compile in one round; what a request allocates, it allocates in all of them.
    const rounds: number[] = [];
    do rounds.push(await bytesPerRequest(t, load, bytesPerTick));
    while (rounds.at(-1)! > bytesPerRequestMax && rounds.length < ROUNDS_MAX);
    t.diagnostic(
      `bytes of heap per request: ${rounds.map((bytes) => bytes.toFixed(2)).join(', ')}`,
    );
    ok(rounds.at(-1)! <= bytesPerRequestMax, `${rounds} bytes per request`);
  });
}

async function bytesPerRequest(t: TestContext, load: Load, bytesPerTick: number): Promise<number> {
  const [before] = await server().report();
  const requests = await runLoad(t, server().port, load);
  const [after] = await server().report();
  equal(after!.name, 'accept-0');
  equal(after!.counters.requests! - before!.counters.requests!, requests);
  const ticks = after!.counters.ticks! - before!.counters.ticks!;
  const bytes = after!.heap.allocatedBytes - before!.heap.allocatedBytes;
  return Math.max(0, bytes - ticks * bytesPerTick) / requests;
}
