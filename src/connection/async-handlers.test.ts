import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  errorText,
  get,
  OK,
  okText,
  post,
  response,
} from '../../test/support/unit-connection-bench.ts';
import {
  CHUNKED,
  ExchangeBench,
  gate,
  postBody,
  turn,
} from '../../test/support/unit-exchange-bench.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Handler } from '../app/handler.ts';
import type { Request } from '../app/request.ts';
import type { Response } from '../app/response.ts';
import { TaskError } from '../app/task-error.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { OPEN, SUSPENDED } from './connection-table.ts';
import { PIPELINED_MAX } from './exchanges.ts';
import { LINGER_MS } from './lifecycle.ts';

const FAILED = errorText('500 Internal Server Error');

/** Handlers that answer with their target when the test says so, in the order it says. */
class Gates {
  readonly open: Record<string, PromiseWithResolvers<void>> = {};
  readonly handler: Handler = async (request, given) => {
    const { target } = request;
    this.open[target] = gate();
    await this.open[target].promise;
    given.end(`${request.target} ${request.field('host')}`);
  };

  async release(target: string): Promise<void> {
    this.open[target]!.resolve();
    await turn();
  }
}

test('an async handler answers late, and its request stays readable', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  equal(await bench.ask(get('/late?1')), '');
  bench.pass(60_000);
  equal(bench.state, OPEN);
  await gates.release('/late?1');
  equal(bench.flush(bench.slot), okText('/late?1 a'));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('a handler that is not async may answer late too', async () => {
  const bench = new ExchangeBench({
    'GET /late': (_request, given) => {
      setImmediate(() => given.end('late'));
    },
  });
  equal(await bench.ask(get('/late')), okText('late'));
  bench.close();
});

test('responses leave in the order of their requests, whichever is ready first', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({
    'GET /late': gates.handler,
    'GET /sync': (request, given) => given.end(request.target),
  });
  const targets = ['/late?1', '/sync?2', '/slow?3', '/late?4', '/none', '/late?5', '/fast'];
  equal(bench.answer(targets.map((target) => get(target)).join('')), '');
  equal(bench.count('requests'), 7);
  await gates.release('/late?5');
  equal(bench.flush(bench.slot), '');
  bench.finishTask(200, 'three');
  equal(bench.flush(bench.slot), '');
  await gates.release('/late?1');
  equal(bench.flush(bench.slot), okText('/late?1 a') + okText('/sync?2') + okText('three'));
  await gates.release('/late?4');
  const last = [okText('/late?4 a'), errorText('404 Not Found'), okText('/late?5 a'), OK];
  equal(bench.flush(bench.slot), last.join(''));
  equal(bench.answer(get('/fast')), OK);
  bench.close();
});

test('a result that has to wait is kept when the memory of its task is used again', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  bench.answer(get('/late?1') + get('/slow'));
  const { slot, generation } = bench.delegation.running[0]!;
  const memory = new Uint8Array(Buffer.from('result'));
  bench.connections.tasks.onDone(slot, generation, 200, memory, 0, 6);
  memory.fill(0x78);
  await gates.release('/late?1');
  equal(bench.flush(bench.slot), okText('/late?1 a') + okText('result'));
  bench.close();
});

test('a request that is not safe, or has a body, waits; those behind it wait too', async () => {
  for (const unsafe of [
    post('/late?2'),
    postBody('/late?2', 'x'),
    postBody('/late?2', 'x').replace('POST', 'GET'),
  ]) {
    const gates = new Gates();
    const bench = new ExchangeBench({ 'GET /late': gates.handler, 'POST /late': gates.handler });
    equal(bench.answer(get('/late?1') + unsafe + get('/late?3')), '');
    deepEqual(Object.keys(gates.open), ['/late?1']);
    equal(bench.has(SUSPENDED), true);
    await gates.release('/late?1');
    equal(bench.flush(bench.slot), okText('/late?1 a'));
    deepEqual(Object.keys(gates.open), ['/late?1', '/late?2']);
    await gates.release('/late?2');
    equal(bench.flush(bench.slot), okText('/late?2 a'));
    await gates.release('/late?3');
    equal(bench.flush(bench.slot), okText('/late?3 a'));
    bench.close();
  }
});

test('at most PIPELINED_MAX requests of a connection are served at the same time', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  const targets = Array.from({ length: PIPELINED_MAX + 2 }, (_, index) => `/late?${index}`);
  bench.arrive(targets.map((target) => get(target)).join(''));
  equal(bench.count('requests'), PIPELINED_MAX);
  equal(bench.has(SUSPENDED), true);
  await gates.release('/late?1');
  bench.tick();
  equal(bench.count('requests'), PIPELINED_MAX);
  await gates.release('/late?0');
  bench.tick();
  equal(bench.count('requests'), PIPELINED_MAX + 2);
  for (const target of targets.slice(2)) await gates.release(target);
  equal(await bench.settle(), targets.map((target) => okText(`${target} a`)).join(''));
  bench.close();
});

test('a head that does not arrive in full behind many requests ends the connection', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  for (let index = 0; index < PIPELINED_MAX; index++) bench.arrive(get(`/late?${index}`));
  bench.arrive('GET /never HT');
  bench.pass(3000);
  bench.closed();
  equal(bench.count('closedHeaderTimeout'), 1);
});

test('the last request of a connection says so, wherever it is in the queue', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler }, { requests: { requestsMax: 3 } });
  bench.arrive(get('/late?1') + get('/fast') + get('/late?3') + get('/fast'));
  equal(bench.count('requests'), 3);
  await gates.release('/late?3');
  await gates.release('/late?1');
  const close = ['Connection: close'];
  equal(bench.flush(bench.slot), okText('/late?1 a') + OK + okText('/late?3 a', close));
  bench.pass(LINGER_MS + 300);
  bench.closed();
});

const MISTAKES: Record<string, Handler> = {
  rejects: () => Promise.reject(new Error('rejected')),
  'rejects with what is no error': () => Promise.reject('no error'),
  'rejects later': async () => {
    await turn();
    throw new Error('later');
  },
  'throws in an async function': async () => {
    throw new Error('thrown');
  },
  throws: () => {
    throw new Error('thrown');
  },
  'returns without ending': async () => {},
  'returns later without ending': async () => {
    await turn();
  },
  'ends with a wrong status': async (_request, given) => {
    await turn();
    given.end('x', 99);
  },
  'throws after a write whose head was not sent': (_request, given) => {
    void given.write('x');
    throw new Error('thrown');
  },
};

for (const [name, handler] of Object.entries(MISTAKES)) {
  test(`a handler that ${name} costs its own request only`, async () => {
    const bench = new ExchangeBench({ 'GET /wrong': handler });
    equal(await bench.ask(get('/fast') + get('/wrong') + get('/fast')), OK + FAILED + OK);
    deepEqual(bench.logged, ['a handler failed!']);
    equal(bench.count('handlersFailed'), 1);
    equal(bench.count('responses5xx'), 1);
    equal(await bench.ask(get('/wrong', 'HEAD')), FAILED.slice(0, FAILED.indexOf('\r\n\r\n') + 4));
    bench.close();
  });
}

for (const [name, fail] of Object.entries({
  throws: (error: Error): never => {
    throw error;
  },
  rejects: (error: Error) => Promise.reject(error),
})) {
  test(`a handler that ${name} with an error status is answered with it`, async () => {
    let error: Error | undefined;
    const bench = new ExchangeBench({ 'GET /wrong': () => fail(error!) });
    for (const [status, line] of [
      [400, '400 Bad Request'],
      [499, '499 '],
      [503, '503 Service Unavailable'],
      [599, '599 '],
    ] as const) {
      for (const each of [
        new ExchangeError('chosen', status),
        new TaskError('task', 'failed', 'chosen', status),
      ]) {
        error = each;
        const text = await bench.ask(get('/wrong') + get('/fast'));
        deepEqual([text.split('\r\n')[0], text.endsWith(OK)], [`HTTP/1.1 ${line}`, true]);
      }
    }
    deepEqual(bench.logged, []);
    bench.close();
  });

  test(`a handler that ${name} with what is no error status has failed`, async () => {
    let error: Error | undefined;
    const bench = new ExchangeBench({ 'GET /wrong': () => fail(error!) });
    const statuses = [0, -1, 1, 100, 200, 302, 399, 404.5, 600, 1e9, Number.NaN, '404' as never];
    for (const status of statuses) {
      error = new ExchangeError('no status', status);
      equal(await bench.ask(get('/wrong') + get('/fast')), FAILED + OK);
      error = new TaskError('task', 'failed', 'no status', status);
      equal(await bench.ask(get('/wrong') + get('/fast')), FAILED + OK);
    }
    equal(bench.logged.length, 2 * statuses.length);
    bench.close();
  });
}

test('a handler that fails when its head was sent: the response is broken off', async () => {
  for (const fail of [
    () => {
      throw new Error('late');
    },
    () => {},
  ]) {
    const bench = new ExchangeBench({
      'GET /stream': async (_request, given) => {
        await given.write('begun');
        await turn();
        fail();
      },
    });
    const text = await bench.ask(get('/stream') + get('/fast'));
    equal(text, `${response('200 OK', [CHUNKED])}5\r\nbegun\r\n`);
    deepEqual(bench.logged, ['a handler failed!']);
    bench.closed();
    equal(bench.count('closedHandlerFailed'), 1);
  }
});

function transfer(bytes: Uint8Array): void {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
}

test('a body whose memory was transferred before it was sent is a failure', async () => {
  const bench = new ExchangeBench({
    'GET /whole': (_request, given) => {
      const bytes = new Uint8Array(100);
      given.end(bytes);
      transfer(bytes);
    },
    'GET /waits': async (_request, given) => {
      await turn();
      const bytes = new Uint8Array(100);
      given.end(bytes);
      transfer(bytes);
    },
    'GET /pieces': async (_request, given) => {
      const bytes = new Uint8Array(200_000);
      const written = given.write(bytes);
      await turn();
      transfer(bytes);
      await written;
    },
  });
  equal(await bench.ask(get('/whole') + get('/fast')), FAILED + OK);
  equal(bench.answer(get('/slow') + get('/waits') + get('/fast')), '');
  await turn();
  bench.finishTask();
  equal(await bench.settle(), OK + FAILED + OK);
  deepEqual(bench.logged, Array(2).fill('a handler failed!'));
  bench.arrive(get('/pieces'));
  await turn();
  ok((await bench.settle()).startsWith('HTTP/1.1 200'));
  bench.closed();
  deepEqual(bench.logged, Array(3).fill('a handler failed!'));
  equal(bench.count('closedHandlerFailed'), 1);
});

async function* failing(pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
  await turn();
  throw new Error('the source');
}

test('a stream that nobody awaits fails as its handler would', async () => {
  const bench = new ExchangeBench({
    'GET /none': (_request, given) => void given.stream(failing([])),
    'GET /no-source': (_request, given) => void given.stream('text' as never),
    'GET /forgotten': async (_request, given) => void given.stream(failing(['some'])),
    'GET /some': (_request, given) => void given.stream(failing(['some'])),
  });
  equal(await bench.ask(get('/none') + get('/fast')), FAILED + OK);
  equal(await bench.ask(get('/no-source') + get('/fast')), FAILED + OK);
  equal(await bench.ask(get('/forgotten') + get('/fast')), FAILED + OK);
  deepEqual(bench.logged, Array(3).fill('a handler failed!'));
  equal(await bench.ask(get('/some')), `${response('200 OK', [CHUNKED])}4\r\nsome\r\n`);
  deepEqual(bench.logged, Array(4).fill('a handler failed!'));
  bench.closed();
  equal(bench.count('closedHandlerFailed'), 1);
});

test('a stream whose failure is awaited may be answered for', async () => {
  const bench = new ExchangeBench({
    'GET /catch': (_request, given) =>
      void given.stream(failing([])).catch(() => given.end('instead')),
    'GET /await': async (_request, given) => {
      for (const source of [failing([]), 'text' as never]) {
        try {
          await given.stream(source);
        } catch {
          await turn();
        }
      }
      given.end('instead');
    },
    'GET /returns': (_request, given) => given.stream(failing([])),
  });
  for (const target of ['/catch', '/await']) {
    equal(await bench.ask(get(target)), okText('instead'));
  }
  deepEqual(bench.logged, []);
  equal(await bench.ask(get('/returns')), FAILED);
  deepEqual(bench.logged, ['a handler failed!']);
  bench.close();
});

test('a stream that nobody awaits, of a client that has gone, is no news', async () => {
  const bench = new ExchangeBench({
    'GET /waits': (_request, given) =>
      void given.stream(
        (async function* () {
          yield 'some';
          await gate().promise;
        })(),
      ),
  });
  await bench.ask(get('/waits'));
  bench.endRecv(bench.slot, -ECONNRESET);
  await turn();
  bench.closed();
  deepEqual(bench.logged, []);
});

test('a handler that fails after its response is logged, and costs nothing', async () => {
  const bench = new ExchangeBench({
    'GET /after': async (_request, given) => {
      await turn();
      given.end('done');
      throw new Error('after');
    },
  });
  equal(await bench.ask(get('/after') + get('/fast')), okText('done') + OK);
  deepEqual(bench.logged, ['a handler failed after its response!']);
  equal(bench.count('handlersFailed'), 0);
  bench.close();
});

test('what a handler says after its peer has gone is no mistake, and unheard', async () => {
  const kept: { request?: Request; given?: Response } = {};
  const bench = new ExchangeBench({
    'GET /callback': (request, given) => {
      kept.request = request;
      kept.given = given;
    },
    'GET /async': async (request, given) => {
      while (bench.state === OPEN) await turn();
      given.field('X', request.path).end('late');
    },
  });
  bench.arrive(get('/callback') + get('/async'));
  bench.endRecv(bench.slot, -ECONNRESET);
  bench.closed();
  await turn();
  await turn();
  const given = kept.given!;
  // As in a timer, where an exception would end the thread.
  given.status = 201;
  given.field('X', '1');
  await rejects(given.write('x')!, ExchangeError);
  given.end('late');
  throws(() => kept.request!.path, ExchangeError);
  // The slot and its exchanges are others' now.
  equal(bench.open(), bench.slot);
  equal(bench.answer(get('/fast')), OK);
  throws(() => given.end('again'));
  equal(bench.flush(bench.slot), '');
  deepEqual(bench.logged, []);
});

test('a drain waits for a handler, and its response announces the close', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  await bench.ask(get('/late?1'));
  bench.connections.ending.announce();
  bench.connections.ending.closeIdle();
  equal(bench.state, OPEN);
  await gates.release('/late?1');
  equal(bench.flush(bench.slot), okText('/late?1 a', ['Connection: close']));
  bench.close();
});

test('what was kept of an exchange that ended throws, and never touches another one', async () => {
  const kept: [Request, Response][] = [];
  const open = gate();
  const bench = new ExchangeBench({
    'GET /sync': (request, given) => {
      kept.push([request, given]);
      given.end('sync');
    },
    'GET /large': (request, given) => {
      kept.push([request, given]);
      given.end('x'.repeat(100_000));
    },
    'GET /async': async (request, given) => {
      kept.push([request, given]);
      await turn();
      given.end(request.target);
    },
    'GET /waits': async (request, given) => {
      await open.promise;
      given.end(request.target);
    },
    'GET /callback': (request, given) => {
      void open.promise.then(() => given.end(request.target));
    },
  });
  const useless = (): void => {
    for (const [request, given] of kept) {
      throws(() => request.target, /after its response/);
      throws(() => request.field('host'), /after its response/);
      throws(() => request.body, /after its response/);
      throws(() => given.end('stale'), /after it had ended/);
      throws(() => given.write('stale'), /after it had ended/);
      throws(() => given.field('X-Stale', '1'), /after it had ended/);
    }
  };
  for (const [target, size] of [
    ['/sync', okText('sync').length],
    ['/large', okText('x'.repeat(100_000)).length],
    ['/async', okText('/async').length],
  ] as const) {
    equal((await bench.ask(get(target))).length, size);
    useless();
  }
  // Objects that sync handlers kept are not those that a handler goes on with, if it is known to;
  // one that is not async is known when it did so once.
  equal(bench.answer(get('/sync')), okText('sync'));
  bench.answer(get('/waits'));
  useless();
  open.resolve();
  equal(await bench.settle(), okText('/waits'));
  equal(await bench.ask(get('/callback')), okText('/callback'));
  equal(bench.answer(get('/sync')), okText('sync'));
  bench.answer(get('/callback'));
  useless();
  equal(await bench.settle(), okText('/callback'));
  bench.close();
});

test('while a large response is sent, its request is not readable any more', async () => {
  let kept: Request | undefined;
  const bench = new ExchangeBench({
    'GET /large': (request, given) => {
      kept = request;
      given.end('x'.repeat(100_000));
    },
    'GET /throw': (request) => {
      kept = request;
      throw new Error('thrown');
    },
  });
  bench.arrive(get('/large'));
  throws(() => kept!.target, /after its response/);
  bench.arrive(get('/throw'));
  throws(
    () => kept!.target,
    (error) => error instanceof ExchangeError,
  );
  await bench.settle();
  bench.close();
});

test('what a failed handler still waits for is rejected', async () => {
  let written: Promise<void> | undefined;
  const bench = new ExchangeBench({
    'GET /wrong': (_request, given) => {
      written = given.write('x');
      throw new Error('thrown');
    },
  });
  equal(bench.answer(get('/wrong')), FAILED);
  await rejects(written!, ExchangeError);
  bench.close();
});

test('the fallback answers what no route does, async or not', async () => {
  const bench = new ExchangeBench(
    {},
    {
      fallback: async (request, given) => {
        await turn();
        given.end(`${request.method} ${request.target}`, 404);
      },
    },
  );
  const text = await bench.ask(get('/none') + get('/fast') + get('/fast', 'DELETE'));
  const missing = (body: string): string => okText(body).replace('200 OK', '404 Not Found');
  equal(text, missing('GET /none') + OK + missing('DELETE /fast'));
  bench.close();
});

test('a peer that ends while its handler runs gets the response', async () => {
  const gates = new Gates();
  const bench = new ExchangeBench({ 'GET /late': gates.handler });
  bench.arrive(`${get('/late?1')}GET /in-part`);
  bench.endRecv(bench.slot, 0);
  bench.pass(10_000);
  equal(bench.state, OPEN);
  await gates.release('/late?1');
  equal(bench.flush(bench.slot), okText('/late?1 a'));
  bench.closed();
  equal(bench.count('closedByPeer'), 1);
});

test('what is no error is told to those who wait as one', async () => {
  for (const [thrown, message] of [
    [Object.create(null), '[Object: null prototype] {}'],
    ['text', 'text'],
  ]) {
    let signal: AbortSignal | undefined;
    const bench = new ExchangeBench({
      'GET /wrong': async (request) => {
        signal = request.signal;
        await turn();
        throw thrown;
      },
    });
    equal(await bench.ask(get('/wrong')), FAILED);
    equal((signal!.reason as Error).message, message);
    bench.close();
  }
});
