// How requests may arrive: one after the other, all at once, byte by byte, and badly formed.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { FAST, FAST_AND_CLOSE, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const ARGS = ['-A', '1', '-w', '1', '-D', '1'];
const server = sharedServer(ARGS);
const GONE = request('/gone');

// A pipeline of requests that are told apart by their responses, from a seed.
function mixed(count: number, seed: number): { bytes: string; statuses: number[] } {
  let state = seed;
  let bytes = '';
  const statuses: number[] = [];
  for (let index = 0; index < count; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const kind = (state >>> 16) % 4;
    bytes += [FAST, SLOW, GONE, request('/test/slow', 'POST')][kind]!;
    statuses.push([200, 200, 404, 405][kind]!);
  }
  return { bytes, statuses };
}

// What was sent before has reached the server when another connection of the only accept thread has
// its answer: the kernel delivers on the loopback device at once, and completes in order.
function barrier(t: TestContext, port: number): Promise<() => Promise<void>> {
  return HttpPeer.open(t, port).then((peer) => async () => {
    equal((await peer.ask(FAST)).status, 200);
  });
}

test('a connection serves many requests, one after the other', async (t) => {
  const before = await server().report();
  const peer = await HttpPeer.open(t, server().port);
  for (let index = 0; index < 3000; index++) equal((await peer.ask(FAST)).status, 200);
  for (let index = 0; index < 50; index++) equal((await peer.ask(SLOW)).status, 200);
  const after = await server().report();
  for (const [counter, expected] of [
    ['connectionsAccepted', 1],
    ['requests', 3050],
    ['responses2xx', 3050],
    ['tasksCompleted', 50],
  ] as const) {
    equal(sumOf(after, counter) - sumOf(before, counter), expected, counter);
  }
});

test('pipelined requests are answered in order', async (t) => {
  const { port } = server();
  const peer = await HttpPeer.open(t, port);
  for (let count = 1; count <= 100; count++) {
    const { bytes, statuses } = mixed(count, count);
    await peer.send(bytes);
    const responses = await peer.responses(count);
    deepEqual(
      responses.map(({ status }) => status),
      statuses,
      `${count} requests`,
    );
  }
  equal(peer.hasBytes, false);
});

test('many connections pipeline at once', async (t) => {
  const { port } = await startServer(t, ['-A', '2', '-w', '2', '-D', '0']);
  await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      const peer = await HttpPeer.open(t, port);
      const { bytes, statuses } = mixed(60, 1000 + index);
      await peer.send(bytes);
      const responses = await peer.responses(statuses.length);
      deepEqual(
        responses.map(({ status }) => status),
        statuses,
      );
    }),
  );
});

describe('a request may be split', () => {
  const pipelined = `${GONE}${request('/test/slow', 'HEAD')}${FAST}`;

  test('at every byte, in two', async (t) => {
    const { port } = server();
    const arrived = await barrier(t, port);
    const peer = await HttpPeer.open(t, port);
    for (let at = 1; at < pipelined.length; at++) {
      await peer.send(pipelined.slice(0, at));
      await arrived();
      await peer.send(pipelined.slice(at));
      equal((await peer.response()).status, 404, `split at ${at}`);
      equal((await peer.response('HEAD')).status, 200, `split at ${at}`);
      equal((await peer.response()).status, 200, `split at ${at}`);
    }
    equal(peer.hasBytes, false);
  });

  test('at every byte at once, on its first and its second request', async (t) => {
    const { port } = server();
    const arrived = await barrier(t, port);
    const peer = await HttpPeer.open(t, port);
    for (let round = 0; round < 2; round++) {
      for (const byte of pipelined) {
        await peer.send(byte);
        await arrived();
      }
      equal((await peer.response()).status, 404);
      equal((await peer.response('HEAD')).status, 200);
      equal((await peer.response()).status, 200);
    }
  });

  test('where a long head fills many receive buffers', async (t) => {
    const { port } = server();
    const arrived = await barrier(t, port);
    const peer = await HttpPeer.open(t, port);
    const fields = Array.from({ length: 15 }, (_, index) => `X-${index}: ${'v'.repeat(1000)}`);
    const bytes = request('/test/fast', 'GET', ...fields) + GONE;
    for (const size of [1000, 2047, 2048, 2049, 4096, bytes.length]) {
      for (let at = 0; at < bytes.length; at += size) {
        await peer.send(bytes.slice(at, at + size));
        await arrived();
      }
      equal((await peer.response()).status, 200, `pieces of ${size}`);
      equal((await peer.response()).status, 404, `pieces of ${size}`);
    }
  });
});

describe('a request that is not well-formed ends the connection', () => {
  const long = (size: number): string => 'a'.repeat(size);
  const cases: [name: string, bytes: string, status: number][] = [
    ['bare LF', 'GET /test/fast HTTP/1.1\nHost: test\n\n', 400],
    ['bare LF after a field', 'GET /test/fast HTTP/1.1\r\nHost: test\n\r\n', 400],
    ['bare CR', 'GET /test/fast HTTP/1.1\r\nHost: te\rst\r\n\r\n', 400],
    ['no Host', 'GET /test/fast HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', request('/test/fast', 'GET', 'Host: test'), 400],
    ['a bad Host', 'GET /test/fast HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
    ['a bad method', request('/test/fast', 'G(T'), 400],
    ['no method', ' /test/fast HTTP/1.1\r\nHost: test\r\n\r\n', 400],
    ['no target', 'GET HTTP/1.1\r\nHost: test\r\n\r\n', 400],
    ['a space in the target', request('/test/ fast'), 400],
    ['a control in the target', request('/test/\x01fast'), 400],
    ['a fragment in the target', request('/test/fast#top'), 400],
    ['a target without a slash', request('test/fast'), 400],
    ['no version', 'GET /test/fast\r\nHost: test\r\n\r\n', 400],
    ['a version in small letters', 'GET /test/fast http/1.1\r\nHost: test\r\n\r\n', 400],
    ['space before a colon', request('/test/fast', 'GET', 'X : 1'), 400],
    ['a folded field', request('/test/fast', 'GET', 'X: 1', ' 2'), 400],
    ['a field without a name', request('/test/fast', 'GET', ': 1'), 400],
    ['a field without a colon', request('/test/fast', 'GET', 'X'), 400],
    ['a NUL in a field', request('/test/fast', 'GET', 'X: \0'), 400],
    ['two lengths', request('/test/fast', 'GET', 'Content-Length: 0', 'Content-Length: 1'), 400],
    ['a signed length', request('/test/fast', 'GET', 'Content-Length: +5'), 400],
    [
      'a length and a coding',
      request('/test/fast', 'GET', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      400,
    ],
    ['a coding that is last and not chunked', coding('chunked, gzip'), 400],
    ['a coding that is not known', coding('gzip, chunked'), 501],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['HTTP/1.2', 'GET /test/fast HTTP/1.2\r\nHost: test\r\n\r\n', 505],
    ['a long target', request(`/${long(9000)}`), 414],
    ['a long method', request('/', long(9000)), 414],
    ['a long field', request('/', 'GET', `X: ${long(17_000)}`), 431],
    ['a long name', request('/', 'GET', `${long(17_000)}: 1`), 431],
    ['many fields', request('/', 'GET', ...Array.from({ length: 101 }, () => 'X: 1')), 431],
  ];

  function coding(value: string): string {
    return request('/test/fast', 'GET', `Transfer-Encoding: ${value}`);
  }

  // First on its connection, and behind one that was answered; alone, and with more behind it.
  for (const [name, bytes, status] of cases) {
    test(`${status} for ${name}`, async (t) => {
      const { port } = server();
      for (const before of ['', FAST]) {
        for (const behind of ['', FAST, FAST.repeat(400)]) {
          const peer = await HttpPeer.open(t, port);
          await peer.send(before + bytes + behind);
          if (before !== '') equal((await peer.response()).status, 200);
          const response = await peer.response();
          equal(response.status, status);
          equal(response.fields.get('connection'), 'close');
          deepEqual(await peer.rest(), { by: 'end', bytes: '' });
          peer.close();
        }
      }
    });
  }

  test('and its peer reads the response though it sends on', async (t) => {
    const { port } = server();
    const arrived = await barrier(t, port);
    for (const first of ['BAD\n', FAST + request('/', 'POST', 'Content-Length: nine')]) {
      const peer = await HttpPeer.open(t, port);
      await peer.send(first);
      for (let round = 0; round < 20; round++) {
        await arrived();
        await peer.send(FAST.repeat(50));
      }
      if (first.startsWith('GET')) equal((await peer.response()).status, 200);
      ok((await peer.response()).status >= 400);
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    }
  });
});

test('a few empty lines before a request are overlooked', async (t) => {
  const { port } = server();
  const peer = await HttpPeer.open(t, port);
  equal((await peer.ask(`\r\n${FAST}`)).status, 200);
  equal((await peer.ask('\r\n'.repeat(200) + FAST_AND_CLOSE)).status, 400);
  equal(await peer.ended, 'end');
});
