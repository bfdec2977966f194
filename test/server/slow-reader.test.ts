// A client that asks and does not read: it alone waits, and nothing is lost.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FAST, HttpPeer, request } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

test('others are served while a client does not read, and it misses nothing', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1']);
  const other = await HttpPeer.open(t, server.port);
  const peer = await HttpPeer.open(t, server.port, { paused: true });
  const part = FAST + request('/gone') + request('/test/fast', 'POST');
  // More than the buffers of both kernels hold, as the counter tells.
  const parts: Promise<void>[] = [];
  for (let suspended = 0; suspended === 0; ) {
    for (let index = 0; index < 20; index++) parts.push(peer.send(part.repeat(50)));
    ok(parts.length < 10_000, 'the server takes everything and keeps it');
    equal((await other.ask(FAST)).status, 200);
    suspended = await server.counter('suspended');
  }
  for (let round = 0; round < 500; round++) equal((await other.ask(FAST)).status, 200);
  equal(await server.counter('connectionsOpen'), 2);

  peer.resume();
  for (let index = 0; index < parts.length * 50; index++) {
    const statuses = (await peer.responses(3)).map(({ status }) => status);
    deepEqual(statuses, [200, 404, 405], `part ${index}`);
  }
  await Promise.all(parts);
  equal((await peer.ask(FAST)).status, 200);
  equal(peer.hasBytes, false);
});

test('clients that never read and go away leave nothing', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '0', '-C', '50']);
  for (let round = 0; round < 2; round++) {
    const peers: HttpPeer[] = [];
    while (peers.length < 10) peers.push(await HttpPeer.open(t, server.port, { paused: true }));
    const suspended = await server.counter('suspended');
    const sent = peers.map((peer) => peer.send(request('/gone').repeat(100_000)).catch(() => {}));
    await server.reportUntil(([accept]) => accept!.counters.suspended! > suspended);
    for (const [index, peer] of peers.entries()) {
      if (index % 2 === 0) peer.reset();
      else peer.close();
    }
    await Promise.all(sent);
    await server.reportUntil(([accept]) => accept!.counters.connectionsOpen === 0);
  }
  const peer = await HttpPeer.open(t, server.port);
  equal((await peer.ask(FAST)).status, 200);
  peer.close();
  equal(await server.stop(), 0);
});

// What one connection may hold is not bounded: few of them take the half of all receive buffers.
test('ten of fifty clients may be slow, and miss nothing', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '0', '-C', '50']);
  const peers: HttpPeer[] = [];
  while (peers.length < 10) peers.push(await HttpPeer.open(t, server.port, { paused: true }));
  const requests = 40_000;
  const sent = peers.map((peer) => peer.send(request('/gone').repeat(requests)).catch(() => {}));
  await server.reportUntil(([accept]) => accept!.counters.suspended! >= peers.length);
  for (const peer of peers) peer.resume();
  for (const peer of peers) equal((await peer.responses(requests)).length, requests);
  await Promise.all(sent);
  equal(await server.counter('closedNoMemory'), 0);
});
