// What handlers answer, over TCP: in order, in pieces, with fields and trailers, and with mistakes.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const SMALL = ['-A', '1', '-C', '200', '-D', '1'];
const server = sharedServer([APP, ...SMALL, '-w', '2']);

const BODIES: Record<string, string> = {
  '/fast': 'fast',
  '/slow': 'slow',
  '/timer': 'timer',
  '/callback': 'callback',
  '/stream': 'one two three',
  '/measured': 'fourfive',
  '/trailers': 'body',
  '/fields': '<p>',
  '/gone': '404 Not Found\n',
  '/throws': '500 Internal Server Error\n',
  '/rejects': '500 Internal Server Error\n',
  '/eager': '500 Internal Server Error\n',
};

describe('pipelined requests of all kinds are answered in order (RFC 9112 9.3.2)', () => {
  const paths = Object.keys(BODIES);
  for (const workers of ['0', '2']) {
    test(`with ${workers} workers`, async (t) => {
      const { port } = await startServer(t, [APP, ...SMALL, '-w', workers]);
      const pick = prng(Number(workers) + 1);
      const peer = await HttpPeer.open(t, port);
      for (let round = 0; round < 60; round++) {
        const count = 1 + pick(40);
        const asked = Array.from({ length: count }, () => paths[pick(paths.length)]!);
        const methods = asked.map(() => (pick(8) === 0 ? 'HEAD' : 'GET'));
        await peer.send(asked.map((path, index) => request(path, methods[index])).join(''));
        for (const [index, path] of asked.entries()) {
          const { body } = await peer.response(methods[index]);
          equal(body, methods[index] === 'HEAD' ? '' : BODIES[path], `${round}: ${asked}`);
        }
        equal(peer.hasBytes, false);
      }
    });
  }

  test('on many connections at once', async (t) => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, seed) => {
        const pick = prng(seed);
        const peer = await HttpPeer.open(t, server().port);
        const asked = Array.from({ length: 100 }, () => paths[pick(paths.length)]!);
        await peer.send(asked.map((path) => request(path)).join(''));
        const bodies = (await peer.responses(100)).map(({ body }) => body);
        deepEqual(
          bodies,
          asked.map((path) => BODIES[path]),
        );
      }),
    );
  });

  test('and peers that leave amid them leave nothing', async (t) => {
    const before = await server().counter('connectionsOpen');
    for (let round = 0; round < 40; round++) {
      const pick = prng(round);
      const peer = await HttpPeer.open(t, server().port);
      const asked = Array.from({ length: 60 }, () => paths[pick(paths.length)]!);
      await peer.send(asked.map((path) => request(path)).join(''));
      for (let index = pick(4); index > 0; index--) await peer.response();
      if (round % 2 === 0) peer.reset();
      else peer.close();
    }
    await server().reportUntil(([accept]) => accept!.counters.connectionsOpen! <= before);
    const peer = await HttpPeer.open(t, server().port);
    equal((await peer.ask(request('/fast'))).body, 'fast');
  });

  test('and one that is not safe waits for those before it, and they for it', async (t) => {
    const peer = await HttpPeer.open(t, server().port);
    const post = 'POST /whole HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc';
    await peer.send(request('/timer?ms=20') + post + request('/stream') + post + request('/fast'));
    const bodies = (await peer.responses(5)).map(({ body }) => body);
    deepEqual(bodies, ['timer', 'abc', 'one two three', 'abc', 'fast']);
  });
});

test('HEAD has the head of GET and no body, however it is made (RFC 9110 9.3.2)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const path of Object.keys(BODIES)) {
    const get = await peer.ask(request(path));
    const head = await peer.ask(request(path, 'HEAD'), 'HEAD');
    equal(head.status, get.status, path);
    deepEqual([...head.fields.keys()], [...get.fields.keys()], path);
    equal(head.fields.get('content-length'), get.fields.get('content-length'), path);
  }
  equal((await peer.ask(request('/fast'))).body, 'fast');
});

test('a body in pieces is sent in chunks, or as long as was said (RFC 9112 7.1)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const stream = await peer.ask(request('/stream'));
  equal(stream.fields.get('transfer-encoding'), 'chunked');
  const measured = await peer.ask(request('/measured'));
  deepEqual([measured.fields.get('content-length'), measured.body], ['8', 'fourfive']);
});

test('trailers stand behind the chunks (RFC 9110 section 6.5)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const { trailers } = await peer.ask(request('/trailers'));
  deepEqual(
    [...trailers],
    [
      ['x-sum', '42'],
      ['x-late', 'yes'],
    ],
  );
});

test('fields are sent as they were set (RFC 9110 section 5)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const { fields, body } = await peer.ask(request('/fields'));
  equal(fields.get('x-one'), '1');
  equal(fields.get('x-two'), 'a, b');
  equal(fields.get('content-type'), 'text/html');
  equal(body, '<p>');
});

test('304 does not say that nothing is what has not changed (RFC 9110 8.6)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const { status, fields } = await peer.ask(request('/not-modified'));
  deepEqual([status, fields.get('etag')], [304, '"1"']);
  equal(fields.has('content-length'), false);
  equal((await peer.ask(request('/fast'))).body, 'fast');
});

test('no field or trailer can split a response (RFC 9112 section 11.1)', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const { body, fields } = await peer.ask(request('/split'));
  equal(body, `${'TypeError '.repeat(11)}RangeError`);
  deepEqual([...fields.keys()].sort(), ['content-length', 'content-type', 'date']);
  equal(peer.hasBytes, false);
});

describe('a handler may await', () => {
  test('a timer, and others are served meanwhile', async (t) => {
    const slow = await HttpPeer.open(t, server().port);
    const fast = await HttpPeer.open(t, server().port);
    await slow.send(request('/timer?ms=100'));
    for (let index = 0; index < 20; index++) await fast.ask(request('/fast'));
    equal(slow.hasBytes, false);
    equal((await slow.response()).body, 'timer');
  });

  test('what it fetches from another server', async (t) => {
    const url = await otherServer(t);
    const peer = await HttpPeer.open(t, server().port);
    for (let index = 0; index < 20; index++) {
      const { status, body } = await peer.ask(request(`/fetch?url=${encodeURIComponent(url)}`));
      deepEqual([status, body], [203, 'from another server']);
    }
  });

  async function otherServer(t: TestContext): Promise<string> {
    const other = createServer((_request, response) => {
      response.writeHead(203).end('from another server');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      other.close();
      other.closeAllConnections();
    });
    return `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  }
});

describe('a mistake of a handler', () => {
  test('before the head is 500, and the connection goes on', async (t) => {
    const peer = await HttpPeer.open(t, server().port);
    for (const path of ['/throws', '/rejects', '/returns', '/eager']) {
      equal((await peer.ask(request(path))).status, 500, path);
      equal((await peer.ask(request('/fast'))).body, 'fast', path);
    }
    match(server().program.stderr, /a mistake in an async handler/);
  });

  // A peer must not take half a response for a whole one: RFC 9112 section 8.
  test('behind the head breaks the connection off', async (t) => {
    for (const path of ['/throws-late', '/too-short']) {
      const before = await server().counter('closedHandlerFailed');
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(request('/fast') + request(path) + request('/fast'));
      equal((await peer.response()).body, 'fast');
      const { bytes } = await peer.rest();
      ok(!bytes.endsWith('0\r\n\r\n'), `${path}: ${bytes}`);
      ok(!bytes.includes('fast'), `${path}: ${bytes}`);
      await server().reportUntil(([accept]) => accept!.counters.closedHandlerFailed! > before);
    }
  });
});

describe('a large download', () => {
  const BYTES = 200_000_000;
  const GROWTH_MAX = 48 * 1024 * 1024;

  test('waits for its peer, and the memory of the server does not grow', async (t) => {
    const { port, pid } = server();
    const other = await HttpPeer.open(t, port);
    // The first one compiles what it needs.
    await download(t, port, 20_000_000);
    const before = residentSize(pid);
    const peer = await HttpPeer.open(t, port, { paused: true });
    await peer.send(request(`/download?bytes=${BYTES}`));
    for (let index = 0; index < 2000; index++) await other.ask(request('/fast'));
    const waiting = residentSize(pid);
    ok(waiting - before < GROWTH_MAX, `${before} to ${waiting} while it waits`);
    const received = await receive(peer);
    ok(received >= BYTES, `${received} bytes`);
    const after = residentSize(pid);
    ok(after - before < GROWTH_MAX, `${before} to ${after}`);
  });

  async function download(t: TestContext, port: number, bytes: number): Promise<void> {
    const peer = await HttpPeer.open(t, port, { paused: true });
    await peer.send(request(`/download?bytes=${bytes}`));
    ok((await receive(peer)) >= bytes);
  }

  // Counts what arrives until the last chunk.
  function receive({ socket }: HttpPeer): Promise<number> {
    return new Promise((resolve) => {
      let received = 0;
      let tail = Buffer.alloc(0);
      socket.on('data', (piece: Buffer) => {
        received += piece.length;
        tail = Buffer.concat([tail, piece.subarray(-16)]).subarray(-16);
        if (tail.toString('latin1').endsWith('\r\n0\r\n\r\n')) resolve(received);
      });
      socket.on('close', () => resolve(received));
    });
  }

  // proc(5): VmRSS in kB.
  function residentSize(pid: number): number {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }
});
