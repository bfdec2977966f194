// Applications that `inject` must take as they are: that of README.md, the examples, and what they
// are made of. `npm run check` compiles this file, nobody runs it.

import chat from '../../examples/chat.ts';
import events from '../../examples/events.ts';
import exportRows from '../../examples/export.ts';
import hash from '../../examples/hash.ts';
import hello from '../../examples/hello.ts';
import hono from '../../examples/hono.ts';
import jsonApi from '../../examples/json-api.ts';
import websocket from '../../examples/websocket.ts';
import type { AppMaker, Task } from '../../src/index.ts';
import { defineApp, delegate, inject } from '../../src/index.ts';

for (const app of [chat, events, exportRows, hash, hello, jsonApi, websocket]) void inject(app);
void inject(hono);

// As in README.md.
const readme = defineApp({
  routes: {
    'GET /hello': (_request, response) => response.end('hello\n'),
    'GET /echo': (request, response) => response.end(`${request.method} ${request.target}\n`),
    'GET /primes': delegate('countPrimes'),
  },
  tasks: {
    countPrimes: (task) => {
      const below = Number(new URL(task.target, 'http://localhost').searchParams.get('below'));
      if (!(below >= 0 && below <= 10_000_000)) return task.end('below=0 to 10000000\n', 400);
      return task.end(`${below}\n`);
    },
  },
});
void inject(readme, { path: '/echo?a=1' });
export const maker: AppMaker = () => readme;

// A task without an input, by itself and beside a handler.
void inject(
  defineApp({ routes: { 'GET /t': delegate('t') }, tasks: { t: (task) => task.end('t') } }),
);
void inject(
  defineApp({
    routes: { 'GET /t': delegate('t'), 'GET /plain': (_request, response) => response.end() },
    tasks: { t: (task) => task.end('t') },
  }),
);

// Handlers that await tasks with an input.
void inject(
  defineApp({
    routes: {
      'POST /number': async (request, response) => {
        response.end(`${await request.delegate('square', 7)}`);
      },
      'POST /bytes': async (request, response) => {
        response.end(await request.delegate('reverse', await request.bytes()));
      },
    },
    tasks: {
      square: (task: Task<number>) => task.input ** 2,
      reverse: (task: Task<Uint8Array>) => task.inputBytes.reverse(),
    },
  }),
);

// @ts-expect-error an application has routes
void inject({ tasks: {} });
// @ts-expect-error routes have names
void inject({ routes: 7 });
