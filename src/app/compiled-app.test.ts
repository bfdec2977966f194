import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { RESPONSE_SINK } from '../../test/support/unit-response-sink.ts';
import { server } from '../delegate/task-server.test-data.ts';
import { METHOD_GET, METHOD_HEAD, METHOD_POST } from '../http/method.ts';
import { ROUTE_METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND } from '../http/router.ts';
import type { App } from './app.ts';
import { defineApp } from './app.ts';
import { BoundResponse } from './bound-response.ts';
import { AppError, compileApp, loadApp, NOT_DELEGATED, protocolPorts } from './compiled-app.ts';
import { delegate } from './delegation.ts';
import type { ErrorHandler, Handler } from './handler.ts';
import type { Request } from './request.ts';

const handler: Handler = (_request, response) => response.end();

function find(app: App, path: string, method: number): number {
  const bytes = Buffer.from(path);
  return compileApp(app).router.find(bytes, 0, bytes.length, method);
}

function routes(...keys: string[]): App {
  return { routes: Object.fromEntries(keys.map((key) => [key, handler])) };
}

/** The URL of a module with this source. */
function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

test('routes lead to their handlers, in the order in which they were written', () => {
  const other: Handler = () => {};
  const app = { routes: { 'GET /a': handler, 'POST /a': other, 'GET /b': other } };
  const { handlers, taskIndexes, tasks } = compileApp(app);
  deepEqual(handlers, [handler, other, other]);
  deepEqual([...taskIndexes.subarray(0, 3)], [NOT_DELEGATED, NOT_DELEGATED, NOT_DELEGATED]);
  deepEqual(tasks, []);
  equal(find(app, '/a', METHOD_GET), 0);
  equal(find(app, '/a', METHOD_HEAD), 0);
  equal(find(app, '/a', METHOD_POST), 1);
  equal(find(app, '/b', METHOD_GET), 2);
  equal(find(app, '/b', METHOD_POST), ROUTE_METHOD_NOT_ALLOWED);
  equal(find(app, '/c', METHOD_GET), ROUTE_NOT_FOUND);
});

test('a route that delegates has the index of its task, and a handler that refuses', () => {
  const first = (): void => {};
  const second = (): void => {};
  const { taskIndexes, tasks, handlers } = compileApp({
    routes: { 'GET /2': delegate('second'), 'GET /0': handler, 'GET /1': delegate('first') },
    tasks: { first, second },
  });
  deepEqual([...taskIndexes.subarray(0, 3)], [1, NOT_DELEGATED, 0]);
  deepEqual(tasks, [
    { name: 'first', run: first },
    { name: 'second', run: second },
  ]);
  throws(() => handlers[0]!({} as never, {} as never), AppError);
});

test('an application without routes answers nothing', () => {
  equal(find({ routes: {} }, '/', METHOD_GET), ROUTE_NOT_FOUND);
});

const MISTAKES: Record<string, [app: App, message: RegExp]> = {
  'a key that is no method and path': [routes('/a'), /"\/a" is not a method and a path/],
  'a key of three parts': [routes('GET /a b'), /"GET \/a b" is not a method and a path/],
  'an empty key': [routes(''), /"" is not a method and a path/],
  'an unknown method': [routes('BREW /a'), /"BREW \/a": unknown method BREW/],
  'a method in lower case': [
    routes('get /a'),
    /"get \/a": unknown method get: .* upper case, GET$/,
  ],
  'the name that stands for other methods': [routes('other /a'), /"other \/a"/],
  'an empty path': [routes('GET '), /no leading slash/],
  'a path without a slash': [routes('GET a'), /"GET a": the path has no leading slash/],
  'a path with a query': [routes('GET /a?b'), /no request path holds/],
  'a path with a fragment': [routes('GET /a#b'), /no request path holds/],
  'a path beyond ASCII': [routes('GET /ü'), /no request path holds/],
  'a parameter without a name': [routes('GET /a', 'GET /:'), /"GET \/:": .*no name of a parameter/],
  'two parameters of one name': [routes('GET /:id/:id'), /"GET \/:id\/:id": two .* have one name/],
  'a wildcard in a segment': [routes('GET /files*'), /"GET \/files\*": .*a segment of its own/],
  'a wildcard before others': [routes('GET /a/*/b'), /"GET \/a\/\*\/b": .*the last segment/],
  'two routes that are one': [routes('GET /:a', 'GET /:b'), /"GET \/:b" is the same as "GET \/:a"/],
  'a task that is not there': [
    { routes: { 'GET /a': delegate('slow') }, tasks: { fast: () => {} } },
    /route "GET \/a": there is no task "slow"/,
  ],
  'a task where there are none': [{ routes: { 'GET /a': delegate('slow') } }, /no task "slow"/],
  'the name of what every object has': [
    { routes: { 'GET /a': delegate('constructor') }, tasks: {} },
    /no task "constructor"/,
  ],
};

for (const [name, [app, message]] of Object.entries(MISTAKES)) {
  test(`a mistake in the application is told: ${name}`, () => {
    throws(
      () => compileApp(app),
      (error) => {
        ok(error instanceof AppError);
        equal(error.name, 'AppError');
        match(error.message, message);
        return true;
      },
    );
  });
}

test('an application is the default export of its module', async () => {
  const source = `export default {
    routes: { 'GET /a': () => {}, 'GET /b': { task: 'slow' } },
    tasks: { slow() {} },
  };`;
  const { handlers, taskIndexes, tasks } = await loadApp(moduleOf(source), server);
  equal(handlers.length, 2);
  deepEqual([...taskIndexes.subarray(0, 2)], [NOT_DELEGATED, 0]);
  equal(tasks[0]!.name, 'slow');
});

for (const source of [
  '',
  'export default undefined;',
  'export default null;',
  'export default {};',
  'export default { routes: null };',
  'export default { routes: "GET /" };',
  'export default () => {};',
  'export const routes = {};',
]) {
  test(`a module that exports no application is told so: ${source || 'an empty one'}`, async () => {
    await rejects(loadApp(moduleOf(source), server), {
      name: 'AppError',
      message: /data:text.* has no default export made with defineApp/,
    });
  });
}

test('a module that is not there, or fails, keeps its own error', async () => {
  await rejects(loadApp(new URL('./none.ts', import.meta.url).href, server), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
  await rejects(loadApp(moduleOf('throw new RangeError("at load")'), server), {
    message: 'at load',
  });
  const wrong = moduleOf("export default { routes: { 'GET /a': { task: 'none' } } };");
  await rejects(loadApp(wrong, server), { name: 'AppError', message: /no task "none"/ });
});

const FAILING: Record<string, Handler> = {
  throws: () => {
    throw new Error('on purpose');
  },
  rejects: () => Promise.reject(new Error('on purpose')),
};

for (const [name, failing] of Object.entries(FAILING)) {
  const run = async (onError: ErrorHandler): Promise<BoundResponse> => {
    const { handlers } = compileApp({ routes: { 'GET /a': failing }, onError });
    const response = new BoundResponse(RESPONSE_SINK);
    response.bind();
    await handlers[0]!({} as Request, response);
    return response;
  };

  test(`onError answers, or begins to, for a handler that ${name}`, async () => {
    const ended = await run((error, _request, response) => response.end(String(error), 503));
    deepEqual([ended.body, ended.statusCode], ['Error: on purpose', 503]);
    equal((await run((_error, _request, response) => void response.write('x'))).begun, true);
    const later: ErrorHandler = async (_error, _request, response) => {
      await null;
      response.end('later');
    };
    equal((await run(later)).body, 'later');
  });

  test(`onError that does not answer for a handler that ${name} has failed`, async () => {
    await rejects(
      run(() => {}),
      /onError has returned without/,
    );
    await rejects(
      run((_error, _request, response) => {
        response.field('X', 'y').length(5);
      }),
      /onError has returned without/,
    );
  });
}

test('defineApp and delegate say what they are given', () => {
  const app = routes('GET /a');
  equal(defineApp(app), app);
  deepEqual(delegate('slow'), { task: 'slow' });
});

test('a route or a task of the wrong type is a mistake of the application', () => {
  throws(() => compileApp({ routes: { 'GET /a': null as never } }), AppError);
  throws(() => compileApp({ routes: { 'GET /a': {} as never } }), AppError);
  throws(() => compileApp({ routes: {}, tasks: { slow: 5 as never } }), AppError);
});

test('protocols that listen come first, and a port is one or none', () => {
  const onData = (): void => {};
  const app = compileApp({
    routes: {},
    protocols: { a: { onData }, b: { port: 5, onData }, c: { onData }, d: { port: 0, onData } },
  });
  deepEqual(
    app.protocols.map(({ name }) => name),
    ['b', 'd', 'a', 'c'],
  );
  deepEqual(protocolPorts(app), [
    { name: 'b', port: 5 },
    { name: 'd', port: 0 },
  ]);
  for (const port of [-1, 65_536, 1.5, null as never, '9' as never]) {
    throws(() => compileApp({ routes: {}, protocols: { a: { port, onData } } }), /"a": the port/);
  }
  throws(() => compileApp({ routes: {}, protocols: { a: {} as never } }), /"a" has no onData/);
});

test('a module may export a function that makes the application for its server', async () => {
  const source = `export default ({ options }) => ({
    routes: {}, tasks: { ['slow' + options.slowDuration]: () => {} },
  })`;
  const { tasks } = await loadApp(moduleOf(source), server);
  deepEqual(
    tasks.map(({ name }) => name),
    ['slow30'],
  );
});
