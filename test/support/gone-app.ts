// An application whose handlers wait for their client to go, or whose tasks outlive it. Made for a
// server with one accept thread and one worker.

import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { defineApp, delegate } from '../../src/index.ts';

// By name: settled when the client of `GET /waits/NAME` has gone.
const gone = new Map<string, PromiseWithResolvers<void>>();

function goneOf(name: string): PromiseWithResolvers<void> {
  const made = gone.get(name) ?? Promise.withResolvers<void>();
  gone.set(name, made);
  return made;
}

// Of the worker: settled when `hold` is to end.
const held = Promise.withResolvers<void>();

export default defineApp({
  routes: {
    'GET /hold': delegate('hold'),
    'GET /run': delegate('run'),
    'GET /release': delegate('release'),
    // Answers who has only ended its side.
    'GET /waits/:name': async (request, response) => {
      const { signal } = request;
      const name = request.param('name');
      if (!signal.aborted) await once(signal, 'abort');
      goneOf(name).resolve();
      response.end('still answered');
    },
    'GET /gone/:name': async (request, response) => {
      await goneOf(request.param('name')).promise;
      response.end('gone');
    },
    'GET /task': delegate('hang'),
    'GET /calls': async (request, response) => {
      try {
        await request.delegate('hang');
      } catch {
        goneOf('calls').resolve();
      }
      response.end();
    },
  },
  tasks: {
    hold: async () => {
      writeSync(2, 'held\n');
      await held.promise;
      return 'of hold';
    },
    run: () => 'of run',
    // Its own result comes behind that of `hold`.
    release: async () => {
      held.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      return 'of release';
    },
    hang: async (task) => {
      while (!task.cancelled) await new Promise((resolve) => setImmediate(resolve));
    },
  },
});
