// The built-in demo, the smallest proof of the mixed model: a route that answers in the accept
// thread; one that blocks a worker while the accept thread serves on; and two that hand their
// connection to a worker, which gives it back.

import { threadName } from 'node:worker_threads';
import { defineApp, delegate } from '../app/app.ts';
import { handOff, onLoop } from '../app/connection-handler.ts';

const THREAD = threadName ?? 'main';
const PIECE = Buffer.alloc(16_384, 'millrace\n');

export default defineApp({
  routes: {
    'GET /test/fast': (_request, response) => response.end(),
    'GET /test/slow': delegate('slow'),
    'GET /test/sync': handOff('sync'),
    'GET /test/async': handOff('async'),
  },
  tasks: {
    slow: (task) => sleepSync(task.server.options.slowDuration),
  },
  connections: {
    sync: (connection) => {
      const size = bytesAsked(connection.request.target);
      connection.field('X-Thread', THREAD).length(size);
      for (const piece of pieces(size)) connection.writeSync(piece);
    },
    async: onLoop(async (request, response) => {
      const size = bytesAsked(request.target);
      response.field('X-Thread', THREAD).length(size);
      for (const piece of pieces(size)) await response.write(piece);
      response.end();
    }),
  },
});

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));

// Blocks the thread, as heavy work would.
function sleepSync(ms: number): void {
  Atomics.wait(NEVER_NOTIFIED, 0, 0, ms);
}

function bytesAsked(target: string): number {
  const bytes = Number(new URL(target, 'http://localhost').searchParams.get('bytes') ?? 0);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : 0;
}

function* pieces(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left);
}
