// An application whose handlers wait for their client to go. Made for a server with one accept
// thread.

import { once } from 'node:events';
import { defineApp, delegate } from '../../src/index.ts';

// By name: settled when the client of `GET /waits/NAME` has gone.
const gone = new Map<string, PromiseWithResolvers<void>>();

function goneOf(name: string): PromiseWithResolvers<void> {
  const made = gone.get(name) ?? Promise.withResolvers<void>();
  gone.set(name, made);
  return made;
}

export default defineApp({
  routes: {
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
    hang: async (task) => {
      while (!task.cancelled) await new Promise((resolve) => setImmediate(resolve));
    },
  },
});
