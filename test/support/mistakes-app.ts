// An application that makes mistakes: each may cost its own request, and nothing else.

import type { Task } from '../../src/index.ts';
import { defineApp, delegate, ExchangeError, staticResponse } from '../../src/index.ts';

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
    status: (task: Task<number>) => {
      task.end('text', task.input);
    },
  },
});
