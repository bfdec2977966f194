// The application of the simulated server, and what it answers: a task may be told to die.

import type { App } from '../../src/app/app.ts';
import { delegate } from '../../src/app/app.ts';
import { compileApp } from '../../src/app/compiled-app.ts';

const BIG_SIZE = 3000;
/** More than any task holder of a simulation holds. */
const TOO_LARGE = 'x'.repeat(5000);

/** What the simulation does in the middle of a task; it may throw. */
export const hooks: { onTask: (target: string) => void } = { onTask: () => {} };

export function bigBody(target: string): string {
  return target.padEnd(BIG_SIZE, 'b');
}

/** The result of `/slow?<id>`. */
export function slowResult(target: string): { status: number; body: string | undefined } {
  const id = Number(target.slice(target.indexOf('?') + 1));
  if (id % 5 === 0) return { status: 200, body: undefined };
  return { status: id % 3 === 0 ? 201 : 200, body: `result of ${target}` };
}

const APP: App = {
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /echo': (request, response) => response.end(request.target),
    'GET /big': (request, response) => response.end(bigBody(request.target)),
    'GET /form': (_request, response) => response.end(),
    'POST /form': (request, response) => response.end(Buffer.from(request.target), 201),
    'GET /throw': () => {
      throw new Error('thrown by a handler');
    },
    'GET /slow': delegate('slow'),
    'GET /fail': delegate('fail'),
    'GET /large': delegate('large'),
  },
  tasks: {
    slow: (task) => {
      const { target } = task;
      const { status, body } = slowResult(target);
      task.end(body, status);
      hooks.onTask(target);
    },
    fail: (task) => {
      hooks.onTask(task.target);
      throw new Error('thrown by a task');
    },
    large: (task) => {
      hooks.onTask(task.target);
      task.end(TOO_LARGE);
    },
  },
};

export const COMPILED = compileApp(APP);
