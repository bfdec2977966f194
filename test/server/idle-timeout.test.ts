// The keep-alive timeout ends connections that are silent, and no others.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FAST, HttpPeer, SLOW } from '../support/http-peer.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const TIMEOUT_MS = 300;
const ARGS = ['-A', '1', '-w', '1', '--keep-alive-timeout', String(TIMEOUT_MS / 1000)];
/** A loaded machine may be late, but not by so much. */
const LATE_MAX_MS = 1500;

const server = sharedServer([...ARGS, '-D', '100']);

const CASES: [name: string, say: (peer: HttpPeer) => Promise<unknown>][] = [
  ['never asked', async () => {}],
  ['has asked', (peer) => peer.ask(FAST)],
  ['has asked for a task', (peer) => peer.ask(SLOW)],
];
// Who has begun to send is told why it gets no other answer.
const HALF_CASES: [name: string, say: (peer: HttpPeer) => Promise<unknown>][] = [
  ['half a request', (peer) => peer.send(FAST.slice(0, 20))],
  ['half of its second request', (peer) => peer.ask(FAST + FAST.slice(0, 20))],
];

for (const [name, say] of CASES) {
  test(`a connection is ended that ${name}`, async (t) => {
    const { port } = server();
    const begin = performance.now();
    const peer = await HttpPeer.open(t, port);
    await say(peer);
    const silent = performance.now();
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    const end = performance.now();
    // The thread heard of it between the two.
    ok(end - begin >= TIMEOUT_MS, `${end - begin} ms are too early`);
    ok(end - silent < TIMEOUT_MS + LATE_MAX_MS, `${end - silent} ms are too late`);
  });
}

for (const [name, say] of HALF_CASES) {
  test(`a connection is ended with 408 that has sent ${name}: RFC 9110 15.5.9`, async (t) => {
    const { port } = await startServer(t, [...ARGS, '--header-timeout', '0.3']);
    const peer = await HttpPeer.open(t, port);
    const begin = performance.now();
    await say(peer);
    equal((await peer.response()).status, 408);
    ok(performance.now() - begin >= TIMEOUT_MS);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });
}

test('a head that comes a byte at a time has no more time than any other', async (t) => {
  const { port } = await startServer(t, [...ARGS, '--header-timeout', '0.3']);
  const pace = await HttpPeer.open(t, port);
  const peer = await HttpPeer.open(t, port);
  const begin = performance.now();
  await peer.send('GET /');
  while (!peer.hasBytes && peer.endedBy === undefined) {
    await peer.send('x');
    await pace.ask(SLOW);
  }
  equal((await peer.response()).status, 408);
  const elapsed = performance.now() - begin;
  ok(elapsed >= TIMEOUT_MS && elapsed < TIMEOUT_MS + LATE_MAX_MS, `${elapsed} ms`);
});

test('a connection that keeps asking is not ended', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const idle = await HttpPeer.open(t, server().port);
  const pace = await HttpPeer.open(t, server().port);
  const begin = performance.now();
  // Each task takes 100 ms, in which the peer is silent.
  while (performance.now() - begin < 3 * TIMEOUT_MS) {
    await pace.ask(SLOW);
    equal((await peer.ask(FAST)).status, 200);
  }
  equal(idle.endedBy, 'end');
  equal(peer.endedBy, undefined);
});

test('a connection that waits for its task is not ended', async (t) => {
  const { port } = await startServer(t, [...ARGS, '-D', String(2 * TIMEOUT_MS)]);
  const peer = await HttpPeer.open(t, port);
  equal((await peer.ask(SLOW)).status, 200);
  equal((await peer.ask(FAST)).status, 200);
  equal(await peer.ended, 'end');
});

test('ends for silence are counted', async (t) => {
  const before = await server().counter('closedIdle');
  const peers = await Promise.all(
    Array.from({ length: 50 }, () => HttpPeer.open(t, server().port)),
  );
  for (const peer of peers) equal(await peer.ended, 'end');
  await server().reportUntil(([accept]) => accept!.counters.closedIdle! - before >= 50);
});
