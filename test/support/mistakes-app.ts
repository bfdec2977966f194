// An application that makes mistakes: each may cost its own request, and nothing else.

import type { Task } from '../../src/index.ts';
import {
  defineApp,
  delegate,
  ExchangeError,
  handOff,
  onLoop,
  rawOnLoop,
  staticResponse,
  UpgradeError,
} from '../../src/index.ts';

function unusual(what: string): unknown {
  if (what === 'null') return null;
  if (what === 'symbol') return Symbol('on purpose');
  if (what === 'object') return Object.create(null);
  const error = new Error('on purpose');
  const get = (): never => {
    throw new Error('of a getter');
  };
  if (what === 'message') Reflect.set(error, 'stack', undefined);
  return Object.defineProperty(error, what, { get });
}

function fail(what: string): never {
  throw unusual(what);
}

async function failLater(what: string): Promise<void> {
  await null;
  fail(what);
}

let go = Promise.withResolvers<void>();

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end(),
    // What waits for it goes on.
    'GET /go': (_request, response) => {
      go.resolve();
      go = Promise.withResolvers<void>();
      response.end();
    },
    'GET /status/:status': (request, response) =>
      response.end('text', Number(request.param('status'))),
    'GET /task/status/:status': delegate('status', {
      input: (request) => Number(request.param('status')),
    }),
    'GET /error/:status': (request) => {
      throw new ExchangeError('on purpose', Number(request.param('status')));
    },
    'GET /error/late/:status': async (request) => {
      await null;
      throw new ExchangeError('on purpose', Number(request.param('status')));
    },
    'GET /throws/:what': (request) => fail(request.param('what')),
    'GET /rejects/:what': (request) => failLater(request.param('what')),
    'GET /streams/:what': async (request, response) => {
      await response.write('begun');
      fail(request.param('what'));
    },
    'GET /task/throws/:what': delegate('throws', { input: (request) => request.param('what') }),
    'GET /task/rejects/:what': delegate('rejects', { input: (request) => request.param('what') }),
    'GET /loop/:what': handOff('loop'),
    'GET /block/:what': handOff('block'),
    'GET /block/rejects/:what': handOff('blockRejects'),
    'GET /upgrade/:token': (request) => {
      throw new UpgradeError(request.param('token'));
    },
    'GET /static': staticResponse('text', { status: 420 }),
    'POST /late/json': async (request, response) => {
      const body = request.json();
      await go.promise;
      response.json(await body);
    },
    'POST /late/text': async (request, response) => {
      const body = request.text();
      await go.promise;
      response.end(await body);
    },
    'POST /late/bytes': async (request, response) => {
      const body = request.bytes();
      await go.promise;
      response.end(await body);
    },
  },
  tasks: {
    throws: (task: Task<string>) => fail(task.input),
    rejects: (task: Task<string>) => failLater(task.input),
    status: (task: Task<number>) => {
      task.end('text', task.input);
    },
  },
  connections: {
    loop: onLoop((request) => fail(request.param('what'))),
    rejects: rawOnLoop({
      onOpen: (_connection, state) => failLater(Buffer.from(state).toString()),
      onData: () => {},
    }),
    blockRejects: async (connection) => {
      const what = connection.request.param('what');
      connection.endSync('answered');
      await failLater(what);
    },
    block: (connection) => fail(connection.request.param('what')),
  },
  protocols: {
    rejects: { port: 0, onData: (_connection, bytes) => failLater(Buffer.from(bytes).toString()) },
    away: { port: 0, onData: (connection, bytes) => void connection.handOff('rejects', bytes) },
    throws: { port: 0, onData: (_connection, bytes) => fail(Buffer.from(bytes).toString()) },
  },
});
