// An application that notes what its handlers see of every request, so that two streams of requests
// can be compared: handlers of each kind, and `GET /events`, which tells what was noted and forgets
// it. Made for a server with one accept thread.

import { setTimeout as passed } from 'node:timers/promises';
import type { Request } from '../../src/index.ts';
import { defineApp, delegate } from '../../src/index.ts';

const FIELDS = ['Host', 'X', 'X-Latin', 'Content-Length', 'Transfer-Encoding', 'Expect', 'Cookie'];
let events: string[] = [];
let running = 0;

function head(request: Request): string {
  const fields = FIELDS.map((name) => request.field(name));
  return JSON.stringify([request.method, request.target, request.path, ...fields]);
}

/** Notes the request, then its body or why there was none, and answers with all of it. */
async function told(request: Request, body: () => Promise<Uint8Array>): Promise<string> {
  const seen = head(request);
  events.push(seen);
  running++;
  try {
    const content = Buffer.from(await body()).toString('latin1');
    events.push(`${seen} has ${content}.`);
    return `${seen} has ${content}`;
  } catch (error) {
    events.push(`${seen} breaks: ${(error as Error).message}`);
    throw error;
  } finally {
    running--;
  }
}

async function pieces(request: Request): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of request.body) {
    all.push(piece);
    await passed(1);
  }
  return Buffer.concat(all);
}

export default defineApp({
  routes: {
    'GET /events': async (_request, response) => {
      // Those whose connection has ended may not have heard of it yet.
      while (running > 0) await passed(1);
      response.end(JSON.stringify(events));
      events = [];
    },
    'GET /': (request, response) => {
      events.push(head(request));
      response.end(head(request));
    },
    'GET /a/b': delegate('slow'),
    'POST /in': async (request, response) => {
      response.end(await told(request, () => request.bytes()));
    },
  },
  fallback: async (request, response) => {
    const body = await told(request, () => pieces(request));
    response.field('X-Late', 'yes');
    await response.write(body);
    response.end();
  },
  tasks: { slow: (task) => task.end('slow') },
});
