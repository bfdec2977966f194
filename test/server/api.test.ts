// What requests and responses can do, asked for over TCP.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/api-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1']);

async function ask(t: TestContext, target: string, method = 'GET', body = ''): Promise<string> {
  const peer = await HttpPeer.open(t, server().port);
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  const { status, body: answer } = await peer.ask(request(target, method, ...length) + body);
  return `${status} ${answer}`;
}

test('parameters lead to their handlers, decoded; the exact path comes first', async (t) => {
  equal(await ask(t, '/users/7'), '200 {"id":"7"}');
  equal(await ask(t, '/users/a%2Fb%20c'), '200 {"id":"a/b c"}');
  equal(await ask(t, '/users/me'), '200 me');
  equal(await ask(t, '/users/me', 'DELETE'), '200 deleted me');
  equal(await ask(t, '/late/x/y/z?q=%C3%BC'), '200 ["x","y/z","\xc3\xbc"]');
  equal(await ask(t, '/users/'), '404 nothing at /users/');
  equal(await ask(t, '/away/9'), '200 away 9');
});

test('pipelined requests keep their parameters, whoever waits', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const targets = Array.from({ length: 10 }, (_, index) => `/late/${index}/r`);
  const all = targets.flatMap((target, index) => [target, `/users/${index}`]);
  await peer.send(all.map((target) => request(target)).join(''));
  for (let index = 0; index < 10; index++) {
    equal((await peer.response()).body, `["${index}","r",null]`);
    equal((await peer.response()).body, `{"id":"${index}"}`);
  }
});

test('a parameter or a body that cannot be read is the fault of its client', async (t) => {
  equal(
    await ask(t, '/users/%zz'),
    '500 /users/%zz: a parameter of the path is not percent-encoded UTF-8',
  );
  equal(await ask(t, '/json', 'POST', '{"a":[1,2]}'), '201 {"a":[1,2]}');
  match(await ask(t, '/json', 'POST', '{'), /not JSON/);
});

test('the address of the client is that of its socket', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const { body } = await peer.ask(request('/peer'));
  deepEqual(JSON.parse(body), { address: '127.0.0.1', port: peer.socket.localPort });
});

test('redirects and JSON say what they are', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const json = await peer.ask(request('/users/1'));
  equal(json.fields.get('content-type'), 'application/json');
  const moved = await peer.ask(request('/redirect'));
  deepEqual([moved.status, moved.fields.get('location')], [302, '/users/%C3%BC%201?a=%20']);
  const split = await peer.ask(request('/redirect-back'));
  deepEqual([split.status, split.fields.get('location')], [303, '/%0D%0ASet-Cookie:%20a=b']);
  match(await ask(t, '/bad-json'), /500 .*not one of JSON/);
});

test('streams of every kind arrive, and end', async (t) => {
  equal(await ask(t, '/web'), '200 web stream');
  equal(await ask(t, '/node'), '200 node stream');
  equal(await ask(t, '/list'), '200 abcd');
  match(await ask(t, '/no-stream'), /500 .*streams from/);
});

test('a source is cancelled when its client goes, also while it waits', async (t) => {
  for (const [target, name] of [
    ['/slow-pieces', 'pieces'],
    ['/unawaited', 'unawaited'],
    ['/web-waits', 'web'],
  ] as const) {
    const peer = await HttpPeer.open(t, server().port);
    await peer.send(request(target));
    while (!peer.hasBytes) await new Promise((resolve) => peer.socket.once('data', resolve));
    peer.reset();
    const begin = performance.now();
    while (!(await ask(t, '/cancelled')).includes(name)) {
      ok(performance.now() - begin < 5000, `${name} is not cancelled`);
    }
  }
});

test('a source that fails breaks its response off', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(request('/fails'));
  const { bytes } = await peer.rest();
  ok(bytes.endsWith('some\r\n'), bytes);
});

test('the application answers for handlers that fail, before anything was sent', async (t) => {
  equal(await ask(t, '/throws'), '500 /throws: thrown');
  equal(await ask(t, '/rejects'), '500 /rejects: rejected');
  equal(await ask(t, '/teapot'), '418 /teapot: teapot');
  equal(await ask(t, '/worse'), '500 500 Internal Server Error\n');
  await server().program.output(({ stderr }) => /a handler failed: Error: worse/.exec(stderr)?.[0]);
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(request('/begun'));
  ok(!(await peer.rest()).bytes.includes('too late'));
});

test('what it does not answer is a 500 at once', async (t) => {
  equal(await ask(t, '/unanswered'), '500 500 Internal Server Error\n');
  equal(await ask(t, '/unanswered/late'), '500 500 Internal Server Error\n');
});

test('it answers for handlers that are in a worker too', async (t) => {
  equal(await ask(t, '/away-blocking'), '500 /away-blocking: blocked');
  equal(await ask(t, '/away-throws'), '500 /away-throws: thrown');
  equal(await ask(t, '/away-rejects'), '500 /away-rejects: rejected');
  equal(await ask(t, '/away-worse'), '500 500 Internal Server Error\n');
  // The connection goes on.
  const peer = await HttpPeer.open(t, server().port);
  equal((await peer.ask(request('/away-blocking'))).status, 500);
  equal((await peer.ask(request('/users/me'))).body, 'me');
});

test('it finds nothing of what the handler that failed has set', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const target of ['/half-made', '/away-blocking', '/away-throws', '/away-rejects']) {
    const { status, fields, body } = await peer.ask(request(target));
    equal(status, 500);
    equal(fields.get('x-half'), undefined);
    equal(Number(fields.get('content-length')), body.length);
    ok(body.startsWith(target), body);
  }
});
