// An application that keeps what its functions were given, and uses it when the response has ended:
// later, and within the next functions that are given theirs.

import type { Request, Response, Task } from '../../src/index.ts';
import { defineApp, delegate } from '../../src/index.ts';
import { prng } from './prng.ts';

const KEPT_MAX = 300;
const random = prng(11);
const requests: Request[] = [];
const responses: Response[] = [];
const ofRequests: Readonly<Record<string, (request: Request) => unknown>> = {
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
};
const ofResponses: Readonly<Record<string, (response: Response) => unknown>> = {
  status: (response) => response.status,
  setStatus: (response) => {
    response.status = 500;
  },
  setField: (response) => response.field('x', 'y'),
  length: (response) => response.length(3),
  trailer: (response) => response.trailer('x', 'y'),
  write: (response) => response.write('late'),
  end: (response) => response.end('late'),
  endJson: (response) => response.json('late'),
  redirect: (response) => response.redirect('/late'),
  stream: (response) => response.stream(['late']),
};
const counts = { threw: 0, worked: [] as string[] };

function keep<T>(kept: T[], one: T): void {
  if (kept.length < KEPT_MAX) kept.push(one);
  else kept[random(KEPT_MAX)] = one;
}

function use(): void {
  if (random(2) === 0) useOne(requests, ofRequests);
  else useOne(responses, ofResponses);
}

function useOne<T>(kept: readonly T[], uses: Readonly<Record<string, (one: T) => unknown>>): void {
  const one = kept[random(kept.length)];
  if (one === undefined) return;
  const names = Object.keys(uses);
  const name = names[random(names.length)]!;
  try {
    const result = uses[name]!(one);
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
      use();
      response.end(request.param('id'));
      use();
      keep(requests, request);
      keep(responses, response);
      setImmediate(use);
    },
    // It cannot keep what it is given, and has the objects of others like it.
    'GET /plain/:id': (request, response) => {
      use();
      response.end(request.param('id'));
    },
    'GET /later/:id': async (request, response) => {
      await null;
      use();
      if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
      response.json({ id: request.param('id') });
      keep(requests, request);
      keep(responses, response);
      use();
    },
    'GET /task/:id': delegate('echo', {
      input: (request) => {
        use();
        keep(requests, request);
        return request.param('id');
      },
      respond: (id: string, response) => {
        use();
        response.end(id);
        keep(responses, response);
      },
    }),
    'GET /counts': (_request, response) => response.json(counts),
  },
  tasks: { echo: (task: Task<string>) => task.input },
});
