import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { prng } from '../../test/support/prng.ts';
import { mayKeep } from './escape.ts';

type Code = Parameters<typeof mayKeep>[0];

const HANDLER = ['request', 'response'] as const;
const sum = 2;

const KEEP_NOTHING: readonly Code[] = [
  (_request, response) => response.end(),
  (_request, response) => response.end('text', sum),
  (request, response) => response.end(request.param('id')),
  (request, response) => {
    // The request and the response in a comment.
    if (request.method === 'HEAD') response.status = 404;
    for (const [name] of request.fieldLines()) if (name === 'x') return response.json({ name });
    return response.redirect(`${request.path}?${request.query.size}`);
  },
  function named(request, response) {
    response.end(request.field('host'));
  },
  { method: (_request: object) => 1 }.method,
  ({ path, method: verb }, response) => response.end(path + verb),
  (_request, response) => response.end([1, 2].map((each) => each + 1).join()),
  (request, response) => response.json({ request: request.target, response: 1 }),
  () => undefined,
];

const MAY_KEEP: readonly Code[] = [
  async (_request, response) => response.end(),
  (request) => request,
  (request) => [request],
  (request) => ({ ...request }),
  (request, response) => setImmediate(() => response.end(request.path)),
  (_request, response) => setImmediate(response.end),
  (_request, response) => response.field('x', 'y'),
  (_request, response) => response?.end(),
  (request) => request.signal,
  (request) => request.body,
  Function('"use strict"; return (request) => request["path"]')(),
  (request) => `${request}`,
  (request, response = request) => response.end(),
  (...all) => all[1].end(),
  ({ path, ...rest }) => [path, rest],
  ({ body }) => body,
  (request, response) => response.json({ toJSON: () => request.path }),
  (_request, response) => {
    response.end = String;
  },
  (request) =>
    class {
      path = request.path;
    },
  Function('"use strict"; return function () { return arguments; }')(),
  Function('"use strict"; return (request) => eval("request")')(),
  ((request: object) => request).bind(null),
  new Proxy((): void => {}, {}),
  Function('request', 'response', 'response.end()') as Code,
  class {} as unknown as Code,
  Math.max,
];

for (const code of KEEP_NOTHING) {
  test(`keeps nothing: ${lineOf(code)}`, () => equal(mayKeep(code, HANDLER), false));
}
for (const code of MAY_KEEP) {
  test(`may keep: ${lineOf(code)}`, () => equal(mayKeep(code, HANDLER), true));
}

test('a method of an object is understood', () => {
  const routes = {
    'GET /x'(_request: unknown, response: { end(): void }) {
      response.end();
    },
  };
  equal(mayKeep(routes['GET /x'], HANDLER), false);
});

test('what is no function is not called, and keeps nothing', () => {
  equal(mayKeep(undefined, HANDLER), false);
});

test('a result may be kept, the response beside it may not', () => {
  const given = ['other', 'response'] as const;
  const all: unknown[] = [];
  equal(
    mayKeep((result, response) => response.end(all.push(result)), given),
    false,
  );
  equal(
    mayKeep(({ a, b: [c] }, response) => response.end(a + c), given),
    false,
  );
  equal(
    mayKeep((_result, response) => all.push(response), given),
    true,
  );
  equal(
    mayKeep(({ later = () => response }, response) => all.push(later), given),
    true,
  );
});

// Functions are made of pieces at random and run. Whoever can still reach what it was given when it
// has returned must have been found out.
const EXPRESSIONS: readonly string[] = [
  'request',
  'response',
  'request.path',
  'request.param("id")',
  'response.status',
  'response.field("a", "b")',
  'response.end()',
  'request["path"]',
  'keep(A)',
  '[A, A]',
  '({ request: A, keep: A })',
  '({ request })',
  '(A, A)',
  '(A ? A : A)',
  '(() => A)',
  '(() => A)()',
  '((request) => A)(A)',
  '({ path() { return A; } })',
  '({ get path() { return A; } }).path',
  '`$' + '{keep(A)}`',
  '(response.status = A)',
  '(response.end = A)',
  'keep(...[A])',
  'new (class { path = A; })()',
  'request?.path',
];
const BODIES: readonly string[] = [
  'A;',
  'const kept = A; keep(kept);',
  'if (A) { keep(A); } else A;',
  'for (const each of [A]) keep(each);',
  'const { path } = request; keep(path);',
  'keep({ request: { path: A } }); A;',
  'try { throw A; } catch (error) { keep(error); }',
  'function inner() { keep(A); } inner(); keep(inner);',
  'return A;',
];
const FUNCTIONS_FUZZED = 5000;

test('what is kept by functions made at random is found out', () => {
  const random = prng(3);
  const fill = (text: string, depth: number): string =>
    text.replaceAll(/\bA\b/g, () =>
      fill(EXPRESSIONS[random(depth > 2 ? 8 : EXPRESSIONS.length)]!, depth + 1),
    );
  const counts = { reached: 0, kept: 0, notKept: 0 };
  for (let index = 0; index < FUNCTIONS_FUZZED; index++) {
    const body = fill(BODIES[random(BODIES.length)]!, 0);
    const text = `'use strict'; return (request, response) => { ${body} }`;
    const kept: unknown[] = [];
    const keep = (value: unknown): number => kept.push(value);
    const code = new Function('keep', text)(keep) as (...given: unknown[]) => unknown;
    const given = faces();
    try {
      kept.push(code(given.request, given.response));
    } catch {
      // It goes on as one that fails.
    }
    // What was put upon an object would be found by the next one.
    const changed = Object.keys(given.response).some((key) => key !== 'status');
    const reached = changed || reaches(kept, new Set([given.request, given.response]));
    const found = mayKeep(code, HANDLER);
    ok(found || !reached, text);
    if (reached) counts.reached++;
    if (found) counts.kept++;
    else counts.notKept++;
  }
  ok(counts.reached > 1000 && counts.notKept > 300, JSON.stringify(counts));
});

function lineOf(code: Code): string {
  return String(code).replaceAll(/\s+/g, ' ');
}

class RequestFace {
  get path(): string {
    return '/';
  }

  param(): string {
    return 'id';
  }
}

class ResponseFace {
  status = 200;

  field(): this {
    return this;
  }

  end(): void {}
}

function faces(): { request: RequestFace; response: ResponseFace } {
  return { request: new RequestFace(), response: new ResponseFace() };
}

// True exactly when one of `targets` can be reached from `value`, by properties and calls.
function reaches(value: unknown, targets: ReadonlySet<unknown>, depth = 0): boolean {
  if (targets.has(value)) return true;
  if (depth > 6 || value === null) return false;
  if (typeof value === 'function')
    return reaches(called(value as () => unknown), targets, depth + 1);
  if (typeof value !== 'object') return false;
  const own = Object.getOwnPropertyDescriptors(value);
  return Object.values(own).some((property) =>
    reaches(property.get ?? property.value, targets, depth + 1),
  );
}

function called(code: () => unknown): unknown {
  try {
    return code();
  } catch {
    return undefined;
  }
}
