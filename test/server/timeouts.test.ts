// Peers that are late, with the head of a request, its body, or with taking its response. The pace
// of a slow peer is that of tasks on another connection: nothing here waits for a time to pass.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const TIMEOUT_MS = 400;
/** A task: a byte is sent after each. */
const PACE_MS = 40;
/** A loaded machine may be late, but not by so much. */
const LATE_MAX_MS = 2000;
/** Longer than the handlers of the other tests take. */
const HANDLER_MS = 3000;
const LATE = String(2 * TIMEOUT_MS);

const server = sharedServer([
  ...[APP, '-A', '1', '-w', '4', '-C', '200', '-D', String(PACE_MS)],
  ...['--header-timeout', String(TIMEOUT_MS / 1000), '--keep-alive-timeout', '60'],
  ...['--body-timeout', String(TIMEOUT_MS / 1000), '--send-timeout', String(TIMEOUT_MS / 1000)],
  ...['--handler-timeout', String(HANDLER_MS / 1000)],
]);
const CHUNKED = 'POST /whole HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';
const BY_LENGTH = 'POST /whole HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n';

function until(ms: number): string {
  return `in ${ms} ms`;
}

// Sends a piece of `pieces` after each task until the connection ends. Answers how long that took.
async function trickle(t: TestContext, peer: HttpPeer, pieces: () => string): Promise<number> {
  const pace = await HttpPeer.open(t, server().port);
  const begin = performance.now();
  while (peer.endedBy === undefined) {
    await peer.send(pieces()).catch(() => {});
    equal((await pace.ask(request('/slow'))).status, 200);
    ok(performance.now() - begin < 20_000, 'the connection ends');
    if (peer.hasBytes) break;
  }
  return performance.now() - begin;
}

async function isLate(peer: HttpPeer, took: number, counter: string, before: number) {
  ok(took >= TIMEOUT_MS - PACE_MS, `${until(took)} is too early`);
  ok(took < TIMEOUT_MS + LATE_MAX_MS, `${until(took)} is too late`);
  const { status, fields } = await peer.response();
  deepEqual([status, fields.get('connection')], [408, 'close']);
  deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  peer.close();
  await server().reportUntil(([accept]) => accept!.counters[counter]! > before);
}

describe('408 for a head that is late (RFC 9110 section 15.5.9)', () => {
  const cases: [name: string, before: string, begun: string, more: string][] = [
    ['says nothing more', '', 'GET /fast HTTP/1.1\r\nHo', ''],
    ['says a byte now and then', '', 'GET /fast HTTP/1.1\r\nX: ', 'x'],
    ['says a field now and then', '', 'GET /fast HTTP/1.1\r\n', 'X: 1\r\n'],
    ['sends an empty line', '', '\r\n', ''],
    ['sends its second request so', request('/fast'), 'GET', 'T'],
    ['sends so while a task runs', request('/slow'), 'GET', 'T'],
  ];
  for (const [name, before, begun, more] of cases) {
    test(`to a peer that ${name}`, async (t) => {
      const count = await server().counter('closedHeaderTimeout');
      const peer = await HttpPeer.open(t, server().port);
      if (before !== '') await peer.send(before);
      await peer.send(begun);
      if (before !== '') equal((await peer.response()).status, 200);
      const took = await trickle(t, peer, () => more);
      await isLate(peer, took + (before === '' ? 0 : PACE_MS), 'closedHeaderTimeout', count);
    });
  }
});

describe('408 for a body that is late', () => {
  for (const [name, bytes] of [
    ['by its length', `${BY_LENGTH}some`],
    ['in chunks', `${CHUNKED}4\r\nsome`],
    ['that has not begun', BY_LENGTH],
  ] as const) {
    test(`to a peer that goes silent, ${name}`, async (t) => {
      const count = await server().counter('closedBodyTimeout');
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(bytes);
      await isLate(peer, await trickle(t, peer, () => ''), 'closedBodyTimeout', count);
    });
  }

  for (const [name, target, piece] of [
    ['byte by byte', '/whole', '1\r\nx\r\n'],
    ['byte by byte, to a handler that takes pieces', '/piecewise', '1\r\nx\r\n'],
    ['several chunks at once', '/piecewise', '1\r\nx\r\n1\r\ny\r\n1\r\nz\r\n'],
    ['trailers', '/whole', '0\r\nX: '],
  ] as const) {
    test(`to a peer that sends slower than 1 KiB a second, ${name}`, async (t) => {
      const count = await server().counter('closedBodyTimeout');
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(CHUNKED.replace('/whole', target));
      let sent = 0;
      const next = (): string => (piece.startsWith('0') && sent++ > 0 ? 'x' : piece);
      await isLate(peer, await trickle(t, peer, next), 'closedBodyTimeout', count);
    });
  }

  test('not while its handler does not ask for it', async (t) => {
    for (const [fields, awaited] of [
      ['', 0],
      ['Expect: 100-continue\r\n', 100],
    ] as const) {
      const peer = await HttpPeer.open(t, server().port);
      const target = `/late?ms=${LATE}`;
      const head = BY_LENGTH.replace('/whole', target).replace('1000', '4');
      await peer.send(head.replace('\r\n\r\n', `\r\n${fields}\r\n`));
      if (awaited === 0) await peer.send('bo');
      else equal((await peer.response()).status, awaited);
      await peer.send(awaited === 0 ? 'dy' : 'body');
      equal((await peer.response()).body, 'body');
    }
  });
});

test('504 for a handler that never answers, and the connection ends', async (t) => {
  const before = await server().counter('closedHandlerTimeout');
  const peer = await HttpPeer.open(t, server().port);
  const begin = performance.now();
  const { status, fields } = await peer.ask(request('/never'));
  const took = performance.now() - begin;
  ok(took >= HANDLER_MS && took < HANDLER_MS + LATE_MAX_MS, until(took));
  deepEqual([status, fields.get('connection')], [504, 'close']);
  equal((await peer.rest()).by, 'end');
  peer.close();
  await server().reportUntil(([accept]) => accept!.counters.closedHandlerTimeout! > before);
});

test('connections of clients that left a silent stream end', async (t) => {
  const peers = await Promise.all([0, 1, 2].map(() => HttpPeer.open(t, server().port)));
  for (const peer of peers) {
    await peer.send(request('/silent'));
    while (!peer.hasBytes) await new Promise((resolve) => peer.socket.once('data', resolve));
  }
  for (const peer of peers) peer.endSending();
  for (const peer of peers) {
    const { bytes } = await peer.rest();
    ok(bytes.endsWith('\r\n\r\n5\r\nhello\r\n'), bytes);
    peer.close();
  }
  await server().reportUntil(([accept]) => accept!.counters.connectionsOpen === 0);
});

test('a peer that takes nothing of a large response is cut off', async (t) => {
  const before = await server().counter('closedSendTimeout');
  const peer = await HttpPeer.open(t, server().port, { paused: true });
  const other = await HttpPeer.open(t, server().port);
  await peer.send(request('/download?bytes=100000000'));
  await server().reportUntil(([accept]) => accept!.counters.closedSendTimeout! > before);
  equal((await other.ask(request('/fast'))).body, 'fast');
  peer.resume();
  await peer.ended;
});

test('a peer that takes it slowly but surely is not', async (t) => {
  const peer = await HttpPeer.open(t, server().port, { paused: true });
  const pace = await HttpPeer.open(t, server().port);
  const bytes = 8_000_000;
  await peer.send(request(`/download?bytes=${bytes}`));
  const begin = performance.now();
  let received = 0;
  let tail = Buffer.alloc(0);
  const { socket } = peer;
  while (!tail.toString('latin1').endsWith('\r\n0\r\n\r\n')) {
    await pace.ask(request('/slow'));
    for (let left = 1_500_000; left > 0; ) {
      const piece = socket.read() as Buffer | null;
      if (piece === null) break;
      left -= piece.length;
      received += piece.length;
      tail = Buffer.concat([tail, piece]).subarray(-16);
    }
    ok(performance.now() - begin < 60_000 && peer.endedBy === undefined, `after ${received} bytes`);
  }
  ok(received > bytes);
});
