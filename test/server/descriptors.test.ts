// When the process runs out of descriptors, who is connected is served on, the others wait, the log
// says so once a second, and nothing has to be restarted.

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FAST, HttpPeer } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

const DESCRIPTORS_MAX = 160;
const PEERS = 400;

function shortageLines(stderr: string): number {
  return stderr.split('\n').filter((line) => line.includes('accept failed with EMFILE')).length;
}

test('more connections than descriptors: some wait, and all is well afterwards', async (t) => {
  const server = await startServer(t, ['-A', '2', '-w', '1'], {
    wrapper: ['prlimit', `--nofile=${DESCRIPTORS_MAX}`],
  });
  const begin = performance.now();
  const first = await HttpPeer.open(t, server.port);
  equal((await first.ask(FAST)).status, 200);
  const peers: HttpPeer[] = [];
  while (peers.length < PEERS) peers.push(await HttpPeer.open(t, server.port));
  await Promise.all(peers.map((peer) => peer.send(FAST)));
  await server.reportUntil((accepts) =>
    accepts.every(({ counters }) => counters.acceptsFailed! > 0),
  );
  // Who is connected does not notice.
  for (let round = 0; round < 20; round++) equal((await first.ask(FAST)).status, 200);
  const served = peers.filter((peer) => peer.hasBytes).length;
  ok(served > 0 && served < DESCRIPTORS_MAX, `${served} were served`);

  // Those that wait are served as the others go.
  for (const peer of peers.filter((each) => each.hasBytes)) peer.close();
  const waiting = peers.filter((peer) => !peer.hasBytes);
  await Promise.race(waiting.map((peer) => peer.response()));
  for (const peer of peers) peer.close();
  for (let round = 0; round < 50; round++) {
    const peer = await HttpPeer.open(t, server.port);
    equal((await peer.ask(FAST)).status, 200);
    peer.close();
  }
  const seconds = (performance.now() - begin) / 1000;
  const lines = shortageLines(server.program.stderr);
  ok(lines >= 1 && lines <= seconds + 1, `${lines} lines in ${seconds} s`);
  equal(await server.stop(), 0);
});
