// An application that handles what nobody catches, and goes on.

import { defineApp } from '../../src/index.ts';

const caught: string[] = [];
process.on('uncaughtException', (error) => caught.push(error.message));

function fail(message: string): never {
  throw new Error(message);
}

export default defineApp({
  routes: {
    'GET /tick': (_request, response) => {
      process.nextTick(fail, 'tick');
      response.end('tick');
    },
    'GET /microtask': async (_request, response) => {
      queueMicrotask(() => fail('microtask'));
      await null;
      response.end('microtask');
    },
    'GET /timer': (_request, response) => {
      setTimeout(fail, 0, 'timer');
      response.end('timer');
    },
    'GET /caught': (_request, response) => response.json(caught),
  },
});
