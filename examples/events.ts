// Server-sent events: a response that does not end, for as long as its client listens.
//
//     npx millrace events.ts
//     curl -N http://127.0.0.1:9000/ticks

import { setTimeout as passed } from 'node:timers/promises';
import { defineApp } from 'millrace';

const INTERVAL_MS = Number(process.env.TICK_MS ?? 1000);

async function* ticks(signal: AbortSignal): AsyncGenerator<string> {
  for (let count = 1; !signal.aborted; count++) {
    yield `id: ${count}\ndata: ${new Date().toISOString()}\n\n`;
    await passed(INTERVAL_MS);
  }
}

export default defineApp({
  routes: {
    'GET /ticks': (request, response) =>
      response
        .field('Content-Type', 'text/event-stream')
        .field('Cache-Control', 'no-store')
        .stream(ticks(request.signal)),
  },
});
