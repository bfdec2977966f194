import { deepEqual, equal, fail, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { PARSE_COMPLETE, RequestParser } from '../http/request-parser.ts';
import { Router } from '../http/router.ts';
import type { RequestSource, TaskCall } from './request.ts';
import { BoundRequest } from './request.ts';

type CallTask = RequestSource['callTask'];

const BEFORE = 'bytes before the request';

/** A request bound to `text`, which does not begin where its memory begins. */
function bound(text: string, callTask?: CallTask, route = '/'): BoundRequest {
  const all = Buffer.from(`other memory${BEFORE}${text}`, 'latin1');
  const bytes = new Uint8Array(new Uint8Array(all).buffer, 'other memory'.length);
  const parser = new RequestParser(REQUEST_LIMITS);
  const router = new Router([{ method: 'GET', path: route }]);
  const request = new BoundRequest(
    {
      fd: -1,
      hasEnded: false,
      bodyLeft: 0,
      onBodyWanted: () => {},
      callTask: callTask ?? (() => fail('no task is delegated')),
    },
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    parser,
    router,
    100,
  );
  equal(parser.parse(bytes, BEFORE.length, bytes.length), PARSE_COMPLETE);
  router.find(bytes, BEFORE.length + parser.pathOffset, parser.pathSize, parser.method);
  request.bind(BEFORE.length, router.parameterNames[0]!);
  return request;
}

function requestLine(method: string, target: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

test('method, target and path are those of the request line', () => {
  const request = bound(requestLine('GET', '/a/b%20c?d=e?f'));
  equal(request.method, 'GET');
  equal(request.target, '/a/b%20c?d=e?f');
  equal(request.path, '/a/b%20c');
});

test('a method without a number of its own keeps its name', () => {
  equal(bound(requestLine('PROPFIND', '/')).method, 'PROPFIND');
  equal(bound(requestLine('get', '/')).method, 'get');
});

test('an absolute target has the path that its routes are found by', () => {
  const request = bound(requestLine('HEAD', 'http://example.com:80/x?y'));
  equal(request.method, 'HEAD');
  equal(request.target, 'http://example.com:80/x?y');
  equal(request.path, '/x');
  equal(bound(requestLine('GET', 'http://example.com')).path, '/');
});

test('a request says so when it is used after its handler returned', () => {
  const request = bound(requestLine('PROPFIND', '/a'));
  request.unbind();
  const message = { message: 'the request was used after its response had ended' };
  throws(() => request.target, message);
  throws(() => request.path, message);
  throws(() => request.method, message);
});

test('every field line is there, in its order and as it was sent', () => {
  const lines = 'Host: a\r\nX-One:  1 \r\nx-one: 2\r\nEmpty:\r\nLatin: \xfc\r\n\r\n';
  deepEqual(bound(`GET / HTTP/1.1\r\n${lines}`).fieldLines(), [
    ['Host', 'a'],
    ['X-One', '1'],
    ['x-one', '2'],
    ['Empty', ''],
    ['Latin', '\xfc'],
  ]);
});

test('the signal aborts when the client ends its side, or the exchange has failed', () => {
  for (const end of ['peerEnded', 'fail'] as const) {
    const request = bound(requestLine('GET', '/'));
    const { signal } = request;
    equal(signal.aborted, false);
    request[end](new Error('gone'));
    equal(signal.aborted, true);
    equal((signal.reason as Error).message.length > 0, true);
    // The next request has a signal of its own.
    request.bind(BEFORE.length, []);
    equal(request.signal.aborted, false);
  }
});

test('the signal has aborted that is asked for when the client has ended its side', () => {
  const request = bound(requestLine('GET', '/'));
  request.peerEnded();
  equal(request.signal.aborted, true);
  equal(request.signal, request.signal);
  request.bind(BEFORE.length, []);
  equal(request.signal.aborted, false);
});

test('a request that fails cancels the tasks that are awaited', () => {
  const awaited: TaskCall[] = [];
  const request = bound(requestLine('GET', '/'), async (_task, _input, caller) => {
    const cancel = (): void => {
      awaited.shift();
      caller.firstCall = awaited[0];
    };
    awaited.push({ cancel });
    caller.firstCall = awaited[0];
  });
  for (let index = 0; index < 10; index++) void request.delegate('task');
  request.fail(new Error('the peer has gone'));
  deepEqual(awaited, []);
});

test('parameters of the path are decoded, and stay when the head is kept', () => {
  for (const keeps of [false, true]) {
    const request = bound(
      requestLine('GET', '/a/%C3%BC%2F%20b/c/d/e?x'),
      undefined,
      '/a/:one/:two/*',
    );
    if (keeps) request.keep();
    deepEqual(
      [request.param('one'), request.param('two'), request.param('*')],
      ['ü/ b', 'c', 'd/e'],
    );
    throws(() => request.param('three'), /no parameter "three"/);
  }
  for (const bad of ['%', '%zz', '%C3', '%ff']) {
    const request = bound(requestLine('GET', `/${bad}`), undefined, '/:a');
    throws(() => request.param('a'), { name: 'ExchangeError', status: 400 });
  }
});

test('the query is decoded, each request has its own', () => {
  const request = bound(requestLine('GET', '/a?b=1&c=%C3%BC+d&b=2?'));
  deepEqual([request.query.getAll('b'), request.query.get('c')], [['1', '2?'], 'ü d']);
  equal(request.query, request.query);
  equal(bound(requestLine('GET', '/a')).query.size, 0);
  equal(request.peer, undefined);
});

test('a body that is no JSON, or is read twice, is no unhandled rejection', async (context) => {
  const unhandled = context.mock.fn();
  process.on('unhandledRejection', unhandled);
  context.after(() => process.off('unhandledRejection', unhandled));
  const request = bound('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{bad');
  const json = request.json();
  const text = request.text();
  request.body.push(Buffer.from('{bad'), 0, 4);
  request.body.end();
  await new Promise((resolve) => setImmediate(resolve));
  equal(unhandled.mock.callCount(), 0);
  await rejects(json, { name: 'ExchangeError', status: 400 });
  await rejects(text, /is read once/);
});
