// The built-in demo, the smallest proof of the mixed model: one route answers in the accept thread,
// the others block a worker while the accept thread serves on. Every response tells the thread that
// formed it (`X-Thread`) and what took how long (`Server-Timing`). Control plane.

import { threadName } from 'node:worker_threads';
import type { AppServer, Response, Task } from '../index.ts';
import { defineApp, delegate, staticResponse } from '../index.ts';
import { BURN_MS_MAX, burn, fail, sleepSync } from './work.ts';

export default ({ options }: AppServer) =>
  defineApp({
    routes: {
      'GET /test/fast': staticResponse('', {
        fields: { 'Server-Timing': 'accept', 'X-Thread': threadName ?? 'main' },
      }),
      'GET /test/slow': delegate('slow', { respond }),
      'GET /test/cpu': delegate('cpu', {
        input: ({ target }) => numberOf(target, 'ms', 10),
        respond,
      }),
      ...(options.demoFaults ? { 'GET /test/fail': delegate('fail', { respond }) } : {}),
    },
    tasks: {
      slow: (task) => timed(() => sleepSync(task.server.options.slowDuration)),
      // The parameter is wrong: NaN is null in JSON.
      cpu: (task: Task<number>) => {
        const ms = task.input;
        if (ms !== null && ms >= 0 && ms <= BURN_MS_MAX) return timed(() => burn(ms));
        task.end(`ms is a number from 0 to ${BURN_MS_MAX}\n`, 400);
        return 0;
      },
      fail: (task) => {
        const how = parametersOf(task.target).get('how') ?? '';
        if (!fail(how)) task.end('how is throw, exit, oom or hang\n', 400);
        return 0;
      },
    },
  });

function respond(tookMs: number, response: Response): void {
  response
    .field('Server-Timing', `task;dur=${tookMs}`)
    .field('X-Thread', threadName ?? 'main')
    .end();
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
