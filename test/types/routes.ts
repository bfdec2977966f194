// What must not compile: `npm run check` compiles this file, nobody runs it.

import type { Request, Task } from '../../src/index.ts';
import {
  defineApp,
  delegate,
  handOff,
  inject,
  onLoop,
  rawBlocking,
  rawOnLoop,
} from '../../src/index.ts';

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
    // @ts-expect-error a method is in upper case
    'get /lower': (_request, response) => response.end(),
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

// Protocols know the raw handlers of their application, whether these come before or after them.
defineApp({
  routes: {
    'GET /rows': handOff('rows'),
    // @ts-expect-error a raw handler is not for HTTP
    'GET /raw': handOff('raw'),
  },
  protocols: {
    first: {
      port: 0,
      onData: (connection, bytes) => {
        const gone: boolean = connection.handOff('raw', bytes);
        // @ts-expect-error there is no such connection handler
        connection.handOff('rwa');
        // @ts-expect-error a handler for HTTP is not for protocols
        connection.handOff('rows');
        // @ts-expect-error it is at home
        connection.handBack();
        if (!gone && !connection.handOff('block')) connection.end();
      },
    },
  },
  connections: {
    rows: (connection) => connection.writeSync('row'),
    block: rawBlocking((connection) => {
      connection.writeSync(connection.readSync() ?? 'end');
      return 'state';
    }),
    silent: rawBlocking((connection) => {
      connection.endSync();
    }),
    // @ts-expect-error it goes home with bytes or text
    number: rawBlocking(() => 7),
    raw: rawOnLoop({
      onOpen: (connection, state) => connection.handBack(state),
      // @ts-expect-error a connection in a worker goes nowhere but home
      onData: (connection) => connection.handOff('raw'),
    }),
  },
});

defineApp({
  connections: { raw: rawOnLoop({ onData: (connection) => connection.handBack('state') }) },
  protocols: {
    // @ts-expect-error there is no such connection handler
    wrong: { port: 0, onData: (connection) => void connection.handOff('rwa') },
  },
  routes: {},
});

defineApp({
  routes: {},
  protocols: {
    // @ts-expect-error there are no connection handlers
    none: { port: 0, onData: (connection) => void connection.handOff('raw') },
  },
});

// Handlers know the protocols that their connections can be upgraded to.
defineApp({
  routes: {
    'GET /chat': (request, response) => {
      response.field('X', 'y').upgrade('chat', { token: 'websocket', data: request.target });
      // @ts-expect-error there is no such protocol
      response.upgrade('chta');
      // @ts-expect-error the token is a text
      response.upgrade('chat', { token: 7 });
    },
    'GET /later': async (_request, response) => response.upgrade('both'),
    'GET /live': handOff('live'),
    'GET /task': delegate('task', {
      // @ts-expect-error only the handler of a route can upgrade
      respond: (_result, response) => response.upgrade('chat'),
    }),
  },
  // @ts-expect-error there is no such protocol
  fallback: (_request, response) => response.upgrade('none'),
  tasks: { task: () => 1 },
  protocols: {
    chat: { onData: (connection, bytes) => void connection.handOff('raw', bytes) },
    both: { port: 0, onData: (connection) => connection.end() },
  },
  connections: {
    raw: rawOnLoop({ onData: (connection) => connection.handBack() }),
    // @ts-expect-error a handler in a worker cannot upgrade
    live: onLoop((_request, response) => response.upgrade('chat')),
  },
});

defineApp({
  routes: {
    // @ts-expect-error there are no protocols
    'GET /none': (_request, response) => response.upgrade('chat'),
  },
});

// Every application can be injected into, whatever its tasks are told and its routes are named.
void inject(
  defineApp({
    routes: {
      'GET /squares/:of': delegate('square', {
        input: (request) => Number(request.param('of')),
        respond: (square: number, response) => response.end(`${square}`),
      }),
      'GET /rows': handOff('rows'),
    },
    tasks: { square: ({ input }: Task<number>) => input * input },
    connections: { rows: (connection) => connection.endSync('row') },
  }),
);

// @ts-expect-error an application has routes
void inject({ tasks: {} });
