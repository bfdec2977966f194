import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  errorText,
  get,
  OK,
  okText,
  REQUESTS,
  response,
} from '../../test/support/unit-connection-bench.ts';
import {
  CHUNKED,
  CLOSE_FIELD,
  ExchangeBench,
  gate,
  head,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Handler } from '../app/handler.ts';
import type { Request } from '../app/request.ts';
import type { Response } from '../app/response.ts';
import { LINGERING, OPEN } from './connection-table.ts';
import { BODY_RATE_MIN } from './deadlines.ts';

const LATE = errorText('408 Request Timeout', [CLOSE_FIELD]);
/** Two steps of the timer wheel: that late a timer may be. */
const SLACK_MS = 200;

const whole: Handler = async (request, given) => given.end(await request.text());

/** Passes time until the connection is no longer as it was; answers how long that took. */
function msUntilLate(bench: ExchangeBench, from = 0): number {
  let ms = from;
  for (; bench.state === OPEN && !bench.sends; ms += 10) {
    ok(ms < 100_000, 'it is late in the end');
    bench.clock.nowMs += 10;
    bench.tick();
  }
  return ms;
}

function isAbout(ms: number, expected: number): void {
  ok(ms >= expected && ms <= expected + SLACK_MS, `${ms} is ${expected} and a little`);
}

test('a connection that never asks ends after the keep-alive timeout, without a word', () => {
  const bench = new ExchangeBench({});
  isAbout(msUntilLate(bench), REQUESTS.keepAliveTimeoutMs);
  bench.closed();
  equal(bench.count('closedIdle'), 1);
});

test('the keep-alive timeout begins when the last response was taken', () => {
  const bench = new ExchangeBench({});
  bench.pass(900);
  bench.arrive(get('/fast'));
  bench.tick();
  bench.pass(900);
  equal(bench.send(bench.slot), OK);
  isAbout(msUntilLate(bench), REQUESTS.keepAliveTimeoutMs);
  bench.closed();
});

test('a head has its timeout from its first byte, however many bytes come meanwhile', () => {
  for (const before of [0, 50, 950]) {
    const bench = new ExchangeBench({});
    bench.answer(get('/fast'));
    bench.pass(before);
    const text = get(`/${'x'.repeat(4000)}`);
    let ms = 0;
    for (let at = 0; bench.state === OPEN && !bench.sends; at++) {
      bench.receive(bench.slot, text[at]!);
      bench.clock.nowMs += 10;
      bench.tick();
      ms += 10;
    }
    isAbout(ms, REQUESTS.headerTimeoutMs);
    equal(bench.flush(bench.slot), LATE);
    equal(bench.state, LINGERING);
    bench.close();
    equal(bench.count('closedHeaderTimeout'), 1);
  }
});

test('each head has its own timeout', () => {
  const bench = new ExchangeBench({});
  const text = get('/fast');
  for (let round = 0; round < 5; round++) {
    equal(bench.answer(text.slice(0, 10)), '');
    bench.pass(1500);
    equal(bench.answer(text.slice(10)), OK);
  }
  bench.arrive(text.slice(0, 5));
  bench.pass(1500);
  equal(bench.answer(text.slice(5) + text.slice(0, 5)), OK);
  isAbout(msUntilLate(bench), REQUESTS.headerTimeoutMs);
  bench.flush(bench.slot);
  bench.close();
});

test('a head that is late behind a request that is not answered yet: its answer comes last', () => {
  const bench = new ExchangeBench({});
  equal(bench.answer(get('/slow') + get('/fast').slice(0, 9)), '');
  bench.pass(5000);
  equal(bench.state, OPEN);
  bench.finishTask(200, 'done');
  equal(bench.flush(bench.slot), okText('done') + LATE);
  bench.close();
});

test('a body that makes no progress is late; each byte puts that off', async () => {
  const bench = new ExchangeBench({ 'POST /whole': whole });
  await bench.ask(head('POST', '/whole', ['Content-Length: 100']));
  isAbout(msUntilLate(bench), REQUESTS.bodyTimeoutMs);
  equal(await bench.settle(), LATE);
  bench.close();
  equal(bench.count('closedBodyTimeout'), 1);
  const goesOn = new ExchangeBench({ 'POST /whole': whole });
  await goesOn.ask(head('POST', '/whole', ['Content-Length: 8000']));
  for (let sent = 0; sent < 4000; sent += 1000) {
    goesOn.pass(500);
    goesOn.arrive('x'.repeat(1000));
  }
  equal(goesOn.state, OPEN);
  isAbout(msUntilLate(goesOn), REQUESTS.bodyTimeoutMs);
  await goesOn.settle();
  goesOn.close();
});

for (const [name, handler] of Object.entries<Handler>({
  'read as a whole': whole,
  'read in pieces': async (request, given) => {
    for await (const _piece of request.body);
    given.end();
  },
  dropped: (_request, given) => given.end(),
})) {
  test(`a body of a byte now and then does not live for ever: ${name}`, async () => {
    const bench = new ExchangeBench({ 'POST /body': handler });
    await bench.ask(head('POST', '/body', ['Content-Length: 100']));
    let ms = 0;
    let sent = 0;
    for (; bench.state === OPEN && !bench.sends; ms += 100) {
      bench.clock.nowMs += 100;
      if (ms % 500 === 0) {
        bench.receive(bench.slot, 'x');
        sent++;
        await turn();
      }
      bench.tick();
      await turn();
    }
    const allowed = REQUESTS.bodyTimeoutMs + (sent / BODY_RATE_MIN) * 1000;
    // The last step of the loop is the one in which it was found late.
    isAbout(ms - 100, Math.floor(allowed / 100) * 100);
    equal(await bench.settle(), name === 'dropped' ? '' : LATE);
    bench.close();
    equal(bench.count('closedBodyTimeout'), 1);
  });
}

test('a slow body is late also when its handler is busy at each look', async () => {
  let open = gate();
  const bench = new ExchangeBench({
    'POST /body': async (request) => {
      for await (const _piece of request.body) await open.promise;
    },
  });
  await bench.ask(head('POST', '/body', ['Content-Length: 100']));
  let ms = 0;
  for (; !bench.sends; ms += 100) {
    ok(ms < 100_000, 'it is late in the end');
    bench.clock.nowMs += 90;
    bench.receive(bench.slot, 'x');
    await turn();
    bench.clock.nowMs += 10;
    bench.tick();
    if (bench.sends) break;
    const busy = open;
    open = gate();
    busy.resolve();
    await turn();
  }
  // Ten of a hundred milliseconds are the handler's.
  isAbout(ms * 0.9, REQUESTS.bodyTimeoutMs);
  equal(await bench.settle(), LATE);
  bench.close();
  equal(bench.count('closedBodyTimeout'), 1);
});

test('a body that comes fast enough may take long', async () => {
  const bench = new ExchangeBench(
    { 'POST /whole': async (request, given) => given.end(`${(await request.bytes()).length}`) },
    { requests: { bodySizeMax: 1_000_000 } },
  );
  await bench.ask(head('POST', '/whole', ['Content-Length: 51200']));
  for (let sent = 0; sent < 51_200; sent += 1024) {
    bench.pass(1000);
    bench.arrive('x'.repeat(1024));
  }
  equal(await bench.settle(), okText('51200'));
  bench.close();
});

test('time in which nobody wants the body is not the peer’s', async () => {
  let open = gate();
  const bench = new ExchangeBench({
    'POST /slow-reader': async (request, given) => {
      await open.promise;
      for await (const _piece of request.body) {
        open = gate();
        await open.promise;
      }
      given.end();
    },
  });
  await bench.ask(head('POST', '/slow-reader', ['Content-Length: 4']));
  for (const byte of 'body') {
    bench.pass(20_000);
    equal(bench.state, OPEN);
    open.resolve();
    await turn();
    bench.receive(bench.slot, byte);
    await turn();
  }
  bench.pass(20_000);
  open.resolve();
  equal(await bench.settle(), OK);
  bench.close();
});

test('a body that is late when the response has begun: it is broken off', async () => {
  let error: unknown;
  const bench = new ExchangeBench({
    'POST /echo': async (request, given) => {
      try {
        for await (const piece of request.body) await given.write(piece);
      } catch (reason) {
        error = reason;
        throw reason;
      }
    },
  });
  equal(
    await bench.ask(`${head('POST', '/echo', ['Content-Length: 9'])}some`),
    `${response('200 OK', [CHUNKED])}4\r\nsome\r\n`,
  );
  bench.pass(REQUESTS.bodyTimeoutMs + SLACK_MS);
  ok(bench.state !== OPEN);
  await turn();
  ok(error instanceof ExchangeError);
  bench.closed();
  equal(bench.count('closedBodyTimeout'), 1);
});

test('a peer has its time for each block that it takes, and no more', async () => {
  const kept: { given?: Response } = {};
  const bench = new ExchangeBench({
    'GET /stream': (_request, given) => {
      kept.given = given;
    },
  });
  bench.answer(get('/stream'));
  const written = kept.given!.write('x'.repeat(300_000))!;
  const rejected = rejects(written, ExchangeError);
  bench.tick();
  for (let block = 0; block < 3; block++) {
    bench.pass(REQUESTS.sendTimeoutMs - SLACK_MS);
    equal(bench.state, OPEN);
    bench.send(bench.slot);
    bench.tick();
  }
  // A byte now and then does not help.
  let ms = 0;
  for (; bench.state === OPEN; ms += 100) {
    bench.clock.nowMs += 100;
    if (bench.sends) bench.send(bench.slot, 1);
    bench.tick();
    ok(ms < 100_000);
  }
  isAbout(ms, REQUESTS.sendTimeoutMs);
  await rejected;
  bench.closed();
  equal(bench.count('closedSendTimeout'), 1);
});

test('a response that takes its time is not waited for', async () => {
  const open = gate();
  const bench = new ExchangeBench({
    'GET /late': async (_request, given) => {
      await open.promise;
      given.end('late');
    },
  });
  bench.answer(get('/late'));
  bench.pass(60_000);
  open.resolve();
  equal(await bench.settle(), okText('late'));
  isAbout(msUntilLate(bench), REQUESTS.keepAliveTimeoutMs);
  bench.closed();
});

const TOO_LONG = errorText('504 Gateway Timeout', [CLOSE_FIELD]);
const HANDLER_MS = 6000;
const BRIEFLY = { requests: { handlerTimeoutMs: HANDLER_MS } };

test('a handler that never answers: 504, and what it says later goes nowhere', async () => {
  const kept: { request?: Request; given?: Response } = {};
  const bench = new ExchangeBench(
    {
      'GET /never': (request, given) => {
        kept.request = request;
        kept.given = given;
        return gate().promise;
      },
    },
    BRIEFLY,
  );
  equal(await bench.ask(get('/never')), '');
  bench.pass(HANDLER_MS - SLACK_MS);
  equal(bench.state, OPEN);
  equal(await bench.settle(), '');
  bench.pass(2 * SLACK_MS);
  equal(await bench.settle(), TOO_LONG);
  bench.close();
  equal(bench.count('closedHandlerTimeout'), 1);
  // The next request is that of another connection, in the same place.
  bench.slot = bench.open();
  equal(await bench.ask(get('/fast')), OK);
  kept.given!.end('late');
  await rejects(kept.given!.write('late')!, ExchangeError);
  throws(() => kept.request!.target, ExchangeError);
  equal(await bench.settle(), '');
  equal(await bench.ask(get('/fast')), OK);
  bench.close();
});

test('a handler that fails after its time: the 504 that waits for its turn stays', async () => {
  const first = gate();
  const second = gate();
  const bench = new ExchangeBench(
    {
      'GET /stream': async (_request, given) => {
        await given.write('one');
        await first.promise;
        given.end();
      },
      'GET /fails': async () => {
        await second.promise;
        throw new Error('a mistake');
      },
    },
    BRIEFLY,
  );
  await bench.ask(get('/stream') + get('/fails'));
  bench.pass(HANDLER_MS + SLACK_MS);
  second.resolve();
  await turn();
  first.resolve();
  equal(await bench.settle(), `0\r\n\r\n${TOO_LONG}`);
  bench.close();
});

test('behind a response that announces the close of a drain no head is late', async () => {
  const open = gate();
  const bench = new ExchangeBench({
    'GET /wait': async (_request, given) => {
      await open.promise;
      given.end('done');
    },
  });
  await bench.ask(get('/wait'));
  bench.arrive(get('/fast').slice(0, 9));
  bench.tick();
  bench.connections.ending.announce();
  open.resolve();
  await turn();
  bench.tick();
  // It is not taken at once.
  bench.pass(REQUESTS.headerTimeoutMs + SLACK_MS);
  equal(await bench.settle(), okText('done', [CLOSE_FIELD]));
  equal(bench.state, LINGERING);
  bench.close();
});

test('the time of a peer is not the handler’s: it begins again with each piece', async () => {
  const bench = new ExchangeBench(
    { 'POST /whole': async (request, given) => given.end(`${(await request.bytes()).length}`) },
    { requests: { ...BRIEFLY.requests, bodySizeMax: 20_480 } },
  );
  await bench.ask(head('POST', '/whole', ['Content-Length: 20480']));
  for (let sent = 0; sent < 20; sent++) {
    bench.pass(1000);
    equal(bench.state, OPEN);
    bench.arrive('x'.repeat(1024));
    await turn();
  }
  equal(await bench.settle(), okText('20480'));
  bench.close();
});

for (const [name, begun] of [
  ['that has written some', 'some'],
  ['that has written none', ''],
] as const) {
  test(`a client that has ended its side does not wait for ever for a stream ${name}`, async () => {
    let cancelled = 0;
    let error: unknown;
    const source = {
      asked: 0,
      [Symbol.asyncIterator]() {
        return this;
      },
      async next(): Promise<IteratorResult<string>> {
        if (this.asked++ > 0) await gate().promise;
        return { done: false, value: begun };
      },
      async return(): Promise<IteratorResult<string>> {
        cancelled++;
        return { done: true, value: undefined };
      },
    };
    const bench = new ExchangeBench(
      {
        'GET /silent': async (_request, given) => {
          try {
            await given.stream(source);
          } catch (reason) {
            error = reason;
            throw reason;
          }
        },
      },
      BRIEFLY,
    );
    await bench.ask(get('/silent'));
    bench.endRecv(bench.slot, 0);
    isAbout(msUntilLate(bench), HANDLER_MS);
    await turn();
    equal(cancelled, 1);
    ok(error instanceof ExchangeError);
    bench.closed();
    equal(bench.count('closedByPeer'), 1);
    deepEqual(bench.logged, []);
  });
}

test('a client that has ended its side gets a stream whose pauses are short', async () => {
  let piece = gate<string>();
  const bench = new ExchangeBench(
    {
      'GET /events': (_request, given) =>
        given.stream(
          (async function* () {
            for (let next = await piece.promise; next !== ''; next = await piece.promise) {
              yield next;
              piece = gate();
            }
          })(),
        ),
    },
    BRIEFLY,
  );
  await bench.ask(get('/events'));
  bench.endRecv(bench.slot, 0);
  for (let count = 0; count < 5; count++) {
    bench.pass(HANDLER_MS - SLACK_MS);
    equal(bench.state, OPEN);
    piece.resolve('piece');
    ok((await bench.settle()).endsWith('5\r\npiece\r\n'));
  }
  bench.pass(HANDLER_MS - SLACK_MS);
  piece.resolve('');
  equal(await bench.settle(), '0\r\n\r\n');
  bench.closed();
});

test('time in which a client that has ended its side takes pieces is its own', async () => {
  const open = gate();
  const bench = new ExchangeBench(
    {
      'GET /large': async (_request, given) => {
        await given.write('x'.repeat(400_000));
        await open.promise;
        given.end();
      },
    },
    { requests: { handlerTimeoutMs: HANDLER_MS, sendTimeoutMs: HANDLER_MS - 2 * SLACK_MS } },
  );
  await turn();
  bench.arrive(get('/large'));
  bench.tick();
  bench.endRecv(bench.slot, 0);
  let passed = 0;
  for (; bench.sends; passed += HANDLER_MS - 3 * SLACK_MS) {
    bench.pass(HANDLER_MS - 3 * SLACK_MS);
    equal(bench.state, OPEN);
    bench.send(bench.slot);
    bench.tick();
  }
  ok(passed > 2 * HANDLER_MS);
  isAbout(msUntilLate(bench), HANDLER_MS);
  await turn();
  bench.closed();
});

test('a response that has begun may pause: its handler has all the time', async () => {
  const open = gate();
  const bench = new ExchangeBench(
    {
      'GET /events': async (_request, given) => {
        await given.write('one');
        await open.promise;
        given.end();
      },
    },
    BRIEFLY,
  );
  ok((await bench.ask(get('/events'))).endsWith('3\r\none\r\n'));
  bench.pass(10 * HANDLER_MS);
  equal(bench.state, OPEN);
  open.resolve();
  equal(await bench.settle(), '0\r\n\r\n');
  bench.close();
});
