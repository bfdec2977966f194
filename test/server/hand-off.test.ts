// Connections that are handed to workers: served there, blocking or on the worker's loop, and given
// back; whatever their peers do, every response is right, in order, and from the thread it should
// be, and nothing is left.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { anyTarget, checkHandedOff, converse } from '../support/hand-off-conversation.ts';
import type { HttpResponse } from '../support/http-peer.ts';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

// Of a drain, where nothing else is said.
const DRAIN_TIMEOUT_MS = 10_000;
const APP = fileURLToPath(new URL('../support/hand-off-app.ts', import.meta.url));

const server = sharedServer([APP, '-A', '1', '-C', '300', '-w', '2']);

function start(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  return startServer(t, [APP, '-A', '1', '-C', '100', ...args]);
}

function post(target: string, body: string): string {
  return request(target, 'POST', `Content-Length: ${body.length}`) + body;
}

function textOf(response: HttpResponse): string {
  return response.body;
}

// Every connection, slot, holder and block is back.
async function allBack(own: ServerProcess): Promise<void> {
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
}

test('a worker answers what it was handed, the accept thread the next request', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const target of ['/sync?1', '/fast?2', '/async?3', '/fast?4', '/kept?5', '/fast?6']) {
    checkHandedOff(target, await peer.ask(request(target)));
  }
});

test('requests that arrive together are answered in order, each from its thread', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const random = prng(1);
  const targets = Array.from({ length: 50 }, (_, index) => anyTarget(random, `${index}`));
  await peer.send(targets.map((target) => request(target)).join(''));
  for (const target of targets) checkHandedOff(target, await peer.response());
});

test('connections with requests of every kind, serial and pipelined, cut anywhere', async (t) => {
  const { port } = server();
  const peers = await Promise.all(Array.from({ length: 60 }, () => HttpPeer.open(t, port)));
  await Promise.all(peers.map((peer, index) => converse(peer, 40, prng(index))));
  for (const peer of peers) peer.close();
  await allBack(server());
});

for (const target of ['/sync-echo', '/async-echo']) {
  test(`${target}: a body follows its connection, and so does what is behind it`, async (t) => {
    const peer = await HttpPeer.open(t, server().port);
    for (const size of [0, 1, 1000, 100_000, 1_000_000]) {
      const body = 'abcdefghij'.repeat(size / 10 + 1).slice(0, size);
      await peer.send(post(target, body) + request('/fast?behind'));
      const response = await peer.response();
      equal(textOf(response), body);
      checkHandedOff('/fast?behind', await peer.response());
    }
    await peer.send(`${request(target, 'POST', 'Transfer-Encoding: chunked')}3\r\none\r\n`);
    await peer.send('3\r\ntwo\r\n0\r\n\r\n');
    equal(textOf(await peer.response()), 'onetwo');
    checkHandedOff('/fast?', await peer.ask(request('/fast?')));
  });
}

test('a body that nobody reads is dropped, and the next request is served', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(
    request('/sync?unread', 'GET', 'Content-Length: 30000') +
      'x'.repeat(30_000) +
      request('/fast?'),
  );
  checkHandedOff('/sync?unread', await peer.response());
  checkHandedOff('/fast?', await peer.response());
});

test('HEAD, a close that was asked for, and HTTP/1.0', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const head = await peer.ask(request('/sync?', 'HEAD'), 'HEAD');
  deepEqual([head.status, head.fields.get('content-length'), head.body.length], [200, '6', 0]);
  checkHandedOff('/async?', await peer.ask(request('/async?', 'GET', 'Connection: close')));
  equal((await peer.rest()).by, 'end');
  const old = await HttpPeer.open(t, server().port);
  await old.send('GET /sync-bytes?25000 HTTP/1.0\r\n\r\n');
  const { by, bytes } = await old.rest();
  equal(by, 'end');
  ok(bytes.endsWith('millrace'.repeat(100)));
});

test('a peer that does not read holds up its blocking handler, not the server', async (t) => {
  const own = await start(t, '-w', '1', '--send-timeout', '1');
  const stuck = await HttpPeer.open(t, own.port, { paused: true });
  await stuck.send(request('/sync-bytes?50000000'));
  const other = await HttpPeer.open(t, own.port);
  await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 1);
  checkHandedOff('/fast?', await other.ask(request('/fast?')));
  // The only worker has the next one when the stuck peer was late.
  checkHandedOff('/sync?next', await other.ask(request('/sync?next')));
  equal((await own.report())[1]!.counters.adopted, 2);
  equal(await own.counter('closedSendTimeout'), 1);
});

test('a handler that fails costs its connection an error, and is logged', async (t) => {
  const own = await start(t, '-w', '1');
  const peer = await HttpPeer.open(t, own.port);
  equal((await peer.ask(request('/sync-throws'))).status, 500);
  equal((await peer.ask(request('/async-throws'))).status, 500);
  checkHandedOff('/sync?', await peer.ask(request('/sync?')));
  await own.program.output(
    ({ stderr }) =>
      /thrown by a blocking handler[\s\S]*thrown by a handler on a loop/.exec(stderr)?.[0],
  );
});

for (const target of ['/sync-exit', '/sync-hang']) {
  test(`${target}: the connection ends with its worker, which is replaced`, async (t) => {
    const own = await start(t, '-w', '1', '--task-timeout', '1');
    const peer = await HttpPeer.open(t, own.port);
    const other = await HttpPeer.open(t, own.port);
    await peer.send(request(target));
    const queued = other.ask(request('/sync?after'));
    ok(['end', 'ECONNRESET'].includes(await peer.ended));
    const after = await queued;
    // What waits behind one that hangs is late as well.
    if (target === '/sync-exit') checkHandedOff('/sync?after', after);
    else ok([200, 504].includes(after.status));
    const fresh = await HttpPeer.open(t, own.port);
    checkHandedOff('/kept?', await fresh.ask(request('/kept?')));
    equal(await own.counter('closedThreadDied'), 1);
  });
}

test('every connection of a thread may be away at once', async (t) => {
  const own = await start(t, '-w', '1', '-C', '4');
  const peers = await Promise.all(Array.from({ length: 4 }, () => HttpPeer.open(t, own.port)));
  await peers[0]!.send(request('/sync-echo', 'POST', 'Content-Length: 5'));
  await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 1);
  for (const peer of peers.slice(1)) await peer.send(request('/sync?'));
  await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 4);
  await peers[0]!.send('12345');
  equal(textOf(await peers[0]!.response()), '12345');
  for (const peer of peers.slice(1)) checkHandedOff('/sync?', await peer.response());
});

test('a client that leaves while its connection is away gives its slot back', async (t) => {
  const own = await start(t, '-w', '1');
  for (const target of ['/async-waits', '/sync-echo', '/kept?']) {
    const peer = await HttpPeer.open(t, own.port);
    await peer.send(request(target, target === '/sync-echo' ? 'POST' : 'GET', 'Content-Length: 5'));
    await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') > 0);
    peer.reset();
    await allBack(own);
  }
  checkHandedOff('/sync?', await (await HttpPeer.open(t, own.port)).ask(request('/sync?')));
});

test('a drain waits for connections that are away, and calls home those kept', async (t) => {
  const own = await start(t, '-w', '1');
  const kept = await HttpPeer.open(t, own.port);
  checkHandedOff('/kept?', await kept.ask(request('/kept?')));
  const away = await HttpPeer.open(t, own.port);
  await away.send(request('/async-echo', 'POST', 'Content-Length: 5'));
  await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 2);
  const code = own.stop();
  equal(await kept.ended, 'end');
  await away.send('12345');
  equal(textOf(await away.response()), '12345');
  equal(await away.ended, 'end');
  equal(await code, 0);
});

test('a worker that is replaced during a drain keeps no connection', async (t) => {
  const own = await start(t, '-w', '1');
  const exits = await HttpPeer.open(t, own.port);
  await exits.ask(request('/fast?'));
  const kept = await HttpPeer.open(t, own.port);
  await kept.ask(request('/fast?'));
  const begin = performance.now();
  const code = own.stop();
  await exits.send(request('/sync-exit'));
  // Who has begun to ask is not silent.
  const asked = request('/kept?');
  await kept.send(asked.slice(0, 10));
  await exits.ended;
  checkHandedOff('/kept?', await kept.ask(asked.slice(10)));
  equal(await kept.ended, 'end');
  equal(await code, 0);
  ok(performance.now() - begin < DRAIN_TIMEOUT_MS, 'the drain has not ended it');
});

test('without workers a handler for a loop runs in the accept thread', async (t) => {
  const peer = await HttpPeer.open(t, (await start(t, '-w', '0')).port);
  const response = await peer.ask(request('/async?'));
  deepEqual([response.body, response.fields.get('x-thread')], ['/async?', 'accept-0']);
  equal((await peer.ask(request('/sync?'))).status, 503);
  checkHandedOff('/slow?', await peer.ask(request('/slow?')));
});
