// The built-in demo, the smallest proof of the mixed model: one route answers in the accept thread;
// others block a worker while the accept thread serves on; and two hand their connection to a
// worker, which gives it back. Every response tells the thread that formed it (`X-Thread`) and what
// took how long (`Server-Timing`). Control plane.

import { threadName } from 'node:worker_threads';
import type { AppServer, Response, Task } from '../index.ts';
import { defineApp, delegate, handOff, onLoop, staticResponse } from '../index.ts';
import { BURN_MS_MAX, burn, fail, sleepSync } from './work.ts';

const THREAD = threadName ?? 'main';
const PIECE = Buffer.alloc(16_384, 'millrace\n');
const WRONG_SIZE = `bytes is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}\n`;

/** Of a task: how many milliseconds it took, or what is wrong with its request. */
type Result = number | string;

export default ({ options }: AppServer) =>
  defineApp({
    routes: {
      'GET /test/fast': staticResponse('', {
        fields: { 'Server-Timing': 'accept', 'X-Thread': THREAD },
      }),
      'GET /test/slow': delegate('slow', { respond }),
      'GET /test/cpu': delegate('cpu', {
        input: ({ target }) => numberOf(target, 'ms', 10),
        respond,
      }),
      'GET /test/sync': handOff('sync'),
      'GET /test/async': handOff('async'),
      ...(options.demoFaults ? { 'GET /test/fail': delegate('fail', { respond }) } : {}),
    },
    tasks: {
      slow: (task): Result => timed(() => sleepSync(task.server.options.slowDuration)),
      // The parameter is wrong: NaN is null in JSON.
      cpu: (task: Task<number>): Result => {
        const ms = task.input;
        if (ms !== null && ms >= 0 && ms <= BURN_MS_MAX) return timed(() => burn(ms));
        return `ms is a number from 0 to ${BURN_MS_MAX}`;
      },
      fail: (task): Result => {
        const how = parametersOf(task.target).get('how') ?? '';
        return fail(how) ? 0 : 'how is throw, exit, oom or hang';
      },
    },
    connections: {
      sync: (connection) => {
        const size = sizeOf(connection.request.target);
        connection.field('Server-Timing', 'worker').field('X-Thread', THREAD);
        if (size === undefined) return connection.endSync(WRONG_SIZE, 400);
        connection.length(size);
        for (const piece of pieces(size)) connection.writeSync(piece);
      },
      async: onLoop(async (request, response) => {
        const size = sizeOf(request.target);
        response.field('Server-Timing', 'worker').field('X-Thread', THREAD);
        if (size === undefined) return response.end(WRONG_SIZE, 400);
        response.length(size);
        for (const piece of pieces(size)) await response.write(piece);
        response.end();
      }),
    },
  });

function respond(result: Result, response: Response): void {
  const wrong = typeof result === 'string';
  response.field('Server-Timing', wrong ? 'task' : `task;dur=${result}`).field('X-Thread', THREAD);
  if (wrong) response.end(`${result}\n`, 400);
  else response.end();
}

function timed(work: () => void): number {
  const begin = performance.now();
  work();
  return Math.round((performance.now() - begin) * 1000) / 1000;
}

function numberOf(target: string, name: string, fallback: number): number {
  const text = parametersOf(target).get(name);
  return text === null ? fallback : Number(text.trim() || 'none');
}

function parametersOf(target: string): URLSearchParams {
  const query = target.indexOf('?');
  return new URLSearchParams(query < 0 ? '' : target.slice(query + 1));
}

function sizeOf(target: string): number | undefined {
  const bytes = numberOf(target, 'bytes', 0);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

function* pieces(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left);
}
