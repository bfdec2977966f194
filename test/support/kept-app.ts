// An application that keeps what its handlers were given, and uses it when the response has ended.

import type { Request, Response } from '../../src/index.ts';
import { defineApp } from '../../src/index.ts';
import { prng } from './prng.ts';

const KEPT_MAX = 300;
const random = prng(11);
const kept: [Request, Response][] = [];
const uses: Readonly<Record<string, (request: Request, response: Response) => unknown>> = {
  method: (request) => request.method,
  target: (request) => request.target,
  path: (request) => request.path,
  query: (request) => request.query,
  param: (request) => request.param('id'),
  peer: (request) => request.peer,
  field: (request) => request.field('host'),
  fieldLines: (request) => request.fieldLines(),
  signal: (request) => request.signal,
  body: (request) => request.body,
  bytes: (request) => request.bytes(),
  json: (request) => request.json(),
  status: (_request, response) => response.status,
  setStatus: (_request, response) => {
    response.status = 500;
  },
  setField: (_request, response) => response.field('x', 'y'),
  length: (_request, response) => response.length(3),
  trailer: (_request, response) => response.trailer('x', 'y'),
  write: (_request, response) => response.write('late'),
  end: (_request, response) => response.end('late'),
  endJson: (_request, response) => response.json('late'),
  redirect: (_request, response) => response.redirect('/late'),
  stream: (_request, response) => response.stream(['late']),
};
const names = Object.keys(uses);
const counts = { threw: 0, worked: [] as string[] };

function keep(request: Request, response: Response): void {
  if (kept.length < KEPT_MAX) kept.push([request, response]);
  else kept[random(KEPT_MAX)] = [request, response];
}

function useOne(): void {
  const pair = kept[random(kept.length)];
  if (pair === undefined) return;
  const name = names[random(names.length)]!;
  try {
    const result = uses[name]!(...pair);
    if (!(result instanceof Promise)) counts.worked.push(name);
    else {
      result.then(
        () => counts.worked.push(name),
        () => counts.threw++,
      );
    }
  } catch {
    counts.threw++;
  }
}

export default defineApp({
  routes: {
    'GET /at-once/:id': (request, response) => {
      response.end(request.param('id'));
      keep(request, response);
      setImmediate(useOne);
    },
    'GET /later/:id': async (request, response) => {
      await null;
      useOne();
      if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
      response.json({ id: request.param('id') });
      keep(request, response);
      useOne();
    },
    'GET /counts': (_request, response) => response.json(counts),
  },
});
