// Tasks that fail in every way there is, under load: nobody else notices, each gets the status that
// is documented, its worker is back soon, and nothing is left behind.
//
// MILLRACE_FAILURES=1000 repeats each failure so often, and MILLRACE_BACK_MS is the most that a
// worker may be away; the defaults are for every day, and for machines with other work.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { FAST, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

const REPETITIONS = Number(process.env.MILLRACE_FAILURES ?? 4);
const BACK_MS_MAX = Number(process.env.MILLRACE_BACK_MS ?? 5000);
const LOADERS = 8;

const ALONE = ['-A', '1', '-w', '1', '-D', '1', '--demo-faults'];
const FAULTS = [...ALONE, '-C', '100', '--task-deaths', '0', '--worker-heap', '16'];
// More than the load asks in hours.
const UNLIMITED = ['--requests-per-connection', '1000000000'];
const STATUSES = { throw: 500, exit: 500, oom: 500, hang: 504 } as const;

class FastLoad {
  served = 0;
  readonly #ended: Promise<unknown>;
  #ending = false;

  constructor(peers: readonly HttpPeer[]) {
    this.#ended = Promise.all(peers.map((peer) => this.#run(peer)));
    this.#ended.catch(() => {});
  }

  static async start(t: TestContext, port: number): Promise<FastLoad> {
    const peers = Array.from({ length: LOADERS }, () => HttpPeer.open(t, port));
    return new FastLoad(await Promise.all(peers));
  }

  /** @throws what a peer met. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#ended;
  }

  async #run(peer: HttpPeer): Promise<void> {
    while (!this.#ending) {
      equal((await peer.ask(FAST)).status, 200);
      this.served++;
    }
  }
}

for (const [how, status] of Object.entries(STATUSES)) {
  test(`${how}: ${status}, and nobody else notices`, async (t) => {
    const timeout = ['--task-timeout', how === 'hang' ? '0.3' : '30'];
    const args = [...FAULTS, ...UNLIMITED, ...timeout];
    const server = await startServer(t, args);
    const load = await FastLoad.start(t, server.port);
    const peer = await HttpPeer.open(t, server.port);
    equal((await peer.ask(SLOW)).status, 200);
    const before = server.descriptors();
    let awayMs = 0;
    for (let round = 0; round < REPETITIONS; round++) {
      awayMs = Math.max(awayMs, await failAndRecover(peer, how, status));
    }
    t.diagnostic(`the worker was away for ${Math.round(awayMs)} ms at most`);
    await load.end();
    ok(load.served > 0);
    // What a dead worker held is released a second after it.
    await server.reportUntil(() => server.descriptors() <= before);
    equal(await server.stop(), 0);
  });
}

// The worker is back when it runs another task.
async function failAndRecover(peer: HttpPeer, how: string, status: number): Promise<number> {
  equal((await peer.ask(request(`/test/fail?how=${how}`))).status, status);
  const begin = performance.now();
  for (;;) {
    const answer = await peer.ask(SLOW);
    const awayMs = performance.now() - begin;
    ok(awayMs < BACK_MS_MAX, `the worker is away for ${awayMs} ms`);
    if (answer.status === 200) return awayMs;
    // It waited for the worker as long as it may.
    equal(answer.status, 504);
  }
}

test('a task that ends too many workers is refused, by name', async (t) => {
  const server = await startServer(t, [...ALONE, '--task-deaths', '2']);
  const peer = await HttpPeer.open(t, server.port);
  const statuses: number[] = [];
  while (statuses.at(-1) !== 503 && statuses.length < 20) {
    statuses.push((await peer.ask(request('/test/fail?how=exit'))).status);
  }
  ok(statuses.length >= 3 && statuses.at(-1) === 503, String(statuses));
  equal((await peer.ask(SLOW)).status, 200);
  match(server.program.stderr, /worker-0 died and is replaced \(it ran "fail"\)/);
  match(server.program.stderr, /task "fail" ended 2 workers within 60 s: it is refused for 30 s/);
  equal(await server.stop(), 0);
});

test('the demo harms only when it is told to', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1', '-D', '20']);
  const peer = await HttpPeer.open(t, server.port);
  equal((await peer.ask(request('/test/fail?how=throw'))).status, 404);
  for (const [target, least] of [
    ['/test/slow', 20],
    ['/test/cpu?ms=30', 30],
  ] as const) {
    const { status, fields, body } = await peer.ask(request(target));
    deepEqual([status, fields.get('x-thread'), body], [200, 'accept-0', '']);
    const took = Number(/^task;dur=([\d.]+)$/.exec(fields.get('server-timing')!)![1]);
    ok(took >= least && took < least + 1000, `${took} ms`);
  }
  for (const ms of ['x', '-1', '10001', '']) {
    equal((await peer.ask(request(`/test/cpu?ms=${ms}`))).status, 400, ms);
  }
  equal(await server.stop(), 0);
});
