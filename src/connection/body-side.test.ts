import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConnectionBench,
  errorText,
  get,
  OK,
  okText,
} from '../../test/support/unit-connection-bench.ts';
import {
  CHUNKED,
  CLOSE_FIELD,
  CONTINUE,
  ExchangeBench,
  gate,
  head,
  inChunks,
  postBody,
  postChunks,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { defineApp } from '../app/app.ts';
import { compileApp } from '../app/compiled-app.ts';
import { delegate } from '../app/delegation.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Handler } from '../app/handler.ts';
import type { Task } from '../delegate/task.ts';
import { SEND } from '../io/token.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { BODY_DROP_MAX } from './body-side.ts';
import { LINGERING, OPEN } from './connection-table.ts';

const EXPECT = 'Expect: 100-continue';

/** Answers with the body as a whole. */
const whole: Handler = async (request, response) => response.end(await request.text());

/** Sends back each piece of the body as it comes. */
const echo: Handler = async (request, response) => {
  for await (const piece of request.body) await response.write(piece);
  response.end();
};

/** Reads a piece of the body each time that the test says so, and keeps what it saw. */
class Reader {
  readonly seen: string[] = [];
  error: unknown;
  #next = gate();
  readonly handler: Handler = async (request, response) => {
    try {
      await this.#next.promise;
      for await (const piece of request.body) {
        this.seen.push(Buffer.from(piece).toString('latin1'));
        this.#next = gate();
        await this.#next.promise;
      }
      response.end(`${this.seen.join('').length} bytes`);
    } catch (error) {
      this.error = error;
      throw error;
    }
  };

  async read(bench: ExchangeBench): Promise<void> {
    this.#next.resolve();
    await turn();
    bench.tick();
    await turn();
  }
}

test('a body as a whole, with a length or in chunks, arrives cut anywhere', async () => {
  for (const text of [
    postBody('/whole', 'hello world'),
    postChunks('/whole', ['hello ', 'world']),
  ]) {
    for (let cut = 1; cut <= text.length; cut++) {
      const bench = new ExchangeBench({ 'POST /whole': whole });
      let answer = await bench.ask(text.slice(0, cut));
      if (cut < text.length) {
        equal(answer, '');
        answer = await bench.ask(text.slice(cut));
      }
      equal(answer, okText('hello world'));
      equal(bench.answer(get('/fast')), OK);
      bench.close();
    }
  }
});

test('a body arrives a byte at a time', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole, 'POST /echo': echo });
  let answer = '';
  for (const byte of postChunks('/whole', ['ab', 'c'])) answer += await bench.ask(byte);
  equal(answer, okText('abc'));
  answer = '';
  for (const byte of postChunks('/echo', ['ab', 'c'])) answer += await bench.ask(byte);
  equal(answer, inChunks(['a', 'b', 'c']));
  bench.close();
});

test('what follows a body in the same bytes is the next request', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  const text = postBody('/whole', 'one') + postChunks('/whole', ['two']) + get('/fast');
  equal(
    await bench.ask(text + postBody('/whole', 'three')),
    [okText('one'), okText('two'), OK, okText('three')].join(''),
  );
  equal(bench.count('requests'), 4);
  bench.close();
});

test('a request without a body has an empty one', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole, 'POST /echo': echo });
  equal(await bench.ask(head('POST', '/whole')), okText(''));
  equal(await bench.ask(postBody('/whole', '')), okText(''));
  equal(await bench.ask(postChunks('/whole', [])), okText(''));
  equal(await bench.ask(postBody('/echo', '')), OK);
  bench.close();
});

test('a body of the limit is read as a whole; one byte more is 413, and the end', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  const chunks = (size: number): string => postChunks('/whole', ['x'.repeat(size)]);
  equal(await bench.ask(chunks(4096)), okText('x'.repeat(4096)));
  const answer = await bench.ask(chunks(4097) + get('/fast'));
  equal(answer, errorText('413 Content Too Large', [CLOSE_FIELD]));
  equal(bench.count('requests'), 2);
  equal(bench.state, LINGERING);
  equal(bench.count('handlersFailed'), 0);
  deepEqual(bench.logged, []);
  bench.close();
  equal(bench.count('closedBadRequest'), 1);
});

test('a body that announces more than the limit is 413 at once, and dropped', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  equal(await bench.ask(postBody('/whole', 'x'.repeat(4096))), okText('x'.repeat(4096)));
  const request = postBody('/whole', 'x'.repeat(4097));
  equal(await bench.ask(request.slice(0, -4097)), errorText('413 Content Too Large'));
  equal(await bench.ask(request.slice(-4097) + get('/fast')), OK);
  deepEqual(bench.logged, []);
  bench.endRecv(bench.slot, 0);
  bench.closed();
});

test('a handler may answer a body that is too large itself', async () => {
  const bench = new ExchangeBench({
    'POST /whole': async (request, response) => {
      await rejects(
        request.bytes(),
        (error) => error instanceof ExchangeError && error.status === 413,
      );
      response.end('too large', 400);
    },
  });
  const answer = await bench.ask(postChunks('/whole', ['x'.repeat(5000)]));
  equal(answer, okText('too large', [CLOSE_FIELD]).replace('200 OK', '400 Bad Request'));
  equal(bench.state, LINGERING);
  bench.close();
});

test('a slow handler holds its peer back: no more arrives than was asked for', async () => {
  const reader = new Reader();
  const bench = new ExchangeBench({ 'POST /read': reader.handler }, { recvBufferSize: 100 });
  const body = Array.from({ length: 5 }, (_, index) => String(index).repeat(100)).join('');
  equal(await bench.ask(head('POST', '/read', ['Content-Length: 500'])), '');
  // The receive was armed before anybody knew that it brings a body nobody wants yet.
  bench.receive(bench.slot, body.slice(0, 100));
  bench.tick();
  if (bench.receives) {
    bench.receive(bench.slot, body.slice(100, 200));
    bench.endRecv(bench.slot, -125);
  }
  bench.pass(30_000);
  equal(bench.receives, false);
  equal(bench.state, OPEN);
  await reader.read(bench);
  bench.tick();
  equal(reader.seen.length, 1);
  for (let round = 0; round < 10 && reader.seen.join('').length < 500; round++) {
    await reader.read(bench);
    bench.tick();
    const { length } = reader.seen.join('');
    const pending =
      bench.io.buffersUsed + (bench.connections.table.recvBlock(bench.slot) < 0 ? 0 : 1);
    if (length < 500 && bench.receives && pending === 0) {
      bench.receive(bench.slot, body.slice(length, length + 100));
      bench.tick();
      ok(bench.io.buffersUsed <= 2);
    }
  }
  equal(reader.seen.join(''), body);
  await reader.read(bench);
  equal(await bench.settle(), okText('500 bytes'));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('what a handler did not read is dropped, and the next request is served', async () => {
  const bench = new ExchangeBench({}, { recvBuffers: 32 });
  const body = 'x'.repeat(BODY_DROP_MAX);
  equal(bench.answer(postBody('/fast', body) + get('/fast')), OK + OK);
  equal(bench.answer(postChunks('/fast', ['x'.repeat(10_000), 'y'.repeat(50_000)])), OK);
  equal(bench.state, OPEN);
  equal(bench.connections.table.requests(bench.slot), 3);
  bench.close();
});

test('a body that is longer than what is dropped ends the connection', () => {
  const known = new ExchangeBench({});
  known.arrive(postBody('/fast', 'x'.repeat(BODY_DROP_MAX + 1)).slice(0, 1000));
  equal(known.flush(known.slot), OK.replace('Content', `${CLOSE_FIELD}\r\nContent`));
  equal(known.state, LINGERING);
  known.close();
  const unknown = new ExchangeBench({});
  unknown.arrive(head('POST', '/fast', [CHUNKED]));
  equal(unknown.flush(unknown.slot), OK);
  const chunk = 'x'.repeat(4090);
  for (let sent = 0; sent <= BODY_DROP_MAX; sent += chunk.length) {
    equal(unknown.state, OPEN);
    unknown.arrive(`ffa\r\n${chunk}\r\n`.slice(0, -2));
    unknown.tick();
    if (unknown.state === OPEN) unknown.arrive('\r\n');
  }
  equal(unknown.state, LINGERING);
  equal(unknown.count('requests'), 1);
  unknown.close();
});

test('a handler that reads the first piece and ends: the rest is dropped', async () => {
  const bench = new ExchangeBench({
    'POST /first': async (request, response) => {
      for await (const piece of request.body) {
        response.end(`${piece.length}`);
        break;
      }
    },
  });
  equal(await bench.ask(`${head('POST', '/first', ['Content-Length: 10'])}hello`), okText('5'));
  equal(await bench.ask(`world${get('/fast')}`), OK);
  equal(bench.count('requests'), 2);
  bench.close();
});

test('100 Continue is sent when the body is wanted, and not before', async () => {
  const reader = new Reader();
  const bench = new ExchangeBench({ 'POST /read': reader.handler });
  equal(await bench.ask(head('POST', '/read', ['Content-Length: 4', EXPECT])), '');
  // Nobody is late: the peer waits for the server.
  bench.pass(30_000);
  equal(bench.state, OPEN);
  await reader.read(bench);
  equal(bench.flush(bench.slot), CONTINUE);
  bench.arrive('body');
  await turn();
  deepEqual(reader.seen, ['body']);
  await reader.read(bench);
  equal(await bench.settle(), okText('4 bytes'));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('100 Continue is not sent when bytes of the body came already', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  equal(await bench.ask(postBody('/whole', 'body', [EXPECT])), okText('body'));
  const reader = new Reader();
  const later = new ExchangeBench({ 'POST /read': reader.handler });
  equal(await later.ask(head('POST', '/read', ['Content-Length: 4', EXPECT])), '');
  equal(await later.ask('bo'), '');
  await reader.read(later);
  equal(await later.settle(), '');
  equal(await later.ask('dy'), '');
  await reader.read(later);
  await reader.read(later);
  equal(await later.settle(), okText('4 bytes'));
  later.close();
});

test('100 Continue comes once, and in its turn', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  const text = get('/slow') + head('POST', '/whole', ['Content-Length: 4', EXPECT]);
  equal(await bench.ask(text), '');
  bench.finishTask(200, 'done');
  equal(await bench.settle(), okText('done') + CONTINUE);
  equal(await bench.ask('bo'), '');
  equal(await bench.ask('dy'), okText('body'));
  bench.close();
});

test('a final response without 100 Continue ends the connection', async () => {
  const bench = new ExchangeBench({});
  equal(
    await bench.ask(head('POST', '/fast', ['Content-Length: 4', EXPECT])),
    OK.replace('Content', `${CLOSE_FIELD}\r\nContent`),
  );
  equal(bench.state, LINGERING);
  bench.close();
  const streams = new ExchangeBench({
    'POST /stream': async (_request, response) => {
      response.write('a');
      await turn();
      response.end('b');
    },
  });
  equal(
    await streams.ask(head('POST', '/stream', ['Content-Length: 4', EXPECT])),
    inChunks(['a', 'b']).replace('Transfer', `${CLOSE_FIELD}\r\nTransfer`),
  );
  equal(streams.state, LINGERING);
  streams.close();
});

test('a malformed body is 400, and nothing behind it is interpreted', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  const text = `${head('POST', '/whole', [CHUNKED])}3\r\nabcX\r\n${get('/fast')}`;
  equal(await bench.ask(text), errorText('400 Bad Request', [CLOSE_FIELD]));
  equal(bench.count('requests'), 1);
  equal(bench.state, LINGERING);
  deepEqual(bench.logged, []);
  bench.close();
  equal(bench.count('closedBadRequest'), 1);
});

test('a malformed body whose response has begun: the response is broken off', async () => {
  let error: unknown;
  const bench = new ExchangeBench({
    'POST /echo': async (request, response) => {
      try {
        for await (const piece of request.body) await response.write(piece);
      } catch (reason) {
        error = reason;
        throw reason;
      }
    },
  });
  const text = `${head('POST', '/echo', [CHUNKED])}3\r\nabc\r\n`;
  equal(await bench.ask(text), inChunks(['abc']).slice(0, -5));
  bench.arrive('NONSENSE');
  equal(await bench.settle(), '');
  ok(error instanceof ExchangeError);
  equal(error.status, 400);
  deepEqual(bench.logged, []);
  bench.closed();
  equal(bench.count('closedBadRequest'), 1);
});

test('a peer that ends within a body gets 400, its handler an ExchangeError', async () => {
  for (const begun of ['', 'be']) {
    const reader = new Reader();
    const bench = new ExchangeBench({ 'POST /read': reader.handler });
    await bench.ask(`${head('POST', '/read', ['Content-Length: 9'])}${begun}`);
    await reader.read(bench);
    if (begun !== '') await reader.read(bench);
    bench.tick();
    bench.endRecv(bench.slot, 0);
    equal(await bench.settle(), errorText('400 Bad Request', [CLOSE_FIELD]));
    ok(reader.error instanceof ExchangeError);
    equal(reader.error.status, 400);
    bench.close();
    deepEqual(bench.logged, []);
  }
});

test('a peer that resets within a body: its handler gets an ExchangeError', async () => {
  const reader = new Reader();
  const bench = new ExchangeBench({ 'POST /read': reader.handler });
  await bench.ask(`${head('POST', '/read', ['Content-Length: 9'])}be`);
  await reader.read(bench);
  await reader.read(bench);
  bench.tick();
  bench.endRecv(bench.slot, -ECONNRESET);
  bench.closed();
  await turn();
  ok(reader.error instanceof ExchangeError);
  deepEqual(reader.seen, ['be']);
  deepEqual(bench.logged, []);
});

test('a peer that resets while its bytes wait for the handler: they are given back', async () => {
  const reader = new Reader();
  const bench = new ExchangeBench({ 'POST /read': reader.handler });
  bench.answer(get('/fast'));
  await bench.ask(`${head('POST', '/read', ['Content-Length: 9'])}be`);
  bench.receive(bench.slot, 'gin');
  equal(bench.io.buffersUsed, 1);
  bench.endRecv(bench.slot, -ECONNRESET);
  bench.closed();
  await reader.read(bench);
  ok(reader.error instanceof Error);
  deepEqual(bench.logged, []);
});

test('the body of a delegated request is dropped', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(`${postBody('/slow', 'body')}${get('/fast')}`), '');
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done') + OK);
  bench.close();
});

test('whoever reads the body of a delegated request is told when its response ends', async (t) => {
  let failure: unknown;
  const bench = new ConnectionBench({
    app: compileApp(
      defineApp({
        routes: {
          'POST /read': delegate('task', {
            input: (request) => {
              request.bytes().catch((error: unknown) => {
                failure = error;
              });
              return '';
            },
          }),
        },
        tasks: { task: (task: Task<string>) => task.input },
      }),
    ),
  });
  const slot = bench.open();
  bench.receive(slot, postBody('/read', 'body').slice(0, -1));
  const userCodeRan = t.mock.method(bench.loop, 'userCodeRan');
  bench.finishTask();
  // Or it goes on only when something else wakes the thread.
  equal(userCodeRan.mock.callCount(), 1);
  await turn();
  ok(failure instanceof ExchangeError);
});

test('the body of a request that nobody answers is dropped', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(postBody('/none', 'body') + get('/fast')), errorText('404 Not Found') + OK);
  equal(
    bench.answer(`${postBody('/fast', 'body').replace('POST', 'PUT')}${get('/fast')}`),
    errorText('405 Method Not Allowed', [], ['Allow: GET, HEAD, POST']) + OK,
  );
  bench.close();
});

test('a body is read once', async () => {
  const bench = new ExchangeBench({
    'POST /twice': async (request, response) => {
      const first = await request.text();
      await rejects(request.text(), /read once/);
      response.end(first);
    },
  });
  equal(await bench.ask(postBody('/twice', 'once')), okText('once'));
  bench.close();
});

test('a body behind responses that are not taken is received when there is space', async () => {
  const bench = new ExchangeBench({
    'POST /whole': whole,
    'GET /big': (_request, response) => response.end('b'.repeat(9000)),
  });
  bench.arrive(get('/big') + postBody('/whole', 'body'));
  bench.tick();
  const first = bench.inFlight(SEND, bench.slot).bytes.length;
  bench.send(bench.slot, 100);
  equal(bench.count('requests'), 1);
  const rest = await bench.settle();
  equal(rest, (okText('b'.repeat(9000)) + okText('body')).slice(100));
  ok(first > 9000);
  bench.close();
});
