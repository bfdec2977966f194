import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { errorText, get, OK, okText } from '../../test/support/unit-connection-bench.ts';
import {
  CLOSE_FIELD,
  ExchangeBench,
  gate,
  head,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { delegate } from '../app/delegation.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Request } from '../app/request.ts';

const HANDLER_MS = 6000;
const TIMEOUTS = { requests: { handlerTimeoutMs: HANDLER_MS, bodyTimeoutMs: 60_000 } };
const CHUNKED_HEAD = head('POST', '/read', ['Transfer-Encoding: chunked']);

/** The body is read by the input, which does not wait for it. */
function reads() {
  return delegate('slow', {
    input: (request: Request) => {
      request.text().catch(() => {});
      return 'input';
    },
    respond: (_result: unknown, response) => response.end('formed'),
  });
}

test('a task whose request breaks off meanwhile is cancelled', async () => {
  const bench = new ExchangeBench({ 'POST /read': reads() });
  await bench.ask(CHUNKED_HEAD);
  const [task] = bench.delegation.running;
  equal(await bench.ask('zz\r\n'), errorText('400 Bad Request', [CLOSE_FIELD]));
  deepEqual(bench.delegation.cancelled, [task!.slot]);
  bench.finishTask(200, 'late');
  equal(await bench.settle(), '');
  equal(bench.count('completionsStale'), 1);
  bench.close();
});

test('the time of a task is none of the handler timeout', async () => {
  const bench = new ExchangeBench({ 'POST /read': reads() }, TIMEOUTS);
  await bench.ask(CHUNKED_HEAD);
  bench.receive(bench.slot, '0\r\n\r\n');
  bench.pass(2 * HANDLER_MS);
  bench.finishTask(200, '');
  equal(await bench.settle(), okText('formed'));
  bench.close();
});

test('who forms the response of a result has the time of a handler', async () => {
  const formed = gate();
  const bench = new ExchangeBench(
    {
      'GET /form': delegate('slow', {
        respond: async (_result: unknown, response) => {
          await formed.promise;
          response.end('formed');
        },
      }),
    },
    TIMEOUTS,
  );
  await bench.ask(get('/form'));
  bench.pass(HANDLER_MS - 1000);
  bench.finishTask(200, '');
  bench.pass(HANDLER_MS - 1000);
  formed.resolve();
  equal(await bench.settle(), okText('formed'));
  bench.close();
});

test('a body that the input reads is read to its end while the response is formed', async () => {
  const text: Promise<string>[] = [];
  const formed = gate();
  const route = delegate('slow', {
    input: (request: Request) => {
      text.push(request.text());
    },
    respond: async (_result: unknown, response) => {
      await formed.promise;
      response.end(await text[0]!);
    },
  });
  const bench = new ExchangeBench({ 'POST /read': route });
  await bench.ask(CHUNKED_HEAD);
  bench.finishTask(200, '');
  await bench.ask('4\r\nbody\r\n0\r\n\r\n');
  formed.resolve();
  equal(await bench.settle(), okText('body'));
  bench.close();
});

test('an earlier request that was kept does not hear of a task of another one', async () => {
  const kept: AbortSignal[] = [];
  const bench = new ExchangeBench({
    'GET /keep': (request, response) => {
      kept.push(request.signal);
      response.end();
    },
  });
  equal(await bench.ask(get('/keep')), OK);
  await bench.ask(get('/slow'));
  bench.endRecv(bench.slot, 0);
  await turn();
  deepEqual(
    kept.map(({ aborted }) => aborted),
    [false],
  );
  bench.finishTask(200, 'done');
  await bench.settle();
  bench.close();
});

test('what a client has spoilt is its 400 in input and respond, and is not logged', async () => {
  const input = delegate('slow', { input: (request: Request) => request.param('id') });
  const respond = (): never => {
    throw new ExchangeError('what was asked for is not there', 404);
  };
  const bench = new ExchangeBench({
    'GET /input/:id': input,
    'GET /respond': delegate('slow', { respond }),
  });
  match(await bench.ask(get('/input/%ff')), /^HTTP\/1.1 400 /);
  await bench.ask(get('/respond'));
  bench.finishTask(200, '');
  match(await bench.settle(), /^HTTP\/1.1 404 /);
  deepEqual(bench.logged, []);
  bench.close();
});

test('a handler that answers with a thenable of its own costs its request at most', async () => {
  const throws = (): never => {
    throw new Error('thrown by a promise');
  };
  const getter = Object.defineProperty({}, 'then', { get: throws });
  const twice = Object.defineProperty({}, 'then', {
    value: (fulfilled: () => void) => {
      fulfilled();
      fulfilled();
    },
  });
  const promises = [Object.defineProperty({}, 'then', { value: throws }), getter, twice];
  for (const promise of promises) {
    const bench = new ExchangeBench({ 'GET /promise': () => promise as Promise<void> });
    match(await bench.ask(get('/promise')), /^HTTP\/1.1 500 /);
    equal(await bench.ask(get('/fast')), OK);
    bench.close();
  }
});
