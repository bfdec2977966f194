// An application that hands connections to workers, for the black-box tests.

import { setTimeout as passed } from 'node:timers/promises';
import { threadName } from 'node:worker_threads';
import { defineApp, delegate, handOff, onLoop } from '../../src/index.ts';

const PIECE = Buffer.alloc(10_000, 'millrace');
const THREAD = threadName ?? '';

function numberOf(target: string): number {
  return Number(target.slice(target.indexOf('?') + 1));
}

export default defineApp({
  routes: {
    'GET /fast': (request, response) => {
      response.field('X-Thread', THREAD).end(request.target);
    },
    'GET /slow': delegate('slow'),
    'GET /sync': handOff('sync'),
    'GET /async': handOff('async'),
    'GET /kept': handOff('kept'),
    'POST /sync-echo': handOff('syncEcho'),
    'POST /async-echo': handOff('asyncEcho'),
    'GET /sync-bytes': handOff('syncBytes'),
    'GET /sync-throws': handOff('syncThrows'),
    'GET /sync-exit': handOff('syncExit'),
    'GET /sync-hang': handOff('syncHang'),
    'GET /async-throws': handOff('asyncThrows'),
    'GET /async-waits': handOff('asyncWaits'),
  },
  tasks: {
    slow: (task) => task.end(task.target),
  },
  connections: {
    sync: (connection) => {
      connection.field('X-Thread', THREAD).endSync(connection.request.target);
    },
    async: onLoop((request, response) => {
      response.field('X-Thread', THREAD).end(request.target);
    }),
    kept: onLoop(
      async (request, response) => {
        await null;
        response.field('X-Thread', THREAD).end(request.target);
      },
      { keep: true },
    ),
    syncEcho: (connection) => {
      for (let piece = connection.readSync(); piece !== undefined; piece = connection.readSync()) {
        connection.writeSync(piece);
      }
    },
    asyncEcho: onLoop(async (request, response) => {
      for await (const piece of request.body) await response.write(piece);
      response.end();
    }),
    syncBytes: (connection) => {
      const size = numberOf(connection.request.target);
      for (let left = size; left > 0; left -= PIECE.length) {
        connection.writeSync(PIECE.subarray(0, left));
      }
    },
    syncThrows: () => {
      throw new Error('thrown by a blocking handler');
    },
    syncExit: () => process.exit(3),
    syncHang: () => {
      for (;;);
    },
    asyncThrows: onLoop(async () => {
      await null;
      throw new Error('thrown by a handler on a loop');
    }),
    asyncWaits: onLoop(async (_request, response) => {
      await passed(60_000);
      response.end();
    }),
  },
});
