// How connections end: after which response, in which order, and without destroying it.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const SMALL = ['-A', '1', '-w', '1', '-C', '200', '-D', '5'];
const server = sharedServer([APP, ...SMALL]);

const CLOSE = 'Connection: close';
const FLOOD = 'x'.repeat(4_000_000);

describe('a client that sent much more than was read reads the answer (RFC 9112 9.6)', () => {
  const cases: [name: string, bytes: string, status: number][] = [
    ['a malformed request', 'BAD\n', 400],
    ['a long request line', `GET /${'x'.repeat(20_000)}`, 414],
    ['a long head', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 431],
    ['a body that is too long', body('/whole'), 413],
    ['a body that nobody reads', body('/unread'), 200],
    ['a body of an unknown path', body('/gone'), 404],
    ['a chunk that is malformed', `${chunked('/whole')}zz\r\n`, 400],
    ['its last request', request('/fast', 'GET', CLOSE), 200],
    ['its last request, which a worker answers', request('/slow', 'GET', CLOSE), 200],
  ];
  for (const [name, bytes, status] of cases) {
    test(`behind ${name}`, async (t) => {
      const peer = await HttpPeer.open(t, server().port);
      const sent = peer.send(bytes + FLOOD).catch(() => {});
      const response = await peer.response();
      deepEqual([response.status, response.fields.get('connection')], [status, 'close']);
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
      await sent;
    });
  }

  function body(target: string): string {
    return `POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 40000000\r\n\r\n`;
  }

  function chunked(target: string): string {
    return `POST ${target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n`;
  }
});

describe('nothing behind a last request is answered (RFC 9112 section 9.6)', () => {
  for (const path of ['/fast', '/slow', '/timer', '/stream', '/gone']) {
    test(`which is for ${path}`, async (t) => {
      for (const behind of [request('/fast'), 'not HTTP', request('/throws').repeat(100)]) {
        const peer = await HttpPeer.open(t, server().port);
        await peer.send(request('/fast') + request(path, 'GET', CLOSE) + behind);
        equal((await peer.response()).body, 'fast');
        equal((await peer.response()).fields.get('connection'), 'close');
        deepEqual(await peer.rest(), { by: 'end', bytes: '' });
      }
    });
  }

  test('which is the last that a connection may have', async (t) => {
    const { port } = await startServer(t, [APP, ...SMALL, '--requests-per-connection', '3']);
    const peer = await HttpPeer.open(t, port);
    await peer.send(request('/fast').repeat(5));
    const said = (await peer.responses(3)).map(({ fields }) => fields.get('connection'));
    deepEqual(said, [undefined, undefined, 'close']);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });
});

describe('HTTP/1.0 (RFC 9112 section 9.3)', () => {
  const old = (path: string, ...fields: string[]): string =>
    `${[`GET ${path} HTTP/1.0`, ...fields].join('\r\n')}\r\n\r\n`;
  const KEEP = 'Connection: keep-alive';

  test('ends after one response', async (t) => {
    for (const [path, body] of [
      ['/fast', 'fast'],
      ['/slow', 'slow'],
      ['/timer', 'timer'],
    ]) {
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(old(path!) + old(path!));
      const response = await peer.response();
      deepEqual([response.body, response.fields.get('connection')], [body, 'close']);
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    }
  });

  test('goes on for a client that asks for it', async (t) => {
    const peer = await HttpPeer.open(t, server().port);
    for (const path of ['/fast', '/slow', '/timer', '/measured']) {
      const response = await peer.ask(old(path, KEEP));
      deepEqual([response.status, response.fields.get('connection')], [200, 'keep-alive'], path);
    }
    await peer.send(old('/timer', KEEP) + old('/slow', KEEP) + old('/fast', KEEP));
    const bodies = (await peer.responses(3)).map(({ body }) => body);
    deepEqual(bodies, ['timer', 'slow', 'fast']);
  });

  test('has no chunks: a stream ends with its connection (section 6.3)', async (t) => {
    for (const fields of [[], [KEEP]]) {
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(old('/stream', ...fields));
      const response = await peer.response();
      equal(response.fields.has('transfer-encoding'), false);
      deepEqual([response.body, await peer.ended], ['one two three', 'end']);
    }
  });

  test('and nothing is answered behind it, where it would be part of the stream', async (t) => {
    const peer = await HttpPeer.open(t, server().port);
    await peer.send(old('/stream', KEEP) + old('/fast', KEEP) + old('/slow', KEEP));
    equal((await peer.response()).body, 'one two three');
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });
});

test('a client that ends its side is answered before the connection ends', async (t) => {
  for (const path of ['/fast', '/slow', '/timer', '/stream']) {
    const peer = await HttpPeer.open(t, server().port);
    await peer.send(request(path));
    peer.endSending();
    equal((await peer.response()).status, 200, path);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  }
});

test('a client that is gone costs a download nothing but itself', async (t) => {
  const before = await server().counter('connectionsOpen');
  for (let round = 0; round < 10; round++) {
    const peer = await HttpPeer.open(t, server().port, { paused: true });
    await peer.send(request('/download?bytes=50000000'));
    if (round % 2 === 0) peer.reset();
    else peer.close();
  }
  await server().reportUntil(([accept]) => accept!.counters.connectionsOpen! <= before);
  const peer = await HttpPeer.open(t, server().port);
  equal((await peer.ask(request('/fast'))).body, 'fast');
  ok(!/a handler failed/.test(server().program.stderr), 'that a peer is gone is no failure');
});
