// The kernel spreads the connections over the accept threads: each has its own listening socket.

import { equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FAST, HttpPeer } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

/** TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp shows it. */
const LISTEN = '0A';

// proc_net_tcp.rst: sl, local address and port in hexadecimal, remote ones, state, and more.
function listenersOf(port: number): number {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && Number.parseInt(local!.split(':')[1]!, 16) === port;
  }).length;
}

test('connections are spread over the accept threads', async (t) => {
  const server = await startServer(t, ['-A', '4', '-w', '1']);
  equal(listenersOf(server.port), 4);
  const peers = await Promise.all(Array.from({ length: 400 }, () => HttpPeer.open(t, server.port)));
  for (const peer of peers) equal((await peer.ask(FAST)).status, 200);
  const accepts = (await server.report()).filter(({ name }) => name.startsWith('accept-'));
  equal(accepts.length, 4);
  // 100 each on average; by chance alone 40 is more than six deviations away.
  for (const { name, counters } of accepts) {
    ok(counters.connectionsAccepted! >= 40, `${name}: ${counters.connectionsAccepted}`);
    equal(counters.connectionsAccepted, counters.requests);
  }
  const sum = accepts.reduce((total, { counters }) => total + counters.connectionsAccepted!, 0);
  equal(sum, 400);
  for (const peer of peers) peer.close();
  equal(await server.stop(), 0);
  equal(listenersOf(server.port), 0);
});
