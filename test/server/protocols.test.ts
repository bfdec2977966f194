// Protocols of an application's own, on ports of their own.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/protocol-app.ts', import.meta.url));
const ARGS = ['-A', '2', '-w', '1', '-C', '200'];
const server = sharedServer([APP, ...ARGS]);

function portOf({ readyLine }: ServerProcess, name: string): number {
  return Number(new RegExp(`${name} on port (\\d+)`).exec(readyLine)![1]);
}

// All bytes until the end.
async function read(peer: HttpPeer): Promise<string> {
  return (await peer.rest()).bytes;
}

// Bytes until they end with `end`.
async function readTo(peer: HttpPeer, end: string): Promise<string> {
  for (;;) {
    const bytes = peer.peek();
    if (bytes.endsWith(end)) return peer.take();
    await new Promise((resolve) => peer.socket.once('data', resolve));
  }
}

test('the ready line tells the ports; HTTP is served beside', async (t) => {
  match(server().readyLine, /echo on port \d+ \| commands on port \d+/);
  const http = await HttpPeer.open(t, server().port);
  equal((await http.ask(request('/fast'))).body, 'fast');
  const echo = await HttpPeer.open(t, portOf(server(), 'echo'));
  await echo.send('anything\n');
  equal(await readTo(echo, '\n'), 'anything\n');
});

test('connections are opened, answered, and ended by either side', async (t) => {
  const port = portOf(server(), 'commands');
  const peer = await HttpPeer.open(t, port);
  const hello = await readTo(peer, '\n');
  match(hello, /^hello from accept-[01] to \d+\n$/);
  equal(Number(/to (\d+)/.exec(hello)![1]), peer.socket.localPort);
  await peer.send('wh');
  await peer.send('at\n');
  equal(await readTo(peer, '\n'), 'what?\n');
  peer.endSending();
  equal(await read(peer), 'bye\n');
  const closed = await HttpPeer.open(t, port);
  await readTo(closed, '\n');
  await closed.send('close\n');
  ok(['end', 'ECONNRESET'].includes(await closed.ended));
  const big = await HttpPeer.open(t, port);
  await readTo(big, '\n');
  await big.send('big\n');
  const bytes = await read(big);
  equal(bytes, 'millrace'.repeat(125_000));
});

test('one that throws costs its connection, and is told of the end', async (t) => {
  const own = await startServer(t, [APP, '-A', '1', '-w', '0', '-C', '50']);
  const peer = await HttpPeer.open(t, portOf(own, 'commands'));
  await readTo(peer, '\n');
  await peer.send('throw\n');
  ok(['end', 'ECONNRESET'].includes(await peer.ended));
  await own.program.output(
    ({ stderr }) => /a protocol failed: Error: thrown by a protocol/.exec(stderr)?.[0],
  );
  const http = await HttpPeer.open(t, own.port);
  deepEqual(JSON.parse((await http.ask(request('/events'))).body), ['closed false true']);
  await own.reportUntil((accepts) => sumOf(accepts, 'closedHandlerFailed') === 1);
});

test('a peer that does not read holds up its own connection, and gets all', async (t) => {
  const peer = await HttpPeer.open(t, portOf(server(), 'echo'), { paused: true });
  const sent = 'abcdefgh'.repeat(500_000);
  const sending = peer.send(sent);
  const other = await HttpPeer.open(t, server().port);
  for (let round = 0; round < 20; round++) await other.ask(request('/fast'));
  peer.resume();
  await sending;
  peer.endSending();
  equal(await read(peer), sent);
});

test('the silent are ended', async (t) => {
  const own = await startServer(t, [APP, ...ARGS, '--keep-alive-timeout', '0.3']);
  const silent = await HttpPeer.open(t, portOf(own, 'echo'));
  equal(await silent.ended, 'end');
  await own.reportUntil((accepts) => sumOf(accepts, 'closedIdle') === 1);
});

test('connections are spread over the threads, and a drain ends all', async (t) => {
  const own = await startServer(t, [APP, ...ARGS]);
  const port = portOf(own, 'commands');
  const peers = await Promise.all(Array.from({ length: 40 }, () => HttpPeer.open(t, port)));
  const hellos = await Promise.all(peers.map((peer) => readTo(peer, '\n')));
  for (const thread of ['accept-0', 'accept-1']) {
    ok(
      hellos.some((hello) => hello.includes(thread)),
      thread,
    );
  }
  const code = own.stop();
  for (const peer of peers) equal(await peer.ended, 'end');
  equal(await code, 0);
});

test('no listener takes all slots for itself', async (t) => {
  const own = await startServer(t, [APP, '-A', '1', '-w', '0', '-C', '12']);
  const echo = await HttpPeer.open(t, portOf(own, 'echo'));
  const http = await HttpPeer.open(t, own.port);
  equal((await http.ask(request('/fast'))).body, 'fast');
  await echo.send('x\n');
  equal(await readTo(echo, '\n'), 'x\n');
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 2);
});
