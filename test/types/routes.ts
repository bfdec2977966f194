// What must not compile: `npm run check` compiles this file, nobody runs it.

import type { Request, Task } from '../../src/index.ts';
import { defineApp, delegate, handOff, onLoop } from '../../src/index.ts';

defineApp({
  routes: {
    'GET /users/:id/posts/:post': (request, response) => {
      const text: string = request.param('id') + request.param('post');
      // @ts-expect-error there is no such parameter
      request.param('name');
      response.end(text);
    },
    'GET /files/*': async (request, response) => {
      // @ts-expect-error a wildcard has no name but "*"
      request.param('files');
      response.end(request.param('*'));
    },
    'GET /plain': (request, response) => {
      // @ts-expect-error the path has no parameters
      request.param('id');
      response.end();
    },
    'GET /rows': handOff('rows'),
    'GET /live': handOff('live'),
    // @ts-expect-error there is no such connection handler
    'GET /wrong': handOff('row'),
    'GET /task': delegate('task'),
    // @ts-expect-error there is no such task
    'GET /no-task': delegate('tasks'),
    // @ts-expect-error a handler takes a request and a response
    'GET /number': 7,
    // @ts-expect-error a response has no such method
    'GET /send': (_request, response) => response.send('text'),
  },
  tasks: { task: () => 1 },
  connections: {
    rows: (connection) => {
      connection.writeSync('row');
      // @ts-expect-error a body is bytes or text
      connection.writeSync(7);
    },
    live: onLoop((_request, response) => response.end()),
  },
});

defineApp({
  routes: {},
  onError: (error, _request, response) => {
    // @ts-expect-error anything may be thrown
    response.end(error.message);
  },
});

defineApp({
  routes: {
    'GET /sum/:a/:b': delegate('sum', {
      input: (request) => Number(request.param('a')) + Number(request.param('b')),
      respond: (sum: number, response) => response.end(`${sum}`),
    }),
    // @ts-expect-error there is no such parameter
    'GET /wrong/:name': delegate('text', { input: (request) => request.param('nmae') }),
    'GET /right/:name': delegate('text', { input: (request) => request.param('name') }),
    'GET /files/*': delegate('text', { input: ({ param }) => param('*') }),
    // @ts-expect-error the path has no parameters
    'GET /none': delegate('text', { input: (request) => request.param('name') }),
    'GET /plain': delegate('text', { input: (request) => request.path }),
    'GET /typed/:name': delegate('text', { input: (request: Request) => request.path }),
    // @ts-expect-error the input of the task is a text
    'GET /number/:name': delegate('text', { input: (request) => request.param('name').length }),
  },
  tasks: {
    sum: (task: Task<number>) => task.input,
    text: (task: Task<string>) => task.input,
  },
});
