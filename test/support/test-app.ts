// An application for the black-box tests: handlers of every kind, and mistakes of many.

import { setTimeout as passed } from 'node:timers/promises';
import type { Task } from '../../src/index.ts';
import { defineApp, delegate, TaskError } from '../../src/index.ts';

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));
const PIECE = Buffer.alloc(65_536, 'millrace');

const BYTES = new Uint8Array(64).fill(7);

function repetition({ target }: { readonly target: string }): { text: string; times: number } {
  return { text: parameter(target, 'text'), times: Number(parameter(target, 'times')) };
}

function outcome(error: unknown): string {
  return error instanceof TaskError ? `${error.code} ${error.status}` : String(error);
}

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
    'GET /empty': (_request, response) => response.end(),
    'GET /nothing': delegate('nothing'),
    // Bytes in and out, which nobody copies into the heap.
    'GET /bytes': delegate('invert', {
      input: () => BYTES,
      respond: (result: Uint8Array, response) => response.end(result),
    }),
    'GET /result': delegate('repeat', { input: repetition }),
    'GET /responded': delegate('repeat', {
      input: repetition,
      respond: ({ text }: { text: string }, response) => response.end(text, 203),
    }),
    'GET /respond-later': delegate('invert', {
      input: ({ target }) => Buffer.from(target),
      respond: async (result: Uint8Array, response) => {
        const copy = Buffer.from(result);
        await passed(1);
        response.end(copy);
      },
    }),
    'GET /respond-throws': delegate('nothing', {
      respond: () => {
        throw new Error('a mistake in respond');
      },
    }),
    'GET /input-throws': delegate('repeat', {
      input: () => {
        throw new Error('a mistake in input');
      },
    }),
    'GET /input-too-large': delegate('invert', { input: () => new Uint8Array(5000) }),
    'GET /large-bytes': delegate('large', { input: ({ target }) => target }),
    'GET /large-streamed': delegate('large', {
      input: ({ target }) => target,
      respond: async (result: Uint8Array, response) => {
        await response.write(result);
        response.end();
      },
    }),
    // Delegates `n` times at once, and says what came of each.
    'GET /calls': async (request, response) => {
      const n = Number(parameter(request.target, 'n') || '1');
      const calls = Array.from({ length: n }, (_, times) =>
        request.delegate('repeat', { text: 'a', times }).then(({ text }) => text, outcome),
      );
      response.end((await Promise.all(calls)).join(' '));
    },
    'GET /call-fails': async (request, response) => {
      const outcomes = [
        await request.delegate('nothing').then(String, outcome),
        await request.delegate('mistake').then(String, outcome),
        await request.delegate('teapot').then(String, outcome),
        await request.delegate('invert', new Uint8Array(5000)).then(String, outcome),
        await request.delegate('none' as 'nothing').then(String, String),
        await request.delegate('invert', Buffer.from([1, 2])).then(String, outcome),
      ];
      response.end(outcomes.join('\n'));
    },
    // Results in an array of the caller: as large, smaller, in place, too large, and no bytes.
    'GET /call-into': async (request, response) => {
      const into = new Uint8Array(3);
      const lines = [
        Object.is(await request.delegate('invert', Buffer.from([1, 2, 3]), { into }), into),
        into.join(),
        (await request.delegate('invert', Buffer.from([4, 5]), { into })).join(),
        into.join(),
        Object.is(await request.delegate('invert', into, { into }), into),
        into.join(),
        await request.delegate('invert', new Uint8Array(4), { into }).then(String, outcome),
        into.join(),
        await request
          .delegate('repeat', { text: 'a', times: 2 }, { into })
          .then(({ text }) => text),
        await request.delegate('nothing', undefined, { into }).then(String, outcome),
        await request.delegate('invert', into, { into: [] as never }).then(String, String),
      ];
      response.end(lines.join('\n'));
    },
    'GET /call-hangs': async (request, response) => {
      await request.delegate('hang');
      response.end();
    },
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
    'GET /silent': (_request, response) =>
      response.stream(
        (async function* () {
          yield 'hello';
          await new Promise(() => {});
        })(),
      ),
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
    nothing: () => {},
    invert: (task: Task<Uint8Array>) => {
      const bytes = task.inputBytes;
      for (let index = 0; index < bytes.length; index++) bytes[index] = ~bytes[index]!;
      return bytes;
    },
    repeat: async (task: Task<{ text: string; times: number }>) => {
      await passed(1);
      return { text: task.input.text.repeat(task.input.times) };
    },
    large: (task: Task<string>) => {
      const result = task.outputBytes(Number(parameter(task.input, 'size')));
      return result.fill('x'.charCodeAt(0));
    },
    mistake: () => {
      throw new Error('a mistake in a task');
    },
    teapot: (task) => task.end('gone', 410),
    hang: (task) => {
      while (!task.cancelled) Atomics.wait(NEVER_NOTIFIED, 0, 0, 1);
    },
    slow: (task) => {
      Atomics.wait(NEVER_NOTIFIED, 0, 0, task.server.options.slowDuration);
      task.end('slow');
    },
  },
});
