// An application for the black-box tests of what requests and responses can do.

import { Readable } from 'node:stream';
import { setTimeout as passed } from 'node:timers/promises';
import { defineApp, handOff, onLoop } from '../../src/index.ts';

const cancelled: string[] = [];

async function* slowPieces(name: string): AsyncGenerator<string> {
  try {
    for (let index = 0; ; index++) {
      yield `${index}\n`;
      await passed(5);
    }
  } finally {
    cancelled.push(name);
  }
}

export default defineApp({
  routes: {
    'GET /users/:id': (request, response) => response.json({ id: request.param('id') }),
    'GET /users/me': (_request, response) => response.end('me'),
    'DELETE /users/:id': (request, response) => response.end(`deleted ${request.param('id')}`),
    'GET /late/:a/*': async (request, response) => {
      await passed(5);
      response.json([request.param('a'), request.param('*'), request.query.get('q')]);
    },
    'GET /away/:id': handOff('away'),
    'GET /peer': (request, response) => response.json(request.peer ?? null),
    'POST /json': async (request, response) => response.json(await request.json(), 201),
    'GET /bad-json': (_request, response) => response.json(undefined),
    'GET /redirect': (_request, response) => response.redirect('/users/ü 1?a=%20'),
    'GET /redirect-back': (_request, response) => response.redirect('/\r\nSet-Cookie: a=b', 303),
    'GET /web': (_request, response) => {
      const stream = new ReadableStream<string>({
        start: (controller) => {
          controller.enqueue('web ');
          controller.enqueue('stream');
          controller.close();
        },
      });
      return response.field('Content-Type', 'text/plain').stream(stream);
    },
    'GET /node': (_request, response) => response.stream(Readable.from(['node ', 'stream'])),
    'GET /list': (_request, response) => response.length(4).stream(['a', Buffer.from('bcd')]),
    'GET /slow-pieces': (_request, response) => response.stream(slowPieces('pieces')),
    'GET /unawaited': (_request, response) => void response.stream(slowPieces('unawaited')),
    'GET /web-waits': (_request, response) =>
      response.stream(
        new ReadableStream<string>({
          start: (controller) => controller.enqueue('first'),
          cancel: () => {
            cancelled.push('web');
          },
        }),
      ),
    'GET /fails': (_request, response) =>
      response.stream(
        (async function* () {
          yield 'some';
          await passed(5);
          throw new Error('the source has failed');
        })(),
      ),
    'GET /no-stream': (_request, response) => response.stream('text' as never),
    'GET /cancelled': (_request, response) => response.json(cancelled),
    'GET /throws': () => {
      throw new Error('thrown');
    },
    'GET /rejects': async () => {
      await null;
      throw new Error('rejected');
    },
    'GET /half-made': (_request, response) => {
      response.status = 201;
      response.field('X-Half', 'made').trailer('X-Trailer', 'made').length(5);
      response.end('abc');
    },
    'GET /away-blocking': handOff('blockingFails'),
    'GET /away-throws': handOff('loopThrows'),
    'GET /away-rejects': handOff('loopRejects'),
    'GET /away-worse': handOff('loopWorse'),
    'GET /teapot': (_request, response) => {
      response.status = 201;
      throw new Error('teapot');
    },
    'GET /worse': () => {
      throw new Error('worse');
    },
    'GET /unanswered': () => {
      throw new Error('unanswered');
    },
    'GET /unanswered/late': async () => {
      await null;
      throw new Error('unanswered');
    },
    'GET /begun': async (_request, response) => {
      await response.write('begun');
      throw new Error('too late');
    },
  },
  connections: {
    away: onLoop((request, response) => response.end(`away ${request.param('id')}`)),
    blockingFails: (connection) => {
      connection.status = 201;
      connection.field('X-Half', 'made').length(5);
      throw new Error('blocked');
    },
    loopThrows: onLoop((_request, response) => {
      response.field('X-Half', 'made').length(5);
      throw new Error('thrown');
    }),
    loopRejects: onLoop(async (_request, response) => {
      await null;
      response.field('X-Half', 'made').length(5);
      throw new Error('rejected');
    }),
    loopWorse: onLoop(() => {
      throw new Error('worse');
    }),
  },
  fallback: (request, response) => response.end(`nothing at ${request.path}`, 404),
  onError: (error, request, response) => {
    const { message } = error as Error;
    if (message === 'worse') throw error;
    if (message === 'unanswered') return;
    response.end(`${request.path}: ${message}`, message === 'teapot' ? 418 : 500);
  },
});
