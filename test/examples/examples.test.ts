// The examples, as their headers say they are run.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startServer } from '../support/server-process.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url);

function start(
  t: TestContext,
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(name, EXAMPLES));
  return startServer(t, [path, '-A', '2', '-w', '2', '-C', '100'], { env });
}

async function text(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init);
  return `${response.status} ${await response.text()}`;
}

test('hello.ts', async (t) => {
  const { url } = await start(t, 'hello.ts');
  equal(await text(url), '200 hello\n');
  equal(await text(`${url}/hello/G%C3%BCnther`), '200 hello, Günther\n');
  equal(await text(`${url}/hello/a/b`), '404 404 Not Found\n');
});

test('json-api.ts: every thread has the same books', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { url } = await start(t, 'json-api.ts', { BOOKS: join(folder, 'books.db') });
  const add = (title: unknown): Promise<Response> =>
    fetch(`${url}/books`, { method: 'POST', body: JSON.stringify({ title }) });
  const created = await add('Adam Bede');
  deepEqual([created.status, created.headers.get('location')], [201, '/books/1']);
  deepEqual(await created.json(), { id: 1, title: 'Adam Bede' });
  equal((await add('')).status, 422);
  equal((await add('Romola')).status, 201);
  // New connections each, for either accept thread.
  for (let round = 0; round < 10; round++) {
    const headers = { Connection: 'close' };
    const books = await (await fetch(`${url}/books`, { headers })).json();
    deepEqual(books, [
      { id: 1, title: 'Adam Bede' },
      { id: 2, title: 'Romola' },
    ]);
  }
  equal(await text(`${url}/books/2`, { method: 'DELETE' }), '204 ');
  equal(await text(`${url}/books/2`), '404 {"error":"there is no such book"}');
  equal(await text(`${url}/magazines`), '404 {"error":"nothing at /magazines"}');
});

test('events.ts goes on until its client leaves', async (t) => {
  const server = await start(t, 'events.ts', { TICK_MS: '5' });
  const left = new AbortController();
  const response = await fetch(`${server.url}/ticks`, { signal: left.signal });
  equal(response.headers.get('content-type'), 'text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let events = '';
  while (!events.includes('id: 3\n')) events += (await reader.read()).value;
  match(events, /^id: 1\ndata: \d{4}-.*Z\n\nid: 2\n/);
  left.abort();
  await server.reportUntil((accepts) =>
    accepts.every(({ counters }) => counters.connectionsOpen === 0),
  );
});

test('hash.ts answers fast requests while it hashes, with the hashes of plain Node', async (t) => {
  const { url } = await start(t, 'hash.ts');
  const hash = (at: string, body: string): Promise<string> =>
    text(`${at}/hash`, { method: 'POST', body });
  let isDone = false;
  const hashes = Promise.all(Array.from({ length: 8 }, (_, index) => hash(url, `${index}`)));
  void hashes.then(() => {
    isDone = true;
  });
  let fast = 0;
  for (; !isDone; fast++) equal(await text(`${url}/fast`), '200 fast\n');
  ok(fast > 8, `${fast} fast requests during 8 hashes`);
  const port = String(20_000 + (process.pid % 20_000));
  const plain = spawn(process.execPath, [fileURLToPath(new URL('hash-plain.ts', EXAMPLES))], {
    env: { ...process.env, PORT: port },
    stdio: 'ignore',
  });
  t.after(() => plain.kill());
  const plainUrl = `http://127.0.0.1:${port}`;
  let first: string | undefined;
  while (first === undefined) first = await hash(plainUrl, '0').catch(() => undefined);
  deepEqual((await hashes)[0], first);
});

test('hash.ts takes files as large as a task may be, and answers 413 to larger ones', async (t) => {
  const post = async (url: string, size: number): Promise<number> =>
    (await fetch(`${url}/hash`, { method: 'POST', body: new Uint8Array(size) })).status;
  const { url } = await start(t, 'hash.ts');
  deepEqual([await post(url, 2048), await post(url, 2049)], [200, 413]);
  const larger = await start(t, 'hash.ts', { MILLRACE_TASK_SIZE: '1048576' });
  equal(await post(larger.url, 1_048_576), 200);
});

test('export.ts', async (t) => {
  const { url } = await start(t, 'export.ts');
  const lines = (await (await fetch(`${url}/export?rows=100000`)).text()).split('\n');
  deepEqual(
    [lines.length, lines[0], lines[100_000]],
    [100_002, 'number,square', '100000,10000000000'],
  );
  equal(await (await fetch(`${url}/export?rows=1`)).text(), 'number,square\n1,1\n');
});

test('chat.ts: what is said in one thread is heard in the others', async (t) => {
  const { readyLine } = await start(t, 'chat.ts', { CHAT_PORT: '0' });
  const port = Number(/chat on port (\d+)/.exec(readyLine)![1]);
  const peers = await Promise.all(Array.from({ length: 8 }, () => HttpPeer.open(t, port)));
  const hears = async (peer: HttpPeer, text: string): Promise<void> => {
    while (!peer.peek().includes(text)) {
      await new Promise((resolve) => peer.socket.once('data', resolve));
    }
  };
  // Who comes later does not hear what was said before.
  for (const peer of peers) await hears(peer, 'welcome\n');
  await peers[0]!.send('hello\n');
  const name = peers[0]!.socket.localPort;
  for (const peer of peers) await hears(peer, `${name}: hello\n`);
});

test('websocket.ts: messages of any size come back, from accept threads and workers', async (t) => {
  const server = await start(t, 'websocket.ts');
  for (const [path, thread] of [
    ['/echo', /^accept-[01]: /],
    ['/worker/echo', /^worker-[01]: /],
  ] as const) {
    const socket = new WebSocket(server.url.replace('http', 'ws') + path);
    socket.binaryType = 'arraybuffer';
    const messages: (string | ArrayBuffer)[] = [];
    const arrived = Promise.withResolvers<void>();
    socket.addEventListener('message', ({ data }) => {
      messages.push(data);
      if (messages.length === 6) arrived.resolve();
    });
    const closed = new Promise<CloseEvent>((resolve) => {
      socket.addEventListener('close', resolve);
    });
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    const texts = ['', 'wörld', 'x'.repeat(126), 'y'.repeat(60_000), 'z'.repeat(65_536)];
    for (const text of texts) socket.send(text);
    socket.send(Uint8Array.of(1, 2, 255));
    await arrived.promise;
    const answers = messages.slice(0, 5).map(String);
    deepEqual(
      answers.map((text) => text.replace(thread, '')),
      texts,
    );
    ok(answers.every((text) => thread.test(text)));
    deepEqual([...new Uint8Array(messages[5] as ArrayBuffer)], [1, 2, 255]);
    socket.close();
    equal((await closed).wasClean, true);
  }
  const refused = await fetch(`${server.url}/echo`);
  deepEqual(
    [refused.status, refused.headers.get('upgrade'), refused.headers.get('sec-websocket-version')],
    [426, 'websocket', '13'],
  );
});

test('websocket.ts: frames are cut anywhere, and wrong ones close the connection', async (t) => {
  const { port } = await start(t, 'websocket.ts');
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  // The key and its answer are those of RFC 6455 section 1.3.
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const shake = `GET /echo HTTP/1.1\r\nHost: a\r\n${fields}${key}\r\n`;
  const frame = (first: number, text: string, mask = 0x80): string => {
    const masked = Buffer.from(text, 'latin1').map((byte, index) => byte ^ (index % 4));
    return Buffer.of(first, mask | text.length, 0, 1, 2, 3, ...masked).toString('latin1');
  };
  const answerTo = async (frames: string, pieces = false): Promise<string> => {
    const peer = await HttpPeer.open(t, port);
    const bytes = shake + frames;
    if (pieces) for (const byte of bytes) await peer.send(byte);
    else await peer.send(bytes);
    const response = await peer.response();
    equal(response.status, 101);
    equal(response.fields.get('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    const { by, bytes: answer } = await peer.rest();
    equal(by, 'end');
    return answer.replace(/accept-\d/, 'accept');
  };
  const bye = frame(0x88, '\x03\xe8bye');
  const closed = '\x88\x02\x03\xe8';
  const hello = `${frame(0x01, 'he')}${frame(0x89, 'ping')}${frame(0x00, '')}${frame(0x80, 'llo')}`;
  for (const pieces of [false, true]) {
    equal(await answerTo(hello + bye, pieces), `\x8a\x04ping\x81\x0faccept: hello${closed}`);
  }
  equal(await answerTo(frame(0x8a, 'pong') + frame(0x88, '')), '\x88\x00');
  const wrong: readonly (readonly [frames: string, code: number])[] = [
    [frame(0x81, 'unmasked', 0), 1002],
    [frame(0xc1, 'an extension'), 1002],
    [frame(0x83, 'an unknown type'), 1002],
    [frame(0x80, 'nothing goes on'), 1002],
    [frame(0x01, 'a') + frame(0x81, 'another one'), 1002],
    [frame(0x09, 'a ping in parts'), 1002],
    ['\x89\xfe\x00\x7e', 1002],
    ['\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01', 1009],
    [`\x81\x82\0\0\0\0\xc3\x28`, 1007],
  ];
  for (const [frames, code] of wrong) {
    const expected = `\x88\x02${String.fromCharCode(code >> 8, code & 0xff)}`;
    equal(await answerTo(frames + frame(0x81, 'ignored')), expected, JSON.stringify(frames));
  }
});
