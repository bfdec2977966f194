// An application for the black-box tests: handlers of every kind, and mistakes of many.

import { setTimeout as passed } from 'node:timers/promises';
import { defineApp, delegate } from '../../src/index.ts';

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));
const PIECE = Buffer.alloc(65_536, 'millrace');

function parameter(target: string, name: string): string {
  return new URL(target, 'http://localhost').searchParams.get(name) ?? '';
}

function refused(set: () => unknown): string {
  try {
    set();
    return 'taken';
  } catch (error) {
    return (error as Error).name;
  }
}

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast'),
    'GET /slow': delegate('slow'),
    'POST /slow': delegate('slow'),
    'GET /timer': async ({ target }, response) => {
      await passed(Number(parameter(target, 'ms') || '5'));
      response.end('timer');
    },
    'GET /callback': (_request, response) => {
      setTimeout(() => response.end('callback'), 5);
    },
    'GET /fetch': async ({ target }, response) => {
      const answer = await fetch(parameter(target, 'url'));
      response.end(await answer.text(), answer.status);
    },
    'GET /stream': async (_request, response) => {
      for (const piece of ['one ', 'two ', 'three']) {
        await response.write(piece);
        await passed(1);
      }
      response.end();
    },
    'GET /measured': async (_request, response) => {
      response.length(8);
      await response.write('four');
      await passed(1);
      response.end('five');
    },
    'GET /trailers': async (_request, response) => {
      response.trailer('X-Sum', '42');
      await response.write('body');
      response.trailer('X-Late', 'yes').end();
    },
    'GET /download': async ({ target }, response) => {
      const bytes = Number(parameter(target, 'bytes'));
      for (let sent = 0; sent < bytes; sent += PIECE.length) {
        await response.write(PIECE.subarray(0, Math.min(PIECE.length, bytes - sent)));
      }
      response.end();
    },
    // Does not wait for its peer, and is told so.
    'GET /eager': (_request, response) => {
      response.write(PIECE);
      for (;;) response.write(PIECE);
    },
    'GET /fields': (_request, response) =>
      response
        .field('X-One', '1')
        .field('x-two', 'a')
        .field('X-Two', 'b')
        .field('Content-Type', 'text/html')
        .end('<p>'),
    'GET /not-modified': (_request, response) => response.field('ETag', '"1"').end(undefined, 304),
    'GET /split': (_request, response) => {
      const tries = [
        () => response.field('X', 'a\r\nSet-Cookie: b=1'),
        () => response.field('X', 'a\nSet-Cookie: b=1'),
        () => response.field('X', 'a\r'),
        () => response.field('X', 'a\0'),
        () => response.field('X: 1\r\nSet-Cookie', 'b=1'),
        () => response.field('X', '\u560d\u560aSet-Cookie: b=1'),
        () => response.field('', '1'),
        () => response.field('Content-Length', '0'),
        () => response.field('transfer-encoding', 'chunked'),
        () => response.field('Connection', 'keep-alive'),
        () => response.trailer('X', 'a\r\n\r\nHTTP/1.1 200 OK'),
        () => response.field('X', 'y'.repeat(4096)),
      ];
      response.end(tries.map(refused).join(' '));
    },
    'GET /throws': () => {
      throw new Error('a mistake in a handler');
    },
    'GET /rejects': async () => {
      await passed(1);
      throw new Error('a mistake in an async handler');
    },
    'GET /never': () => new Promise(() => {}),
    'GET /returns': async () => {
      await passed(1);
    },
    'GET /throws-late': async (_request, response) => {
      await response.write('half');
      await passed(1);
      throw new Error('a mistake behind the head');
    },
    'GET /too-short': async (_request, response) => {
      response.length(10);
      await response.write('half');
      response.end();
    },
    'POST /unread': (_request, response) => response.end('unread'),
    'POST /unread-stream': async (_request, response) => {
      await response.write('unread');
      await passed(1);
      response.end();
    },
    'POST /whole': async (request, response) => response.end(await request.bytes()),
    'POST /text': async (request, response) => response.end(await request.text()),
    'POST /first': async (request, response) => {
      let size = 0;
      for await (const piece of request.body) {
        size = piece.length;
        break;
      }
      response.end(size > 0 ? 'some' : 'none');
    },
    'POST /piecewise': async (request, response) => {
      let size = 0;
      for await (const piece of request.body) {
        size += piece.length;
        await passed(1);
      }
      response.end(String(size));
    },
    // Asks for the body later than a peer may take for it.
    'POST /late': async (request, response) => {
      await passed(Number(parameter(request.target, 'ms')));
      response.end(await request.bytes());
    },
    'POST /both': async (request, response) => {
      for await (const piece of request.body) await response.write(piece);
      response.end();
    },
  },
  tasks: {
    slow: (task) => {
      Atomics.wait(NEVER_NOTIFIED, 0, 0, task.server.options.slowDuration);
      task.end('slow');
    },
  },
});
