// At capacity: connections beyond it wait in the kernel's backlog, and those that are there go on.

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FAST, FAST_AND_CLOSE, HttpPeer, SLOW } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

test('of 101 connections 100 are served, and the last one after one of them', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1', '-D', '5', '-C', '100']);
  const peers: HttpPeer[] = [];
  while (peers.length < 100) peers.push(await HttpPeer.open(t, server.port));
  const last = await HttpPeer.open(t, server.port);
  await last.send(FAST);
  for (let round = 0; round < 5; round++) {
    const responses = await Promise.all(peers.map((peer) => peer.ask(round === 2 ? SLOW : FAST)));
    ok(responses.every(({ status }) => status === 200));
  }
  equal(last.hasBytes, false);
  const [accept] = await server.report();
  equal(accept!.counters.connectionsOpen, 100);
  equal(accept!.counters.capacityReached, 1);

  peers[50]!.close();
  equal((await last.response()).status, 200);
  equal((await peers[0]!.ask(FAST)).status, 200);
  const [after] = await server.report();
  equal(after!.counters.connectionsOpen, 100);
  equal(after!.counters.connectionsOpenMax, 100);
  equal(after!.counters.closedNoMemory, 0);
});

test('more than the capacity take turns', async (t) => {
  for (const capacity of ['1', '10']) {
    const server = await startServer(t, ['-A', '1', '-w', '1', '-D', '0', '-C', capacity]);
    await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const peer = await HttpPeer.open(t, server.port);
        await peer.send(SLOW + (index % 2 === 0 ? FAST_AND_CLOSE : FAST));
        equal((await peer.responses(2))[1]!.status, 200);
        peer.close();
      }),
    );
    const [accept] = await server.reportUntil(([{ counters }]) => counters.connectionsOpen === 0);
    equal(accept!.counters.connectionsAccepted, 300);
    ok(accept!.counters.connectionsOpenMax! <= Number(capacity));
    equal(accept!.counters.acceptsFailed, 0);
  }
});

test('all of the capacity may be at one thing at once', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '4', '-D', '10', '-C', '64']);
  const peers = await Promise.all(Array.from({ length: 64 }, () => HttpPeer.open(t, server.port)));
  for (const bytes of [SLOW, SLOW + FAST]) {
    const half = bytes.length - 10;
    await Promise.all(peers.map((peer) => peer.send(bytes.slice(0, half))));
    await Promise.all(peers.map((peer) => peer.send(bytes.slice(half))));
    const count = bytes === SLOW ? 1 : 2;
    const all = await Promise.all(peers.map((peer) => peer.responses(count)));
    ok(all.flat().every(({ status }) => status === 200));
  }
  equal(await server.counter('closedNoMemory'), 0);
});
