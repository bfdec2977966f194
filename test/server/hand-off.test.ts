// Connections that are handed to workers: served there, blocking or on the worker's loop, and given
// back; whatever their peers do, every response is right, in order, and from the thread it should
// be, and nothing is left.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HttpResponse } from '../support/http-peer.ts';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { runProgram, sharedServer, startServer, sumOf } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/hand-off-app.ts', import.meta.url));
const KINDS = ['/fast', '/slow', '/sync', '/async', '/kept'] as const;

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

function check(target: string, response: HttpResponse): void {
  equal(response.status, 200, target);
  equal(textOf(response), target);
  if (target.startsWith('/slow')) return;
  match(
    response.fields.get('x-thread') ?? '',
    target.startsWith('/fast') ? /^accept-0$/ : /^worker-[01]$/,
  );
}

// Every connection, slot, holder and block is back.
async function allBack(own: ServerProcess): Promise<void> {
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
}

test('a worker answers what it was handed, the accept thread the next request', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const target of ['/sync?1', '/fast?2', '/async?3', '/fast?4', '/kept?5', '/fast?6']) {
    check(target, await peer.ask(request(target)));
  }
});

test('requests that arrive together are answered in order, each from its thread', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const targets = Array.from({ length: 50 }, (_, index) => `${KINDS[index % 5]}?${index}`);
  await peer.send(targets.map((target) => request(target)).join(''));
  for (const target of targets) check(target, await peer.response());
});

test('connections with requests of every kind, serial and pipelined, cut anywhere', async (t) => {
  const random = prng(7);
  const peers = await Promise.all(
    Array.from({ length: 60 }, () => HttpPeer.open(t, server().port)),
  );
  const conversation = async (peer: HttpPeer, name: number): Promise<void> => {
    for (let round = 0; round < 12; round++) {
      const targets = Array.from(
        { length: 1 + random(6) },
        (_, index) => `${KINDS[random(5)]}?${name}.${round}.${index}`,
      );
      const bytes = targets.map((target) => request(target)).join('');
      const cut = random(bytes.length);
      await peer.send(bytes.slice(0, cut));
      await peer.send(bytes.slice(cut));
      for (const target of targets) check(target, await peer.response());
    }
  };
  await Promise.all(peers.map(conversation));
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
      check('/fast?behind', await peer.response());
    }
    await peer.send(`${request(target, 'POST', 'Transfer-Encoding: chunked')}3\r\none\r\n`);
    await peer.send('3\r\ntwo\r\n0\r\n\r\n');
    equal(textOf(await peer.response()), 'onetwo');
    check('/fast?', await peer.ask(request('/fast?')));
  });
}

test('a body that nobody reads is dropped, and the next request is served', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(
    request('/sync?unread', 'GET', 'Content-Length: 30000') +
      'x'.repeat(30_000) +
      request('/fast?'),
  );
  check('/sync?unread', await peer.response());
  check('/fast?', await peer.response());
});

test('HEAD, a close that was asked for, and HTTP/1.0', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const head = await peer.ask(request('/sync?', 'HEAD'), 'HEAD');
  deepEqual([head.status, head.fields.get('content-length'), head.body.length], [200, '6', 0]);
  check('/async?', await peer.ask(request('/async?', 'GET', 'Connection: close')));
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
  check('/fast?', await other.ask(request('/fast?')));
  // The only worker has the next one when the stuck peer was late.
  check('/sync?next', await other.ask(request('/sync?next')));
  equal((await own.report())[1]!.counters.adopted, 2);
  equal(await own.counter('closedSendTimeout'), 1);
});

test('a handler that fails costs its connection an error, and is logged', async (t) => {
  const own = await start(t, '-w', '1');
  const peer = await HttpPeer.open(t, own.port);
  equal((await peer.ask(request('/sync-throws'))).status, 500);
  equal((await peer.ask(request('/async-throws'))).status, 500);
  check('/sync?', await peer.ask(request('/sync?')));
  match(own.program.stderr, /thrown by a blocking handler[\s\S]*thrown by a handler on a loop/);
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
    if (target === '/sync-exit') check('/sync?after', after);
    else ok([200, 504].includes(after.status));
    const fresh = await HttpPeer.open(t, own.port);
    check('/kept?', await fresh.ask(request('/kept?')));
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
  for (const peer of peers.slice(1)) check('/sync?', await peer.response());
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
  check('/sync?', await (await HttpPeer.open(t, own.port)).ask(request('/sync?')));
});

test('a drain waits for connections that are away, and calls home those kept', async (t) => {
  const own = await start(t, '-w', '1');
  const kept = await HttpPeer.open(t, own.port);
  check('/kept?', await kept.ask(request('/kept?')));
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

test('without workers a blocking handler ends the start', async (t) => {
  const { code, stderr } = await runProgram(t, [APP, '-w', '0', '-p', '0']);
  equal(code, 1);
  match(stderr, /connection handler "sync" blocks: it needs a worker thread/);
});
