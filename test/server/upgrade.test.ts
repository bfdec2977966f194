// Connections of HTTP that go over to a protocol of the application: RFC 9110 section 7.8.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HttpResponse } from '../support/http-peer.ts';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/upgrade-app.ts', import.meta.url));
const ASKS = ['Connection: Upgrade', 'Upgrade: lines'];

const server = sharedServer([APP, '-A', '1', '-C', '200', '-w', '1']);

function start(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  return startServer(t, [APP, '-A', '1', '-C', '100', ...args]);
}

function open(t: TestContext, own: ServerProcess): Promise<HttpPeer> {
  return HttpPeer.open(t, own.port);
}

/** A request for an upgrade. */
function asking(target: string, method = 'GET', ...fields: string[]): string {
  return request(target, method, ...ASKS, ...fields);
}

// What comes behind the 101: `data` in the first line, and these.
async function switched(
  peer: HttpPeer,
  data: string,
  lines: readonly string[] = [],
  token = 'lines',
): Promise<HttpResponse> {
  const response = await peer.response();
  equal(response.status, 101);
  equal(response.fields.get('connection'), 'Upgrade');
  equal(response.fields.get('upgrade'), token);
  equal(response.fields.has('date'), true);
  deepEqual(await peer.lines(1 + lines.length), [`open ${data}`, ...lines]);
  return response;
}

async function tell(t: TestContext, own: ServerProcess, target: string): Promise<HttpResponse> {
  const peer = await open(t, own);
  const response = await peer.ask(request(target, 'GET', 'Connection: close'));
  equal(response.status, 200);
  return response;
}

async function eventsOf(t: TestContext, own: ServerProcess): Promise<string[]> {
  return JSON.parse((await tell(t, own, '/events')).body);
}

test('the response is 101 with the fields of the handler, then comes the protocol', async (t) => {
  const peer = await open(t, server());
  equal((await peer.ask(request('/fast'))).body, 'fast');
  await peer.send(asking('/lines?x=1'));
  const response = await switched(peer, '/lines?x=1');
  deepEqual(
    [...response.fields.keys()],
    ['date', 'x-says', 'upgrade', 'connection'],
    'a 101 says nothing of a body',
  );
  await peer.send('a\nb');
  deepEqual(await peer.lines(1), ['accept-0 a']);
  // What looks like a request is none any more.
  await peer.send(`\n${request('/fast').replaceAll('\r\n', '\n')}`);
  deepEqual(await peer.lines(4), [
    'accept-0 b',
    'accept-0 GET /fast HTTP/1.1',
    'accept-0 Host: test',
    'accept-0 ',
  ]);
  peer.endSending();
  deepEqual(await peer.rest(), { by: 'end', bytes: 'bye\n' });
  ok((await eventsOf(t, server())).includes('open /lines?x=1 true'));
});

test('a protocol with a port has both ways', async (t) => {
  const peer = await open(t, server());
  equal((await peer.ask(request('/maybe'))).body, 'plain');
  const fields = ['Upgrade: h2c, both/2', 'Connection: keep-alive', 'Connection: x, UPGRADE'];
  await peer.send(request('/maybe', 'GET', ...fields));
  await switched(peer, 'undefined', [], 'Both/2');
  match(server().readyLine, /both on port \d+/);
  ok(!server().readyLine.includes('lines'), 'one without a port is not in the ready line');
  const port = Number(/both on port (\d+)/.exec(server().readyLine)![1]);
  const other = await HttpPeer.open(t, port);
  deepEqual(await other.lines(1), ['open undefined']);
  await other.send('a\n');
  deepEqual(await other.lines(1), ['accept-0 a']);
});

test('bytes behind the request come to the protocol, wherever they are cut', async (t) => {
  const random = prng(11);
  const lines = Array.from({ length: 40 }, (_, index) => `${index} ${'x'.repeat(random(900))}`);
  const expected = lines.map((line) => `accept-0 ${line}`);
  for (const target of ['/lines', '/later']) {
    const text = `${asking(target)}${lines.join('\n')}\n`;
    for (const most of [text.length, 5, 40, 3000, 12_000]) {
      const peer = await open(t, server());
      let at = 0;
      // The head is sent in pieces of one size, and the rest in greater ones.
      for (const end of [200, text.length]) {
        while (at < end) {
          const size = 1 + random(end === 200 ? most : Math.max(most, 1000));
          await peer.send(text.slice(at, at + size));
          at += size;
        }
      }
      if (target === '/later') await tell(t, server(), '/go');
      await switched(peer, target === '/later' ? 'later' : target, expected);
      peer.close();
    }
  }
});

test('a byte at a time', async (t) => {
  const peer = await open(t, server());
  for (const byte of `${asking('/lines')}a\nbc\n`) await peer.send(byte);
  await switched(peer, '/lines', ['accept-0 a', 'accept-0 bc']);
});

test('what is behind a request that may upgrade is no request until it is answered', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  const before = await own.counter('requests');
  await peer.send(`${asking('/later')}${request('/fast').replaceAll('\r\n', '\n')}\0\n`);
  await tell(t, own, '/go');
  await switched(peer, 'later', [
    'accept-0 GET /fast HTTP/1.1',
    'accept-0 Host: test',
    'accept-0 ',
    'accept-0 \0',
  ]);
  equal((await own.counter('requests')) - before, 2, 'the one, and /go');
  equal(await own.counter('upgraded'), 1);
});

test('a request that is answered as HTTP is followed by requests', async (t) => {
  const peer = await open(t, server());
  await peer.send(asking('/wait') + request('/fast') + asking('/wait') + request('/fast'));
  await tell(t, server(), '/go');
  deepEqual(
    (await peer.responses(2)).map(({ body }) => body),
    ['waited', 'fast'],
  );
  await tell(t, server(), '/go');
  deepEqual(
    (await peer.responses(2)).map(({ body }) => body),
    ['waited', 'fast'],
  );
  await peer.send(`${asking('/wait')}no request\r\n\r\n`);
  await tell(t, server(), '/go');
  deepEqual(
    (await peer.responses(2)).map(({ status }) => status),
    [200, 400],
  );
});

test('the 101 comes behind the responses to the requests before it', async (t) => {
  const peer = await open(t, server());
  await peer.send(`${request('/wait')}${request('/fast')}${asking('/lines')}a\n`);
  await peer.send('b\n');
  await tell(t, server(), '/go');
  deepEqual(
    (await peer.responses(2)).map(({ body }) => body),
    ['waited', 'fast'],
  );
  await switched(peer, '/lines', ['accept-0 a', 'accept-0 b']);
});

test('who does not ask for it gets 426, which says what to ask for', async (t) => {
  const failed = await server().counter('handlersFailed');
  const peer = await open(t, server());
  for (const fields of [
    [],
    ['Connection: Upgrade'],
    ['Upgrade: lines'],
    ['Connection: keep-alive', 'Upgrade: lines'],
    ['Connection: upgraded', 'Upgrade: lines'],
    ['Connection: Upgrade', 'Upgrade: line'],
    ['Connection: Upgrade', 'Upgrade: lines/2, "lines", lines x'],
  ]) {
    const response = await peer.ask(request('/lines', 'GET', ...fields));
    equal(response.status, 426, String(fields));
    equal(response.fields.get('upgrade'), 'lines');
    equal(response.fields.get('connection'), 'Upgrade');
    equal(response.body, '426 Upgrade Required\n');
    equal(response.fields.has('x-says'), false);
  }
  const own = await peer.ask(request('/own'));
  equal(own.status, 426);
  deepEqual(JSON.parse(own.body), { known: true });
  equal(own.fields.get('upgrade'), 'lines');
  equal(own.fields.get('connection'), 'Upgrade');
  // It is no failure of the handler.
  equal(await server().counter('handlersFailed'), failed);
  const closing = await peer.ask(request('/lines', 'GET', 'Connection: close, Upgrade', ASKS[1]!));
  equal(closing.status, 426);
  equal(closing.fields.get('connection'), 'close, Upgrade');
  equal(await peer.ended, 'end');
});

test('HTTP/1.0 has no upgrade: RFC 9110 7.8', async (t) => {
  const peer = await open(t, server());
  const fields = 'Host: a\r\nUpgrade: lines\r\nConnection: upgrade, keep-alive\r\n\r\n';
  equal((await peer.ask(`GET /lines HTTP/1.0\r\n${fields}`)).status, 426);
  equal((await peer.ask(`GET /fast HTTP/1.0\r\n${fields}`)).status, 200);
});

test('a body is read before the connection is upgraded', async (t) => {
  const peer = await open(t, server());
  await peer.send(`${asking('/read', 'POST', 'Content-Length: 5')}helloa\n`);
  await switched(peer, 'hello', ['accept-0 a']);
  const chunked = await open(t, server());
  await chunked.send(asking('/read', 'POST', 'Transfer-Encoding: chunked', 'Expect: 100-continue'));
  equal((await chunked.response()).status, 100);
  await chunked.send('5\r\nhello\r\n0\r\n\r\na\n');
  await switched(chunked, 'hello', ['accept-0 a']);
  const unread = await open(t, server());
  await unread.send(`${asking('/unread', 'POST', 'Content-Length: 5')}hello${request('/fast')}`);
  equal((await unread.response()).status, 400);
  equal((await unread.response()).body, 'fast');
  await unread.send(`${asking('/unread', 'POST', 'Content-Length: 0')}`);
  await switched(unread, 'undefined');
});

test('mistakes of the application throw', async (t) => {
  const peer = await open(t, server());
  deepEqual(JSON.parse((await peer.ask(asking('/misuse'))).body), [
    'there is no protocol "nobody"',
    '"no token" is not what a protocol is called: no token',
    'upgrade() sets the field Upgrade itself',
    '101 has no body, and no length',
  ]);
  equal((await peer.ask(asking('/begun'))).body, 'the response has begun already');
});

test('a connection goes to a worker and comes back after its upgrade', async (t) => {
  const peer = await open(t, server());
  await peer.send(`${asking('/lines')}here\naway\nthere\nhome\nhere again\n`);
  await switched(peer, '/lines', [
    'accept-0 here',
    'accept-0 away',
    'worker-0 there',
    'worker-0 home',
    'accept-0 here again',
  ]);
  // One that leaves before it has read anything takes everything along.
  for (const size of [1_000_000, 20]) {
    const leaving = await open(t, server());
    const text = `${asking('/leaves')}there\nhome\nhere\n`;
    for (let at = 0; at < text.length; at += size) await leaving.send(text.slice(at, at + size));
    equal((await leaving.response()).status, 101);
    deepEqual(await leaving.lines(4), [
      'worker-0 first',
      'worker-0 there',
      'worker-0 home',
      'accept-0 here',
    ]);
  }
  const far = await open(t, server());
  await far.send(`${asking('/lines')}away\nbig\n`);
  equal((await far.response()).status, 101);
  const [, away, big] = await far.lines(3);
  equal(away, 'accept-0 away');
  equal(big!.length, 900_000 + 'worker-0 big'.length);
  far.reset();
});

test('one that is paused when it is opened gets nothing until it goes on', async (t) => {
  for (const target of ['/paused']) {
    const peer = await open(t, server());
    await peer.send(`${asking(target)}a\n`);
    equal((await peer.response()).status, 101);
    deepEqual(await peer.lines(1), ['paused']);
    await peer.send('b\n');
    await tell(t, server(), '/go');
    deepEqual(await peer.lines(3), ['resumed', 'accept-0 a', 'accept-0 b']);
  }
});

test('a peer that has ended its side before it is upgraded is served to the end', async (t) => {
  for (const target of ['/lines', '/later']) {
    const peer = await open(t, server());
    await peer.send(`${asking(target)}a\n`);
    peer.endSending();
    if (target === '/later') await tell(t, server(), '/go');
    equal((await peer.response()).status, 101);
    const { by, bytes } = await peer.rest();
    equal(by, 'end');
    match(bytes, /^open .*\naccept-0 a\nbye\n$/);
  }
  const silent = await open(t, server());
  await silent.send(asking('/later'));
  silent.endSending();
  await tell(t, server(), '/go');
  equal((await silent.response()).status, 101);
  deepEqual(await silent.rest(), { by: 'end', bytes: 'open later\nbye\n' });
});

test('one that goes away while it is upgraded costs nothing', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  await peer.send(request('/wait') + asking('/later'));
  await own.reportUntil((accepts) => sumOf(accepts, 'requests') === 2);
  peer.reset();
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
  await tell(t, own, '/go');
  await tell(t, own, '/go');
  deepEqual(await eventsOf(t, own), ['aborted'], 'the protocol has not heard of it');
  equal(await own.counter('upgraded'), 0);
  equal(await own.counter('handlersFailed'), 0);
});

test('a protocol that throws costs its connection, and is told of the end', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  await peer.send(`${asking('/throws')}a\n`);
  ok(['end', 'ECONNRESET'].includes(await peer.ended));
  await own.reportUntil((accepts) => sumOf(accepts, 'closedHandlerFailed') === 1);
  deepEqual(await eventsOf(t, own), ['closed']);
});

test('the handler has ended its response, and cannot go on', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  await peer.send(asking('/twice'));
  await switched(peer, 'twice');
  deepEqual(await eventsOf(t, own), [
    'the response has ended already',
    'the request was used after its response had ended',
    'open twice true',
  ]);
});

for (const workers of ['0', '1']) {
  test(`who is no handler of a route cannot upgrade, with -w ${workers}`, async (t) => {
    const own = workers === '1' ? server() : await start(t, '-w', '0');
    const peer = await open(t, own);
    const inWorker = await peer.ask(asking('/worker'));
    equal(inWorker.body, 'a handler for workers cannot upgrade its connection');
    const respond = await peer.ask(asking('/respond'));
    equal(respond.body, 'only the handler of a route can upgrade its connection');
  });
}

test('without workers it is the same', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  await peer.send(`${asking('/later')}here\naway\nthere\nhome\nhere again\nend\n`);
  await tell(t, own, '/go');
  const lines = ['here', 'away', 'there', 'home', 'here again', 'end'];
  await switched(
    peer,
    'later',
    lines.map((line) => `accept-0 ${line}`),
  );
  equal(await peer.ended, 'end');
});

test('timeouts of HTTP end with it, those of protocols apply', async (t) => {
  const own = await start(t, '-w', '1', '--handler-timeout', '0.3', '--header-timeout', '0.2');
  const peer = await open(t, own);
  await peer.send(asking('/lines'));
  await switched(peer, '/lines');
  await peer.send('half of a ');
  // Both timeouts have passed when this one is answered.
  const late = await open(t, own);
  equal((await late.ask(request('/wait'))).status, 504);
  await peer.send('line\n');
  deepEqual(await peer.lines(1), ['accept-0 half of a line']);
  const idle = await start(t, '-w', '1', '--keep-alive-timeout', '0.3');
  const silent = await open(t, idle);
  await silent.send(asking('/lines'));
  await switched(silent, '/lines');
  equal(await silent.ended, 'end');
  await idle.reportUntil((accepts) => sumOf(accepts, 'closedIdle') === 1);
});

test('behind a handler that is late nothing is upgraded', async (t) => {
  const own = await start(t, '-w', '0', '--handler-timeout', '0.3');
  const peer = await open(t, own);
  await peer.send(`${request('/wait')}${asking('/lines')}a\n`);
  const [late, refused] = await peer.responses(2);
  equal(late!.status, 504);
  equal(refused!.status, 503);
  equal(refused!.fields.get('connection'), 'close');
  deepEqual(await peer.rest(), { by: 'end', bytes: '' });
});

test('the last request that a connection may have can upgrade it', async (t) => {
  const own = await start(t, '-w', '0', '--requests-per-connection', '2');
  const peer = await open(t, own);
  equal((await peer.ask(request('/fast'))).fields.has('connection'), false);
  await peer.send(`${asking('/later')}a\n`);
  await tell(t, own, '/go');
  await switched(peer, 'later', ['accept-0 a']);
});

test('a drain ends what was upgraded, and upgrades nothing more', async (t) => {
  const own = await start(t, '-w', '1');
  const silent = await open(t, own);
  await silent.send(asking('/lines'));
  await switched(silent, '/lines');
  const late = await open(t, own);
  await late.send(asking('/later'));
  const others = [await open(t, own), await open(t, own)];
  for (const other of others) await other.ask(request('/fast'));
  const code = own.stop();
  // The drain has begun when a response announces the end.
  while (!(await others[0]!.ask(request('/fast'))).fields.has('connection'));
  await others[1]!.ask(request('/go'));
  const refused = await late.response();
  equal(refused.status, 503);
  equal(refused.fields.get('connection'), 'close');
  equal(await silent.ended, 'end');
  equal(await code, 0);
});
