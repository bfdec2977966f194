// Streams of fetch applications: who reads slowly holds the stream back, and who goes ends it.

import { equal, match, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';
import type { State } from './function-app.ts';

const APP = fileURLToPath(new URL('./function-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '100', '--handler-timeout', '1']);

async function state(): Promise<State> {
  return (await (await fetch(`${server().url}/state`)).json()) as State;
}

async function until(isReached: (state: State) => boolean): Promise<void> {
  const begin = performance.now();
  for (let now = await state(); !isReached(now); now = await state()) {
    ok(performance.now() - begin < 5000, `not reached: ${JSON.stringify(now)}`);
  }
}

async function get(path: string): Promise<Socket> {
  const socket = connect(server().port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return socket;
}

test('a reader that stops holds the stream back; one that goes cancels it', async () => {
  const socket = await get('/endless');
  await once(socket, 'readable');
  // When nothing more was pulled in so many requests, nothing will be.
  let still = 0;
  for (let last = -1; still < 20; ) {
    const { pulled } = await state();
    still = pulled === last ? still + 1 : 0;
    last = pulled;
    ok(pulled < 1000, 'buffers of the kernel, and not memory of the server');
  }
  equal((await state()).cancelled, false);
  socket.destroy();
  await until(({ cancelled, aborted }) => cancelled && aborted);
});

test('a client that goes cancels a stream that says nothing', async () => {
  const socket = await get('/silent');
  await once(socket, 'readable');
  equal((await state()).cancelled, false);
  socket.destroy();
  await until(({ cancelled }) => cancelled);
});

test('a stream that says nothing at first has begun', { timeout: 10_000 }, async () => {
  const socket = await get('/quiet');
  await once(socket, 'readable');
  match(String(socket.read()), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
  socket.destroy();
  await until(({ cancelled }) => cancelled);
});

test('a stream is cancelled whose client has gone before the response', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(request('/after-gone'));
  // Behind this, the request has come.
  equal((await state()).cancelled, false);
  peer.reset();
  await until(({ cancelled }) => cancelled);
});

test('a stream is cancelled whose response has a field that cannot be sent', async () => {
  equal((await fetch(`${server().url}/wrong-field`)).status, 500);
  await until(({ cancelled }) => cancelled);
});

for (const path of ['/parts', '/parts-of-4']) {
  test(`${path}: a client that has ended its side gets the rest`, async (t) => {
    const [before] = await server().report();
    const peer = await HttpPeer.open(t, server().port);
    await peer.send(request(path));
    await once(peer.socket, 'data');
    peer.endSending();
    const { body, fields } = await peer.response();
    equal(body.length, 4);
    equal(fields.get('content-length'), path === '/parts' ? undefined : '4');
    equal(await peer.ended, 'end');
    const [now] = await server().report();
    equal(now!.counters.handlersFailed, before!.counters.handlersFailed);
  });
}

test('a handler that waits is told that its client has gone', async () => {
  const socket = await get('/never');
  socket.destroy();
  await until(({ aborted }) => aborted);
});

test('a body is received as far as it is read', async () => {
  const body = Buffer.alloc(20_000_000);
  const response = await fetch(`${server().url}/slow-body`, { method: 'POST', body }).catch(
    (error: Error) => error,
  );
  // The rest was not taken: the connection ends, maybe before the client has looked for an answer.
  if (response instanceof Response) equal(await response.text(), 'left');
  const { pulled } = await state();
  ok(pulled > 0 && pulled < 100_000);
});

test('a stream that fails breaks its response off', async () => {
  const response = await fetch(`${server().url}/fails`);
  equal(response.status, 200);
  await rejects(response.arrayBuffer());
});
