import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { errorText, get, OK, okText, response } from '../../test/support/unit-connection-bench.ts';
import {
  CLOSE_FIELD,
  ExchangeBench,
  KEEP_ALIVE_FIELD,
} from '../../test/support/unit-exchange-bench.ts';
import type { Handler } from '../app/handler.ts';
import { CLOSE_AFTER_SEND, LINGER_AFTER_SEND, OPEN, SUSPENDED } from './connection-table.ts';

const FAILED = '500 Internal Server Error';
const OK_CLOSE = response('200 OK', [CLOSE_FIELD, 'Content-Length: 0']);

test('a route that ends at once is answered with 200 and no body', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(get('/fast')), OK);
  equal(bench.answer(get('/fast?with=query')), OK);
  equal(bench.has(CLOSE_AFTER_SEND), false);
  equal(bench.count('requests'), 2);
  equal(bench.count('responses2xx'), 2);
  equal(bench.connections.table.requests(bench.slot), 2);
  bench.close();
});

test('requests that arrive together are answered together, in their order', () => {
  const bench = new ExchangeBench({
    'GET /echo': (request, given) => given.end(request.target),
  });
  const text = get('/echo?1') + get('/fast') + get('/echo?22') + get('/none');
  const expected = okText('/echo?1') + OK + okText('/echo?22') + errorText('404 Not Found');
  equal(bench.answer(text), expected);
  equal(bench.count('requests'), 4);
  equal(bench.io.calls.filter((call) => call.startsWith('send')).length, 1);
  bench.close();
});

test('requests that repeat the one before them are answered each, others as what they are', () => {
  const bench = new ExchangeBench({
    'GET /echo': (request, given) => given.end(`${request.method} ${request.target}`),
  });
  const echo = ['/echo?1', '/echo?1', '/echo?1', '/echo?2', '/echo?2'];
  equal(
    bench.answer(echo.map((target) => get(target)).join('')),
    echo.map((target) => okText(`GET ${target}`)).join(''),
  );
  equal(bench.count('requests'), 5);
  // Of the same size, and different in the last byte of the head only.
  equal(
    bench.answer(`${get('/fast')}${get('/fast').slice(0, -1)}x`),
    OK + errorText('400 Bad Request', [CLOSE_FIELD]),
  );
  bench.close();
});

test('a request that repeats the one before it waits as any other', () => {
  const bench = new ExchangeBench({});
  const text = get('/slow', 'PUT');
  equal(bench.answer(text + text), '');
  equal(bench.delegation.running.length, 1);
  bench.finishTask();
  equal(bench.flush(bench.slot), OK);
  equal(bench.delegation.running.length, 1);
  bench.finishTask();
  equal(bench.flush(bench.slot), OK);
  bench.close();
});

test('a request that waits is routed when its turn comes, by what it says', () => {
  const bench = new ExchangeBench({
    'GET /echo': (request, given) => given.end(`${request.method} ${request.target}`),
  });
  const [slow, echo] = [get('/slow', 'PUT'), get('/echo', 'GET')];
  // The last that is looked at before the wait is the echo, of which there were two already.
  equal(bench.answer(echo + echo + slow), okText('GET /echo').repeat(2));
  equal(bench.answer(echo + echo), '');
  bench.finishTask();
  equal(bench.flush(bench.slot), OK + okText('GET /echo').repeat(2));
  equal(bench.answer(slow), '');
  equal(bench.delegation.running.length, 1);
  bench.finishTask();
  equal(bench.flush(bench.slot), OK);
  bench.close();
});

test('requests that are safe and repeat are served at the same time, and answered in order', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(get('/slow').repeat(3) + get('/fast')), '');
  const { running } = bench.delegation;
  equal(running.length, 3);
  bench.finishTask(200, 'c', running[2]);
  bench.finishTask(200, 'a', running[0]);
  equal(bench.flush(bench.slot), okText('a'));
  bench.finishTask(200, 'b', running[0]);
  equal(bench.flush(bench.slot), okText('b') + okText('c') + OK);
  bench.close();
});

test('an incomplete request is left, and waits for its rest', () => {
  const bench = new ExchangeBench({});
  const text = get('/fast');
  equal(bench.answer(text + text.slice(0, 12)), OK);
  equal(bench.count('requests'), 1);
  equal(bench.has(SUSPENDED | CLOSE_AFTER_SEND), false);
  equal(bench.answer(text.slice(12)), OK);
  bench.close();
});

test('a handler sees method, target, path and fields; its body is text or bytes', () => {
  const seen: unknown[] = [];
  const bench = new ExchangeBench({
    'GET /text': (request, given) => {
      const { method, target, path } = request;
      seen.push(method, target, path, request.field('HOST'), request.field('Accept'));
      given.end('grün');
    },
    'POST /bytes': (request, given) => {
      seen.push(request.method);
      given.end(Uint8Array.of(1, 2, 255), 201);
    },
  });
  const type = 'Content-Type: text/plain; charset=utf-8';
  const text = Buffer.from(bench.answer(get('/text?a=b')), 'latin1').toString();
  equal(text, response('200 OK', [type, 'Content-Length: 5'], 'grün'));
  const octets = ['Content-Type: application/octet-stream', 'Content-Length: 3'];
  equal(bench.answer(get('/bytes', 'POST')), response('201 Created', octets, '\x01\x02\xff'));
  deepEqual(seen, ['GET', '/text?a=b', '/text', 'a', undefined, 'POST']);
  bench.close();
});

test('501 for CONNECT, whatever answers the rest, and nothing behind it is a request', () => {
  const targets: string[] = [];
  const bench = new ExchangeBench(
    {},
    {
      fallback: (request, given) => {
        targets.push(request.target);
        given.end('tunnel');
      },
    },
  );
  const connect = 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n';
  const refused = errorText('501 Not Implemented', [CLOSE_FIELD]);
  equal(bench.answer(get('/fast') + connect + get('/behind')), OK + refused);
  deepEqual(targets, []);
  equal(bench.count('responses5xx'), 1);
  bench.close();
});

test('404 for a path without a route', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(get('/none')), errorText('404 Not Found'));
  equal(bench.answer(get('/fast/')), errorText('404 Not Found'));
  equal(bench.count('responses4xx'), 2);
  equal(bench.has(CLOSE_AFTER_SEND), false);
  bench.close();
});

test('405 tells the methods of the path in Allow, of each path its own', () => {
  const bench = new ExchangeBench({});
  const expected = (allow: string): string =>
    errorText('405 Method Not Allowed', [], [`Allow: ${allow}`]);
  equal(bench.answer(get('/fast', 'DELETE')), expected('GET, HEAD, POST'));
  equal(bench.answer(get('/slow', 'BREW')), expected('GET, HEAD, POST, PUT'));
  equal(bench.answer(get('/fast', 'OPTIONS')), expected('GET, HEAD, POST'));
  equal(bench.count('responses4xx'), 3);
  // Behind others it is no different.
  equal(bench.answer(get('/slow') + get('/fast', 'OPTIONS')), '');
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done') + expected('GET, HEAD, POST'));
  bench.close();
});

test('HEAD is answered as GET is, without the body', () => {
  const bench = new ExchangeBench({
    'GET /text': (request, given) => given.end(request.method),
    'GET /throw': () => {
      throw new Error('thrown');
    },
  });
  equal(bench.answer(get('/fast', 'HEAD')), OK);
  equal(bench.answer(get('/text', 'HEAD')), okText('HEAD').slice(0, -4));
  equal(bench.answer(get('/none', 'HEAD')), errorText('404 Not Found').slice(0, -14));
  equal(bench.answer(get('/throw', 'HEAD')), errorText(FAILED).slice(0, -FAILED.length - 1));
  equal(bench.answer(get('/text') + get('/text', 'HEAD') + get('/fast')).endsWith(OK), true);
  bench.close();
});

const MISTAKES: Record<string, Handler> = {
  'throws an error': () => {
    throw new TypeError('thrown');
  },
  'throws what is no error': () => {
    throw undefined;
  },
  'ends its response twice': (_request, given) => {
    given.end('first');
    given.end('second');
  },
  'ends and then throws': (_request, given) => {
    given.end('ended');
    throw new Error('afterwards');
  },
  'answers with an interim status': (_request, given) => given.end('', 101),
  'answers with a status of no meaning': (_request, given) => given.end(undefined, 600),
  'answers with a fraction': (_request, given) => given.end('', 200.5),
  'answers 204 with a body': (_request, given) => given.end('x', 204),
  'answers with an object': (_request, given) => given.end({} as unknown as string),
  'writes what is no body': (_request, given) => void given.write(5 as unknown as string),
  'sets a field that is none': (_request, given) => void given.field('a b', 'x'),
  'splits its response': (_request, given) => void given.field('X', 'a\r\nY: b'),
  'sets a field of the server': (_request, given) => void given.field('Content-Length', '5'),
  'sets fields without end': (_request, given) => {
    for (;;) given.field('X', 'x'.repeat(1000));
  },
  'announces no length': (_request, given) => void given.length(-1),
};

for (const [name, handler] of Object.entries(MISTAKES)) {
  test(`a handler that ${name} costs its own request only`, () => {
    const bench = new ExchangeBench({ 'GET /wrong': handler });
    const text = get('/fast') + get('/wrong') + get('/fast');
    equal(bench.answer(text), OK + errorText(FAILED) + OK);
    deepEqual(bench.logged, [
      name === 'throws what is no error' ? 'a handler failed' : 'a handler failed!',
    ]);
    equal(bench.count('handlersFailed'), 1);
    equal(bench.count('responses5xx'), 1);
    equal(bench.count('responses2xx'), 2);
    bench.close();
  });
}

test('an empty body has a length of zero, and 204 has none', () => {
  const bench = new ExchangeBench({
    'GET /empty': (_request, given) => given.end(''),
    'GET /none': (_request, given) => given.end(undefined, 204),
  });
  equal(bench.answer(get('/empty')), okText(''));
  equal(bench.answer(get('/none')), response('204 No Content'));
  bench.close();
});

test('a request that asks for a close is the last one that is served', () => {
  const bench = new ExchangeBench({});
  const last = `GET /fast HTTP/1.1\r\nHost: a\r\n${CLOSE_FIELD}\r\n\r\n`;
  bench.arrive(get('/fast') + last);
  equal(bench.has(CLOSE_AFTER_SEND), true);
  equal(bench.has(LINGER_AFTER_SEND), false);
  equal(bench.flush(bench.slot), OK + OK_CLOSE);
  bench.closed();
  const more = new ExchangeBench({});
  equal(more.answer(get('/fast') + last + get('/fast')), OK + OK_CLOSE);
  equal(more.count('requests'), 2);
  more.close();
});

test('HTTP/1.0 ends the connection, unless it asks to go on', () => {
  const bench = new ExchangeBench({});
  const goesOn = `GET /fast HTTP/1.0\r\n${KEEP_ALIVE_FIELD}\r\n\r\n`;
  equal(bench.answer(goesOn), response('200 OK', [KEEP_ALIVE_FIELD, 'Content-Length: 0']));
  equal(bench.has(CLOSE_AFTER_SEND), false);
  equal(bench.answer('GET /none HTTP/1.0\r\n\r\n'), errorText('404 Not Found', [CLOSE_FIELD]));
  bench.closed();
});

const MALFORMED: Record<string, string> = {
  '400 Bad Request': 'GET /fast HTTP/1.1\r\n\r\n',
  '414 URI Too Long': `GET /${'x'.repeat(8192)} HTTP/1.1\r\n`,
  '431 Request Header Fields Too Large': `${get('/').slice(0, -2)}A: ${'x'.repeat(16_384)}\r\n\r\n`,
  '501 Not Implemented':
    'POST /fast HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  '505 HTTP Version Not Supported': 'GET /fast HTTP/2.0\r\nHost: a\r\n\r\n',
};

for (const [status, text] of Object.entries(MALFORMED)) {
  for (const behind of ['/fast', '/slow']) {
    test(`${status} behind ${behind}: what follows is never interpreted, and it lingers`, () => {
      const bench = new ExchangeBench({});
      bench.arrive(get(behind));
      bench.arrive(text.slice(0, 12_000));
      if (!bench.has(CLOSE_AFTER_SEND)) bench.arrive(text.slice(12_000) + get('/fast'));
      if (behind === '/slow') bench.finishTask();
      equal(bench.flush(bench.slot), OK + errorText(status, [CLOSE_FIELD]));
      equal(bench.has(CLOSE_AFTER_SEND), true);
      equal(bench.has(LINGER_AFTER_SEND), true);
      equal(bench.count('requests'), 2);
      bench.close();
      equal(bench.count('closedBadRequest'), 1);
    });
  }
}

test('a rejected HEAD request gets no body either', () => {
  const bench = new ExchangeBench({});
  const text = 'HEAD /fast HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n';
  const body = '400 Bad Request\n';
  equal(bench.answer(text), errorText('400 Bad Request', [CLOSE_FIELD]).slice(0, -body.length));
  bench.close();
});

test('a delegated request waits for its task; what is behind it waits its turn', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(get('/fast') + get('/slow?x') + get('/fast')), OK);
  equal(bench.delegation.running.length, 1);
  const { task, target } = bench.delegation.running[0]!;
  deepEqual([task, target], [1, '/slow?x']);
  equal(bench.count('tasksDelegated'), 1);
  equal(bench.count('requests'), 3);
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done') + OK);
  bench.close();
});

test('each route delegates to the task it names', () => {
  const bench = new ExchangeBench({});
  bench.answer(get('/slow', 'PUT'));
  bench.finishTask();
  bench.answer(get('/slow'));
  equal(bench.delegation.running[0]!.task, 1);
  bench.finishTask();
  bench.answer(get('/slow', 'PUT'));
  equal(bench.delegation.running[0]!.task, 0);
  bench.finishTask();
  bench.flush(bench.slot);
  bench.close();
});

test('a draining server says so in its next response, and serves nothing behind it', () => {
  const bench = new ExchangeBench({});
  bench.answer(get('/slow'));
  bench.connections.ending.announce();
  bench.finishTask();
  equal(bench.flush(bench.slot), OK_CLOSE);
  bench.close();
  for (const [target, expected] of [
    ['/fast', OK_CLOSE],
    ['/none', errorText('404 Not Found', [CLOSE_FIELD])],
  ] as const) {
    const other = new ExchangeBench({});
    other.connections.ending.announce();
    equal(other.answer(get(target) + get('/fast')), expected);
    equal(other.count('requests'), 1);
    other.close();
  }
});

test('the last of the requests that a connection may have says that it ends', () => {
  const bench = new ExchangeBench({}, { requests: { requestsMax: 2 } });
  equal(bench.answer(get('/fast').repeat(3)), OK + OK_CLOSE);
  equal(bench.count('requests'), 2);
  bench.close();
});

test('when a response might not fit, the connection is suspended before its request', () => {
  const body = 'b'.repeat(3000);
  const bench = new ExchangeBench({ 'GET /big': (_request, given) => given.end(body) });
  bench.arrive(get('/big').repeat(8));
  equal(bench.has(SUSPENDED), true);
  const served = bench.count('requests');
  ok(served >= 2 && served < 8);
  match(bench.flush(bench.slot), /b$/);
  equal(bench.count('requests'), 8);
  equal(bench.state, OPEN);
  bench.close();
});
