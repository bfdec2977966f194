// What the demo answers, over TCP.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { FAST, FAST_AND_CLOSE, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const SMALL = ['-A', '1', '-w', '1'];
const SIZES = 'bytes is a whole number from 0 to 9007199254740991\n';

const server = sharedServer(SMALL);

function connected(t: TestContext): Promise<HttpPeer> {
  return HttpPeer.open(t, server().port);
}

test('the fast route answers 200 without content', async (t) => {
  const peer = await connected(t);
  const { status, fields, body } = await peer.ask(FAST);
  deepEqual([status, body], [200, '']);
  const names = ['content-length', 'date', 'server-timing', 'x-thread'];
  deepEqual([...fields.keys()].sort(), names);
  equal(fields.get('x-thread'), 'accept-0');
  equal(fields.get('content-length'), '0');
});

test('what the demo cannot do is 400, from the thread that would have done it', async (t) => {
  const { port } = await startServer(t, [...SMALL, '--demo-faults']);
  const peer = await HttpPeer.open(t, port);
  for (const [target, timing, thread, says] of [
    ['/test/cpu?ms=wrong', 'task', 'accept-0', 'ms is a number from 0 to 10000\n'],
    ['/test/cpu?ms=', 'task', 'accept-0', 'ms is a number from 0 to 10000\n'],
    ['/test/fail', 'task', 'accept-0', 'how is throw, exit, oom or hang\n'],
    ['/test/fail?how=wrong', 'task', 'accept-0', 'how is throw, exit, oom or hang\n'],
    ['/test/sync?bytes=wrong', 'worker', 'worker-0', SIZES],
    ['/test/sync?bytes=-1', 'worker', 'worker-0', SIZES],
    ['/test/async?bytes=1.5', 'worker', 'worker-0', SIZES],
    ['/test/async?bytes=9007199254740992', 'worker', 'worker-0', SIZES],
  ] as const) {
    const { status, fields, body } = await peer.ask(request(target));
    const told = [fields.get('server-timing'), fields.get('x-thread')];
    deepEqual([status, ...told, body], [400, timing, thread, says], target);
  }
  equal((await peer.ask(FAST)).status, 200);
});

test('a worker writes as many bytes as the demo is asked for', async (t) => {
  const peer = await connected(t);
  for (const route of ['/test/sync', '/test/async']) {
    for (const [query, size] of [
      ['', 0],
      ['?bytes=0', 0],
      ['?bytes=9', 9],
      ['?bytes=40000', 40_000],
    ] as const) {
      const { status, fields, body } = await peer.ask(request(route + query));
      const told = [fields.get('server-timing'), fields.get('x-thread')];
      deepEqual([status, ...told, body.length], [200, 'worker', 'worker-0', size], route + query);
    }
  }
});

test('a query does not change the route', async (t) => {
  const peer = await connected(t);
  equal((await peer.ask(request('/test/fast?a=1&b=/test/slow'))).status, 200);
  equal((await peer.ask(request('/test/fast/'))).status, 404);
  equal((await peer.ask(request('/test/Fast'))).status, 404);
});

test('the slow route takes its duration, and not much more', async (t) => {
  for (const [args, least, most] of [
    [['-D', '150'], 150, 1000],
    [['-D', '150', '-w', '0'], 150, 1000],
  ] as const) {
    const { port } = await startServer(t, [...SMALL, ...args]);
    const peer = await HttpPeer.open(t, port);
    equal((await peer.ask(FAST)).status, 200);
    const begin = performance.now();
    const { status, fields, body, at } = await peer.ask(SLOW);
    deepEqual([status, fields.get('content-length'), body], [200, '0', '']);
    ok(at - begin >= least, `${at - begin} ms are less than the ${least} of ${args}`);
    ok(at - begin < most, `${at - begin} ms are much more than the ${least} of ${args}`);
  }
});

test('the slow route takes 30 ms when nobody says otherwise', async (t) => {
  const peer = await connected(t);
  const begin = performance.now();
  const { at } = await peer.ask(SLOW);
  ok(at - begin >= 30);
});

test('HEAD has the head of GET and no body', async (t) => {
  const peer = await connected(t);
  for (const target of ['/test/fast', '/test/slow', '/nowhere']) {
    const get = await peer.ask(request(target));
    const head = await peer.ask(request(target, 'HEAD'), 'HEAD');
    equal(head.status, get.status);
    deepEqual([...head.fields.keys()], [...get.fields.keys()]);
    equal(head.fields.get('content-length'), get.fields.get('content-length'));
  }
  // A body behind a head would be in the way of the next response.
  equal((await peer.ask(FAST)).status, 200);
  equal(peer.hasBytes, false);
});

test('an unknown path is 404, with a body that says so', async (t) => {
  const peer = await connected(t);
  for (const target of ['/', '/test', '/test/fas', '/test/faster', '/test//fast', '/%74est/fast']) {
    const { status, fields, body } = await peer.ask(request(target));
    deepEqual([status, body], [404, '404 Not Found\n'], target);
    equal(fields.get('content-type'), 'text/plain; charset=utf-8');
  }
  equal((await peer.ask(FAST)).status, 200);
});

test('a method that a path has not is 405, with those that it has', async (t) => {
  const peer = await connected(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'BREW', 'get']) {
    for (const target of ['/test/fast', '/test/slow']) {
      const { status, fields } = await peer.ask(request(target, method));
      equal(status, 405, method);
      equal(fields.get('allow'), 'GET, HEAD');
    }
  }
  equal((await peer.ask(FAST)).status, 200);
});

test('a body of a refused request is not taken for a request', async (t) => {
  const peer = await connected(t);
  for (const [field, body] of [
    [`Content-Length: ${FAST.length}`, FAST],
    ['Transfer-Encoding: chunked', `${FAST.length.toString(16)}\r\n${FAST}\r\n0\r\n\r\n`],
  ]) {
    for (const [target, status] of [
      ['/test/fast', 405],
      ['/nowhere', 404],
    ] as const) {
      equal((await peer.ask(request(target, 'POST', field!) + body)).status, status);
      equal((await peer.ask(FAST)).status, 200);
      equal(peer.hasBytes, false);
    }
  }
});

test('a body of no bytes is none', async (t) => {
  const peer = await connected(t);
  equal((await peer.ask(request('/test/fast', 'GET', 'Content-Length: 0'))).status, 200);
  equal((await peer.ask(FAST)).status, 200);
});

test('Connection: close is announced back, and done', async (t) => {
  const { port } = server();
  for (const [target, option, status] of [
    ['/test/fast', 'close', 200],
    ['/test/fast', 'Keep-Alive, CLOSE', 200],
    ['/test/slow', 'close', 200],
    ['/nowhere', 'close', 404],
  ] as const) {
    const peer = await HttpPeer.open(t, port);
    const response = await peer.ask(request(target, 'GET', `Connection: ${option}`));
    equal(response.status, status);
    equal(response.fields.get('connection'), 'close');
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  }
});

test('nothing behind a request with Connection: close is answered', async (t) => {
  const { port } = server();
  for (const bytes of [FAST_AND_CLOSE + FAST + FAST, FAST + FAST_AND_CLOSE + FAST]) {
    const peer = await HttpPeer.open(t, port);
    await peer.send(bytes);
    let last = await peer.response();
    if (!last.fields.has('connection')) last = await peer.response();
    equal(last.fields.get('connection'), 'close');
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  }
});

test('HTTP/1.0 ends after the response', async (t) => {
  const { port } = server();
  for (const target of ['/test/fast', '/test/slow']) {
    const peer = await HttpPeer.open(t, port);
    const { status, fields } = await peer.ask(`GET ${target} HTTP/1.0\r\n\r\n`);
    equal(status, 200);
    equal(fields.get('connection'), 'close');
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  }
});

test('HTTP/1.0 goes on when it asks to', async (t) => {
  const peer = await connected(t);
  for (const target of ['/test/fast', '/test/slow', '/nowhere']) {
    const bytes = `GET ${target} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`;
    equal((await peer.ask(bytes)).fields.get('connection'), 'keep-alive');
  }
  equal((await peer.ask('GET /test/fast HTTP/1.0\r\n\r\n')).status, 200);
  equal(await peer.ended, 'end');
});

test('the date of a response is the time', async (t) => {
  const peer = await connected(t);
  for (const bytes of [FAST, SLOW, request('/nowhere'), 'BAD\n']) {
    // A Date has whole seconds.
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { fields } = await peer.ask(bytes);
    const after = Date.now();
    const date = fields.get('date')!;
    match(date, /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
    equal(new Date(date).toUTCString(), date);
    // The thread reads a coarse clock once in a tick: it may be some milliseconds behind.
    ok(Date.parse(date) >= before - 1000 && Date.parse(date) <= after, `${date} at ${after}`);
  }
});

test('the date goes on while a connection is silent', async (t) => {
  const peer = await connected(t);
  const first = (await peer.ask(FAST)).fields.get('date')!;
  const second = Date.parse(first) + 2000;
  let last = first;
  // The time passes while the worker sleeps, and so does the accept thread.
  while (Date.now() < second) last = (await peer.ask(SLOW)).fields.get('date')!;
  last = (await peer.ask(FAST)).fields.get('date')!;
  ok(Date.parse(last) > Date.parse(first), `${last} after ${first}`);
});
