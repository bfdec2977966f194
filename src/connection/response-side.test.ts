import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { errorText, get, OK, okText, response } from '../../test/support/unit-connection-bench.ts';
import {
  CHUNKED,
  CLOSE_FIELD,
  ExchangeBench,
  gate,
  inChunks,
  KEEP_ALIVE_FIELD,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { WRITE_QUEUE_SIZE_MAX } from '../app/bound-response.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Handler } from '../app/handler.ts';
import type { Response } from '../app/response.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { CLOSE_AFTER_SEND, LINGERING, OPEN } from './connection-table.ts';

const TEXT = 'Content-Type: text/plain; charset=utf-8';
const OCTETS = 'Content-Type: application/octet-stream';

/** A handler that answers when the test does, with the response it kept. */
class Kept {
  response!: Response;
  readonly handler: Handler = (_request, given) => {
    this.response = given;
  };
}

function later(pieces: readonly string[]): Handler {
  return async (_request, given) => {
    for (const piece of pieces) {
      await turn();
      await given.write(piece);
    }
    given.end();
  };
}

test('pieces are sent as chunks, as they come', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  equal(bench.answer(get('/stream')), '');
  equal(kept.response.write('hello'), undefined);
  equal(bench.flush(bench.slot), `${response('200 OK', [CHUNKED])}5\r\nhello\r\n`);
  void kept.response.write('');
  equal(bench.flush(bench.slot), '');
  void kept.response.write(Buffer.from('wörld'));
  kept.response.end('!');
  equal(
    Buffer.from(bench.flush(bench.slot), 'latin1').toString(),
    '6\r\nwörld\r\n1\r\n!\r\n0\r\n\r\n',
  );
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('a stream that its handler has ended already has its length', async () => {
  const bench = new ExchangeBench({
    'GET /known': (_request, given) => {
      void given.write('hello ');
      given.end('world');
    },
  });
  equal(bench.answer(get('/known')), response('200 OK', ['Content-Length: 11'], 'hello world'));
  bench.close();
});

test('a length that is announced is kept: no chunks, and no byte more or less', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  bench.answer(get('/stream'));
  kept.response.length(10);
  void kept.response.write('hello');
  equal(bench.flush(bench.slot), response('200 OK', ['Content-Length: 10'], 'hello'));
  throws(() => kept.response.write('too long'), /longer than the 10 bytes/);
  throws(() => kept.response.end(), /5 bytes, but 10 were announced/);
  kept.response.end('world');
  equal(bench.flush(bench.slot), 'world');
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('a response that was never begun says when its length is wrong', () => {
  for (const wrong of [
    (given: Response) => given.length(5).end(),
    (given: Response) => given.length(5).end('four'),
    (given: Response) => given.length(5).end('sixsix'),
  ]) {
    const bench = new ExchangeBench({ 'GET /wrong': (_request, given) => wrong(given) });
    equal(bench.answer(get('/wrong')), errorText('500 Internal Server Error'));
    deepEqual(bench.logged, ['a handler failed!']);
    bench.close();
  }
});

test('too few bytes behind a head that was sent: the response is broken off', async () => {
  const bench = new ExchangeBench({
    'GET /short': async (_request, given) => {
      given.length(10);
      await given.write('hello');
      await turn();
      given.end();
    },
  });
  equal(await bench.ask(get('/short')), response('200 OK', ['Content-Length: 10'], 'hello'));
  deepEqual(bench.logged, ['a handler failed!']);
  bench.closed();
  equal(bench.count('closedHandlerFailed'), 1);
});

test('write answers a promise while the peer does not read, resolved when it does', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  bench.answer(get('/stream'));
  const size = 200_000;
  let taken = false;
  const written = kept.response.write('x'.repeat(size));
  ok(written !== undefined);
  void written.then(() => {
    taken = true;
  });
  let sent = '';
  while (!taken) {
    bench.tick();
    ok(sent.length < size + 4000, 'what was sent is what was written');
    if (!bench.sends) {
      await turn();
      ok(taken);
      break;
    }
    sent += bench.send(bench.slot);
    await turn();
  }
  kept.response.end();
  sent += bench.flush(bench.slot);
  equal(dechunk(sent.slice(sent.indexOf('\r\n\r\n') + 4)), 'x'.repeat(size));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('a peer that never reads: what waits is bounded, and the handler is told', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  bench.answer(get('/stream'));
  const half = 'x'.repeat(WRITE_QUEUE_SIZE_MAX / 2);
  const written = kept.response.write(half);
  void kept.response.write(half);
  throws(() => kept.response.write('x'.repeat(200_000)), /that the peer has not taken/);
  bench.tick();
  const rejected = rejects(written!, ExchangeError);
  bench.pass(4100);
  ok(bench.state !== OPEN);
  await rejected;
  await rejects(kept.response.write('more')!, ExchangeError);
  kept.response.end('nobody hears it');
  bench.closed();
  equal(bench.count('closedSendTimeout'), 1);
});

test('a long body takes several blocks; what is behind it comes behind it', () => {
  const long = 'ab'.repeat(150_000);
  const bench = new ExchangeBench({
    'GET /text': (_request, given) => given.end(long),
    'GET /bytes': (_request, given) => given.end(Buffer.from(long)),
    'GET /field': (_request, given) => given.field('Content-Type', 'a/b').end(long),
  });
  equal(bench.answer(get('/text') + get('/fast')), okText(long) + OK);
  ok(bench.io.calls.filter((call) => call.startsWith('send')).length > 4);
  const length = `Content-Length: ${long.length}`;
  equal(bench.answer(get('/bytes')), response('200 OK', [OCTETS, length], long));
  equal(
    Buffer.from(bench.answer(get('/field'))).length,
    response('200 OK', ['Content-Type: a/b', length], long).length,
  );
  equal(
    bench.answer(get('/text', 'HEAD') + get('/fast')),
    okText(long).slice(0, -long.length) + OK,
  );
  bench.close();
});

test('HTTP/1.0 knows no chunks: the end of the connection ends the body', async () => {
  const bench = new ExchangeBench({ 'GET /stream': later(['one', 'two']) });
  const fields = [KEEP_ALIVE_FIELD];
  const request = `GET /stream HTTP/1.0\r\n${fields.join('\r\n')}\r\n\r\n`;
  equal(await bench.ask(request + get('/fast')), response('200 OK', [CLOSE_FIELD], 'onetwo'));
  equal(bench.count('requests'), 1);
  bench.close();
});

test('a body that ends with the connection has nothing behind it, pipelined or not', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  const old = `GET /stream HTTP/1.0\r\n${KEEP_ALIVE_FIELD}\r\n\r\n`;
  equal(bench.answer(old + get('/fast') + get('/slow')), '');
  void kept.response.write('body');
  equal(bench.flush(bench.slot), response('200 OK', [CLOSE_FIELD], 'body'));
  // Everything was taken: the end has nothing to send, and closes all the same.
  kept.response.end();
  equal(bench.flush(bench.slot), '');
  equal(bench.state, LINGERING);
  bench.close();
});

test('the end of a response that was taken already goes on with the connection', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  bench.answer(`GET /stream HTTP/1.1\r\nHost: a\r\n${CLOSE_FIELD}\r\n\r\n`);
  void kept.response.length(4).write('body');
  bench.flush(bench.slot);
  equal(bench.state, OPEN);
  kept.response.end();
  bench.tick();
  bench.closed();

  const stays = new ExchangeBench({ 'GET /stream': kept.handler });
  stays.answer(get('/stream'));
  void kept.response.length(4).write('body');
  stays.flush(stays.slot);
  stays.pass(30_000);
  equal(stays.state, OPEN);
  kept.response.end();
  stays.pass(1500);
  stays.closed();
  equal(stays.count('closedIdle'), 1);
});

test('HEAD of a stream has its head and nothing else', async () => {
  const bench = new ExchangeBench({ 'GET /stream': later(['one', 'two']) });
  equal(await bench.ask(get('/stream', 'HEAD')), response('200 OK', [CHUNKED]));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('HEAD may have the length of what GET would have answered, without it', async () => {
  const bench = new ExchangeBench({
    'HEAD /file': (_request, given) => given.length(1000).end(),
    'HEAD /fields': (_request, given) => given.field('X-A', '1').length(1e9).end(),
    'HEAD /none': (_request, given) => given.length(0).end(),
    'HEAD /late': async (_request, given) => {
      await turn();
      given.length(5).end();
    },
    'HEAD /205': (_request, given) => given.length(5).end(undefined, 205),
    'HEAD /wrong': (_request, given) => given.length(5).end('four'),
  });
  const of = (target: string): string => get(target, 'HEAD');
  const known = (size: number, fields: readonly string[] = []): string =>
    response('200 OK', [`Content-Length: ${size}`, ...fields]);
  equal(bench.answer(of('/file') + get('/fast')), known(1000) + OK);
  equal(bench.answer(of('/none')), known(0));
  equal(bench.answer(of('/fields')), known(1e9, ['X-A: 1']));
  equal(await bench.ask(of('/late')), known(5));
  for (const target of ['/205', '/wrong']) {
    match(bench.answer(of(target)), /^HTTP.1.1 500 .*\r\n\r\n$/s);
  }
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('HEAD of a source has its head: the source is cancelled, and never asked', async () => {
  let cancelled = 0;
  const source = {
    [Symbol.iterator]() {
      return this;
    },
    next(): IteratorResult<string> {
      throw new Error('nothing is wanted of it');
    },
    return(): IteratorResult<string> {
      cancelled++;
      return { done: true, value: undefined };
    },
  };
  const web = new ReadableStream<string>({ cancel: () => void cancelled++ });
  const readable = new Readable({ read: () => {}, destroy: () => void cancelled++ });
  const asynchronous = {
    [Symbol.asyncIterator]: () => ({ ...source, return: async () => source.return() }),
  };
  const bench = new ExchangeBench({
    'GET /awaited': (_request, given) => given.stream(source),
    'GET /kept': (_request, given) => void given.stream(asynchronous as never),
    'GET /web': (_request, given) => given.stream(web),
    'GET /readable': (_request, given) => given.length(9).stream(readable),
  });
  const of = (target: string): string => get(target, 'HEAD');
  const text = of('/awaited') + of('/kept') + of('/web') + of('/readable') + of('/fast');
  const unknown = response('200 OK', [CHUNKED]);
  const known = response('200 OK', ['Content-Length: 9']);
  // The second one and those behind it wait for their turn.
  equal(await bench.ask(text), unknown.repeat(3) + known + OK);
  equal(cancelled, 4);
  deepEqual(bench.logged, []);
  bench.close();
});

test('204 and 304 have no body', async () => {
  const answer =
    (status: number): Handler =>
    (_request, given) => {
      given.status = status;
      throws(() => given.write('x'), RangeError);
      given.field('ETag', '"1"').end();
    };
  const bench = new ExchangeBench({
    'GET /204': answer(204),
    'GET /304': answer(304),
    'GET /end204': (_request, given) => given.end(undefined, 204),
    'GET /end304': (_request, given) => given.end(undefined, 304),
    'GET /late304': async (_request, given) => {
      await turn();
      given.field('ETag', '"1"').end(undefined, 304);
    },
  });
  const none = response('204 No Content', ['ETag: "1"']);
  const same = response('304 Not Modified', ['ETag: "1"']);
  equal(bench.answer(get('/204') + get('/304')), none + same);
  equal(
    bench.answer(get('/end204') + get('/end304')),
    response('204 No Content') + response('304 Not Modified'),
  );
  equal(await bench.ask(get('/late304')), same);
  bench.close();
});

test('an empty body is none', async () => {
  const bench = new ExchangeBench({
    'GET /204': (_request, given) => given.end('', 204),
    'GET /205': (_request, given) => given.field('X-A', '1').end(Buffer.alloc(0), 205),
    'GET /304': async (_request, given) => {
      await turn();
      given.end('', 304);
    },
  });
  equal(bench.answer(get('/204')), response('204 No Content'));
  const reset = response('205 Reset Content', ['Content-Length: 0', 'X-A: 1']);
  equal(bench.answer(get('/205')), reset);
  equal(await bench.ask(get('/304')), response('304 Not Modified'));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('trailers come behind the last chunk', async () => {
  const bench = new ExchangeBench({
    'GET /stream': async (_request, given) => {
      await given.write('body');
      given.trailer('X-Sum', '1').trailer('X-More', '2');
      given.end();
    },
    'GET /at-once': (_request, given) => {
      void given.trailer('X-Sum', '1').write('body');
      given.end();
    },
  });
  const body = '4\r\nbody\r\n0\r\nX-Sum: 1\r\n';
  equal(await bench.ask(get('/stream')), response('200 OK', [CHUNKED], `${body}X-More: 2\r\n\r\n`));
  equal(bench.answer(get('/at-once')), response('200 OK', [CHUNKED], `${body}\r\n`));
  bench.close();
});

test('fields of the application are sent, before the head and never after it', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({
    'GET /fields': (_request, given) => given.field('X-A', '1').field('X-B', '2').end('text'),
    'GET /stream': kept.handler,
  });
  equal(
    bench.answer(get('/fields')),
    response('200 OK', [TEXT, 'Content-Length: 4', 'X-A: 1', 'X-B: 2'], 'text'),
  );
  bench.answer(get('/stream'));
  kept.response.field('Content-Type', 'a/b').status = 201;
  void kept.response.write('x');
  throws(() => kept.response.field('X-C', '3'), /has begun already/);
  throws(() => {
    kept.response.status = 200;
  }, /has begun already/);
  throws(() => kept.response.length(1), /has begun already/);
  kept.response.end();
  match(
    bench.flush(bench.slot),
    /^HTTP\/1.1 201 Created\r\nDate: [^\r]*\r\n(.*\r\n)*Content-Type: a\/b\r\n/,
  );
  bench.close();
});

test('a peer that resets while a response is sent: whoever waits is told', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  bench.answer(get('/stream'));
  const written = kept.response.write('x'.repeat(100_000));
  bench.tick();
  bench.endRecv(bench.slot, -ECONNRESET);
  await rejects(written!, ExchangeError);
  bench.closed();
});

test('a stream waits for its turn behind others, and its peer for space', async () => {
  const kept = new Kept();
  const bench = new ExchangeBench({ 'GET /stream': kept.handler });
  equal(bench.answer(get('/slow') + get('/stream')), '');
  const written = kept.response.write('mine');
  equal(bench.flush(bench.slot), '');
  ok(written !== undefined);
  bench.finishTask(200, 'first');
  await written;
  equal(bench.flush(bench.slot), `${okText('first') + response('200 OK', [CHUNKED])}4\r\nmine\r\n`);
  kept.response.end();
  equal(bench.flush(bench.slot), '0\r\n\r\n');
  bench.close();
});

test('the result of a task: no body, a body of any status, an error without one', () => {
  const bench = new ExchangeBench({});
  const results: [number, string, string][] = [
    [200, '', OK],
    [201, 'made', okText('made').replace('200 OK', '201 Created')],
    [204, '', response('204 No Content')],
    [404, '', response('404 Not Found', ['Content-Length: 0'])],
    [500, '', errorText('500 Internal Server Error')],
    [503, 'busy', okText('busy').replace('200 OK', '503 Service Unavailable')],
  ];
  for (const [status, body, expected] of results) {
    bench.answer(get('/slow'));
    bench.finishTask(status, body);
    equal(bench.flush(bench.slot), expected);
  }
  equal(bench.count('responses2xx'), 3);
  equal(bench.count('responses4xx'), 1);
  equal(bench.count('responses5xx'), 2);
  bench.close();
});

test('the result of a task for HEAD has the length of its body, and not the body', () => {
  const bench = new ExchangeBench({});
  bench.answer(get('/slow', 'HEAD'));
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done').slice(0, -4));
  bench.answer(get('/slow', 'HEAD'));
  bench.finishTask(500);
  const status = '500 Internal Server Error';
  equal(bench.flush(bench.slot), errorText(status).slice(0, -status.length - 1));
  bench.answer(get('/slow'));
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done'));
  bench.close();
});

test('what a delegated request says about the connection is said by its response', () => {
  const bench = new ExchangeBench({});
  bench.answer(`GET /slow HTTP/1.0\r\n${KEEP_ALIVE_FIELD}\r\n\r\n`);
  bench.finishTask(200);
  equal(bench.flush(bench.slot), response('200 OK', [KEEP_ALIVE_FIELD, 'Content-Length: 0']));
  bench.answer(`GET /slow HTTP/1.1\r\nHost: a\r\n${CLOSE_FIELD}\r\n\r\n`);
  equal(bench.has(CLOSE_AFTER_SEND), true);
  bench.finishTask(200);
  equal(bench.flush(bench.slot), response('200 OK', [CLOSE_FIELD, 'Content-Length: 0']));
  bench.closed();
});

test('a task that is refused: 503 tells when to retry, 414 does not; the next is served', () => {
  const bench = new ExchangeBench({});
  const { delegation } = bench;
  const retry = 'Retry-After: 1';
  const busy = '503 Service Unavailable';
  delegation.decide = () => 503;
  equal(bench.answer(get('/slow') + get('/fast')), errorText(busy, [], [retry]) + OK);
  equal(
    bench.answer(get('/slow', 'HEAD')),
    errorText(busy, [], [retry]).slice(0, -busy.length - 1),
  );
  delegation.decide = () => 414;
  equal(bench.answer(get('/slow') + get('/fast')), errorText('414 URI Too Long') + OK);
  equal(bench.count('tasksDelegated'), 0);
  delegation.decide = () => 0;
  bench.answer(get('/slow'));
  bench.finishTask(200, 'body');
  equal(bench.flush(bench.slot), okText('body'));
  bench.close();
});

test('a task that is done before delegate returns keeps its place in the order', () => {
  const bench = new ExchangeBench({});
  const { delegation, connections } = bench;
  delegation.delegate = (_task, exchange, generation) => {
    connections.tasks.onDone(exchange, generation, 200, Buffer.from('inline'), 0, 6);
    return 0;
  };
  const text = get('/fast') + get('/slow') + get('/slow', 'HEAD') + get('/fast');
  equal(bench.answer(text), OK + okText('inline') + okText('inline').slice(0, -6) + OK);
  bench.close();
});

test('a write after the gate of another turn goes to its own response', async () => {
  const open = gate();
  const bench = new ExchangeBench({
    'GET /one': async (request, given) => {
      await open.promise;
      given.end(request.target);
    },
  });
  equal(bench.answer(get('/one?1') + get('/one?2') + get('/one?3')), '');
  open.resolve();
  equal(await bench.settle(), okText('/one?1') + okText('/one?2') + okText('/one?3'));
  bench.close();
});

function dechunk(text: string): string {
  let body = '';
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) {
      equal(text.slice(line), '\r\n\r\n');
      return body;
    }
    body += text.slice(line + 2, line + 2 + size);
    equal(text.slice(line + 2 + size, line + 4 + size), '\r\n');
    at = line + 4 + size;
  }
}

test('inChunks writes what a server would', () => {
  equal(dechunk(inChunks(['a', 'bc']).split('\r\n\r\n').slice(1).join('\r\n\r\n')), 'abc');
});
