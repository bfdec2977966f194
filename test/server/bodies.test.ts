// The bodies of requests, over TCP: how they are framed, cut, waited for, refused and left unread.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const ECHO = fileURLToPath(new URL('../../src/demo/echo.ts', import.meta.url));
const SMALL = ['-A', '1', '-w', '1', '-C', '200', '-D', '1'];

const echo = sharedServer([ECHO, ...SMALL]);
const app = sharedServer([APP, ...SMALL, '--body-limit', '5000']);

function post(target: string, body: string, ...fields: string[]): string {
  return head(target, `Content-Length: ${body.length}`, ...fields) + body;
}

function head(target: string, ...fields: string[]): string {
  return `${[`POST ${target} HTTP/1.1`, 'Host: test', ...fields].join('\r\n')}\r\n\r\n`;
}

function chunks(...pieces: string[]): string {
  const lines = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return `${lines.join('')}0\r\n\r\n`;
}

function chunkedPost(target: string, ...pieces: string[]): string {
  return head(target, 'Transfer-Encoding: chunked') + chunks(...pieces);
}

// What was sent before has reached the server when another connection has its answer.
async function barrier(t: TestContext, port: number): Promise<() => Promise<void>> {
  const peer = await HttpPeer.open(t, port);
  return async () => {
    equal((await peer.ask(post('/unread', 'x'))).status, 200);
  };
}

function noise(size: number, seed: number): string {
  const next = prng(seed);
  const bytes = Buffer.alloc(size);
  for (let index = 0; index < size; index++) bytes[index] = next(256);
  return bytes.toString('latin1');
}

describe('a body is echoed (RFC 9112 section 6)', () => {
  test('by its length, of every size around those of buffers', async (t) => {
    const peer = await HttpPeer.open(t, echo().port);
    for (const size of [0, 1, 2047, 2048, 2049, 16_383, 16_384, 65_535, 65_536, 65_537, 500_000]) {
      const body = noise(size, size);
      const response = await peer.ask(post('/', body));
      equal(response.status, 200);
      ok(response.body === body, `${size} bytes come back as they were`);
    }
  });

  test('in chunks, of every size around those of buffers (section 7.1)', async (t) => {
    const peer = await HttpPeer.open(t, echo().port);
    for (const size of [1, 15, 16, 2047, 2048, 2049, 65_536, 300_000]) {
      const body = noise(size, size);
      for (const cut of [size, Math.ceil(size / 2), Math.max(1, size >> 6)]) {
        const pieces: string[] = [];
        for (let at = 0; at < size; at += cut) pieces.push(body.slice(at, at + cut));
        const response = await peer.ask(chunkedPost('/', ...pieces));
        ok(response.body === body, `${size} bytes in chunks of ${cut} come back as they were`);
      }
    }
  });

  test('with extensions and trailers of its chunks, which are dropped', async (t) => {
    const peer = await HttpPeer.open(t, echo().port);
    const body = '3;a=b;c="d"\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n';
    const response = await peer.ask(head('/', 'Transfer-Encoding: chunked') + body);
    deepEqual([response.status, response.body], [200, 'abc']);
    equal((await peer.ask(post('/', 'next'))).body, 'next');
  });

  test('split anywhere, with requests behind it', async (t) => {
    const { port } = echo();
    const arrived = await barrier(t, port);
    const peer = await HttpPeer.open(t, port);
    const bytes = post('/', 'one') + chunkedPost('/', 'tw', 'o') + post('/', '') + post('/', '4');
    for (let at = 1; at < bytes.length; at++) {
      await peer.send(bytes.slice(0, at));
      await arrived();
      await peer.send(bytes.slice(at));
      const bodies = (await peer.responses(4)).map(({ body }) => body);
      deepEqual(bodies, ['one', 'two', '', '4'], `split at ${at}`);
    }
  });

  test('byte by byte', async (t) => {
    const { port } = echo();
    const arrived = await barrier(t, port);
    const peer = await HttpPeer.open(t, port);
    for (const byte of chunkedPost('/', 'hello', ' ', 'world') + post('/', 'by length')) {
      await peer.send(byte);
      await arrived();
    }
    deepEqual(
      (await peer.responses(2)).map(({ body }) => body),
      ['hello world', 'by length'],
    );
  });

  test('when it is read as a whole, as text, and piece by piece', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    const text = Buffer.from('grüße').toString('latin1');
    equal((await peer.ask(post('/whole', text))).body, text);
    equal((await peer.ask(chunkedPost('/text', text.slice(0, 3), text.slice(3)))).body, text);
    const pieces = Array.from({ length: 30 }, (_, index) => noise(1000 + index, index));
    const size = pieces.join('').length;
    equal((await peer.ask(chunkedPost('/piecewise', ...pieces))).body, String(size));
    equal((await peer.ask(chunkedPost('/both', ...pieces))).body, pieces.join(''));
    equal((await peer.ask(post('/whole', ''))).body, '');
  });
});

describe('a client that expects 100 Continue (RFC 9110 section 10.1.1)', () => {
  const EXPECT = 'Expect: 100-continue';

  test('is told to go on when the handler wants the body', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    for (const target of ['/whole', '/text', '/both', '/piecewise', '/late?ms=5']) {
      const { status } = await peer.ask(head(target, EXPECT, 'Content-Length: 4'));
      equal(status, 100, target);
      equal(peer.hasBytes, false);
      const response = await peer.ask('body');
      equal(response.status, 200, target);
      equal(response.body, target === '/piecewise' ? '4' : 'body');
    }
  });

  test('is not told when the body has come already', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    await peer.send(head('/late?ms=1', EXPECT, 'Content-Length: 4'));
    equal((await peer.response()).status, 100);
    equal((await peer.ask('body')).body, 'body');
  });

  test('gets its answer instead when nobody reads the body, and the connection ends', async (t) => {
    for (const target of ['/unread', '/slow', '/unread-stream', '/gone']) {
      const peer = await HttpPeer.open(t, app().port);
      const response = await peer.ask(head(target, EXPECT, 'Content-Length: 4'));
      equal(response.status, target === '/gone' ? 404 : 200, target);
      equal(response.fields.get('connection'), 'close', target);
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    }
  });

  test('gets no 100 in HTTP/1.0, and its answer all the same', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    await peer.send(`POST /whole HTTP/1.0\r\n${EXPECT}\r\nContent-Length: 4\r\n\r\nbody`);
    deepEqual([(await peer.response()).body, await peer.ended], ['body', 'end']);
  });

  test('gets 417 for any other expectation', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    const response = await peer.ask(post('/whole', 'body', 'Expect: a-wonder'));
    deepEqual([response.status, response.fields.get('connection')], [417, 'close']);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });
});

describe('a body that nobody reads', () => {
  test('is dropped, and the next request is served', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    for (const target of ['/unread', '/slow', '/unread-stream', '/first']) {
      for (const body of ['x', noise(60_000, 1)]) {
        await peer.send(post(target, body) + chunkedPost(target, body) + post('/whole', 'next'));
        const statuses = (await peer.responses(2)).map(({ status }) => status);
        deepEqual(statuses, [200, 200], target);
        equal((await peer.response()).body, 'next', target);
      }
    }
    await peer.send(post('/gone', 'unread') + post('/whole', 'next'));
    equal((await peer.response()).status, 404);
    equal((await peer.response()).body, 'next');
  });

  test('ends the connection when it is long: the answer says so', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    await peer.send(head('/unread', 'Content-Length: 10000000') + noise(100_000, 1));
    const response = await peer.response();
    deepEqual([response.body, response.fields.get('connection')], ['unread', 'close']);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });

  test('ends the connection when its chunks turn out to be many', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    const piece = noise(10_000, 1);
    await peer.send(head('/unread', 'Transfer-Encoding: chunked'));
    equal((await peer.response()).body, 'unread');
    for (let index = 0; index < 10; index++) await peer.send(`2710\r\n${piece}\r\n`);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });
});

describe('a body that cannot be read', () => {
  const cases: [name: string, bytes: string, status: number][] = [
    ['announced far longer than the limit', head('/whole', 'Content-Length: 70000'), 413],
    ['in chunks beyond the limit', chunkedPost('/whole', noise(3000, 1), noise(3000, 2)), 413],
    ['with a chunk of no size', `${head('/whole', 'Transfer-Encoding: chunked')}x\r\n`, 400],
    [
      'with a chunk that is too long',
      `${head('/whole', 'Transfer-Encoding: chunked')}1\r\nab`,
      400,
    ],
    [
      'with a size of too many digits',
      `${head('/whole', 'Transfer-Encoding: chunked')}${'0'.repeat(17)}\r\n`,
      400,
    ],
    [
      'with long extensions',
      `${head('/whole', 'Transfer-Encoding: chunked')}1;${'x'.repeat(1100)}\r\n`,
      413,
    ],
    [
      'with long trailers',
      `${head('/whole', 'Transfer-Encoding: chunked')}0\r\nX: ${'x'.repeat(9000)}`,
      431,
    ],
    [
      'with a trailer that frames',
      `${head('/whole', 'Transfer-Encoding: chunked')}0\r\nContent-Length: 1\r\n\r\n`,
      400,
    ],
  ];
  for (const [name, bytes, status] of cases) {
    test(`is ${status} ${name}`, async (t) => {
      const peer = await HttpPeer.open(t, app().port);
      await peer.send(post('/whole', 'before') + bytes);
      equal((await peer.response()).body, 'before');
      const response = await peer.response();
      deepEqual([response.status, response.fields.get('connection')], [status, 'close']);
      await peer.send(post('/whole', 'behind'));
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    });
  }

  test('is 413 a little longer than the limit, and is dropped', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    for (const size of [5000, 5001, 60_000]) {
      await peer.send(post('/whole', noise(size, 1)) + post('/whole', 'behind'));
      equal((await peer.response()).status, size <= 5000 ? 200 : 413, `${size} bytes`);
      equal((await peer.response()).body, 'behind', `${size} bytes`);
    }
  });

  test('is refused before it is sent, to a client that asks (RFC 9110 10.1.1)', async (t) => {
    const peer = await HttpPeer.open(t, app().port);
    const fields = ['Expect: 100-continue', 'Content-Length: 5001'];
    equal((await peer.ask(head('/whole', ...fields))).status, 413);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  });

  test('is 400 when its peer ends it early (RFC 9112 section 8)', async (t) => {
    for (const begun of [head('/whole', 'Content-Length: 9'), head('/both', 'Content-Length: 9')]) {
      const peer = await HttpPeer.open(t, app().port);
      await peer.send(begun);
      peer.endSending();
      const response = await peer.response();
      deepEqual([response.status, response.fields.get('connection')], [400, 'close']);
      equal(await peer.ended, 'end');
    }
  });

  test('costs nobody else anything when its peer resets', async (t) => {
    const server = app();
    const before = await server.counter('connectionsOpen');
    for (let round = 0; round < 20; round++) {
      const peer = await HttpPeer.open(t, server.port);
      await peer.send(head(['/whole', '/both', '/piecewise'][round % 3]!, 'Content-Length: 4000'));
      await peer.send(noise(1000, round));
      peer.reset();
    }
    await server.reportUntil(([accept]) => accept!.counters.connectionsOpen! <= before);
    const peer = await HttpPeer.open(t, server.port);
    equal((await peer.ask(post('/whole', 'fine'))).body, 'fine');
  });
});

test('503 while handlers hold as much of requests as a thread may copy', async (t) => {
  const own = await startServer(t, [
    APP,
    '-A',
    '1',
    '-w',
    '1',
    '-C',
    '10',
    '--body-limit',
    '300000000',
  ]);
  const large = await HttpPeer.open(t, own.port);
  const small = await HttpPeer.open(t, own.port);
  const size = 256 * 1024 * 1024 + 2;
  await large.send(request('/whole', 'POST', `Content-Length: ${size}`));
  const piece = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < 256; sent++) await large.send(piece);
  await large.send('x');
  // What was sent may not have arrived.
  let answer = await small.ask(request('/fast'));
  for (let asked = 1; answer.status === 200 && asked < 10_000; asked++) {
    answer = await small.ask(request('/fast'));
  }
  deepEqual([answer.status, answer.fields.get('retry-after')], [503, '1']);
  ok((await own.counter('requestMemoryFull')) > 0);
  large.reset();
  await own.reportUntil(([accept]) => accept!.counters.connectionsOpen === 1);
  equal((await small.ask(request('/fast'))).status, 200);
});
