import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { App } from '../app/app.ts';
import { defineApp } from '../app/app.ts';
import { delegate } from '../app/delegation.ts';
import type { UpgradeError } from '../app/upgrade-error.ts';
import { inject } from './inject.ts';
import type { InjectRequest } from './inject-types.ts';

const BIG = Buffer.alloc(1_000_000, 'millrace');

const APP: App = {
  routes: {
    'GET /': (_request, response) => response.end('hello'),
    'GET /json': (_request, response) => response.field('X-One', '1').end('{"a":1}', 201),
    'GET /later': async (_request, response) => {
      // Longer than the loop looks without a pause.
      for (let turn = 0; turn < 150; turn++) await new Promise((resolve) => setImmediate(resolve));
      response.end('later');
    },
    'GET /big': async (_request, response) => {
      for (let at = 0; at < BIG.length; at += 65_536) {
        await response.write(BIG.subarray(at, at + 65_536));
      }
      response.end();
    },
    'POST /echo': async (request, response) => response.end(await request.bytes()),
    'POST /size': async (request, response) => {
      let size = 0;
      for await (const piece of request.body) size += piece.length;
      response.end(String(size));
    },
    'GET /task': delegate('task'),
    'GET /field': (request, response) => response.end(request.field('x-name') ?? 'none'),
    'GET /broken': async (_request, response) => {
      response.length(10);
      await response.write('half');
      throw new Error('a mistake on purpose');
    },
  },
  tasks: { task: (task) => task.end(`task of ${task.target}`) },
};

test('a request has its answer, without a socket', async () => {
  const response = await inject(APP);
  equal(response.status, 200);
  equal(response.text(), 'hello');
  equal(response.fields['content-type'], 'text/plain; charset=utf-8');
  const json = await inject(APP, { path: '/json' });
  deepEqual([json.status, json.json(), json.fields['x-one']], [201, { a: 1 }, '1']);
});

test('fields and bodies go both ways', async () => {
  const named = await inject(APP, { path: '/field', fields: { 'X-Name': ['a', 'b'] } });
  equal(named.text(), 'a, b');
  const post = { method: 'POST', path: '/echo' };
  equal((await inject(APP, { ...post, body: 'grüße' })).text(), 'grüße');
  const bytes = Uint8Array.of(0, 255, 1);
  deepEqual((await inject(APP, { ...post, body: bytes })).bytes(), bytes);
  const pieces = await inject(APP, { method: 'POST', path: '/size', body: [BIG, BIG, bytes] });
  equal(pieces.text(), '2000003');
});

test('a request of any method has the body it was given', async () => {
  const app: App = {
    routes: {},
    fallback: async (request, response) => {
      const framing = request.field('content-length') ?? request.field('transfer-encoding');
      response.json([framing, await request.text()]);
    },
  };
  const pieces = [Buffer.from('grü'), Buffer.from('ße')];
  for (const method of ['GET', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND']) {
    const ask = async (body: InjectRequest['body'], fields = {}): Promise<unknown> =>
      (await inject(app, { method, body: body!, fields })).json();
    deepEqual(await ask('grüße'), ['7', 'grüße'], method);
    deepEqual(await ask(Buffer.from('grüße')), ['7', 'grüße'], method);
    deepEqual(await ask(''), ['0', ''], method);
    deepEqual(await ask(pieces), ['chunked', 'grüße'], method);
    // What the caller says is what is sent.
    deepEqual(await ask(pieces, { 'content-LENGTH': '7' }), ['7', 'grüße'], method);
    deepEqual(await ask('x', { 'transfer-Encoding': 'chunked' }), ['chunked', 'x'], method);
  }
  const head = { method: 'HEAD', body: 'x' };
  equal((await inject(app, head)).status, 200);
});

test('what the server refuses over TCP is refused here', async () => {
  equal((await inject(APP, { path: '/none' })).status, 404);
  const method = await inject(APP, { method: 'DELETE', path: '/later' });
  deepEqual([method.status, method.fields.allow], [405, 'GET, HEAD']);
  equal((await inject(APP, { method: 'POST', path: '/echo', body: [BIG, BIG] })).status, 413);
});

test('handlers may answer later, in pieces, and by tasks', async () => {
  equal((await inject(APP, { path: '/later' })).text(), 'later');
  equal((await inject(APP, { path: '/task?a' })).text(), 'task of /task?a');
  equal(Buffer.compare((await inject(APP, { path: '/big' })).bytes(), BIG), 0);
});

test('many at a time, more than there are connections', async () => {
  const paths = Array.from({ length: 200 }, (_, index) => ['/', '/later', '/task'][index % 3]!);
  const texts = await Promise.all(paths.map(async (path) => (await inject(APP, { path })).text()));
  deepEqual(texts.slice(0, 3), ['hello', 'later', 'task of /task']);
  equal(new Set(texts).size, 3);
});

test('an upgrade is answered, and the protocol told of its connection', async () => {
  const closed = Promise.withResolvers<unknown>();
  const app = defineApp({
    routes: {
      'GET /': (_request, response) => response.field('X', 'y').upgrade('raw', { data: 7 }),
    },
    protocols: {
      raw: {
        onOpen: (connection) => void connection.write('not HTTP'),
        onData: () => {},
        onClose: ({ data }) => closed.resolve(data),
      },
    },
  });
  const fields = { connection: 'upgrade', upgrade: 'raw' };
  const { status, fields: answered, text } = await inject(app, { fields });
  deepEqual([status, answered.upgrade, answered.x, text()], [101, 'raw', 'y', '']);
  equal(await closed.promise, 7);
  const refused = await inject(app);
  deepEqual([refused.status, refused.fields.upgrade], [426, 'raw']);
});

test('the application answers in its own way who does not ask for an upgrade', async () => {
  const app = defineApp({
    routes: {
      'GET /': (_request, response) => response.upgrade('raw'),
      'GET /later': async (_request, response) => response.upgrade('raw', { token: 'other/1' }),
    },
    onError: (error, _request, response) => {
      const { token, status } = error as UpgradeError;
      response.field('Upgrade', token).json({ token }, status);
    },
    protocols: { raw: { onData: () => {} } },
  });
  for (const [path, token] of [
    ['/', 'raw'],
    ['/later', 'other/1'],
  ]) {
    const response = await inject(app, { path: path! });
    deepEqual([response.status, response.json()], [426, { token }]);
    deepEqual([response.fields.upgrade, response.fields.connection], [token, 'close, Upgrade']);
  }
});

test('a fetch application answers who asks for an upgrade as anybody else', async () => {
  const app = {
    fetch: (request: globalThis.Request) =>
      new globalThis.Response(request.headers.get('upgrade'), {
        status: 426,
        headers: { upgrade: 'websocket' },
      }),
  };
  const response = await inject(app, { fields: { connection: 'upgrade', upgrade: 'x' } });
  deepEqual([response.status, response.text()], [426, 'x']);
  deepEqual([response.fields.upgrade, response.fields.connection], ['websocket', 'Upgrade']);
});

test('a response that breaks off is an error', async () => {
  await rejects(inject(APP, { path: '/broken' }), /aborted|socket hang up|terminated/);
});

test('a client that goes is noticed', async () => {
  const gone = Promise.withResolvers<unknown>();
  const asked = Promise.withResolvers<void>();
  const app: App = {
    routes: {
      'GET /': async (_request, response) => {
        asked.resolve();
        for (;;) {
          try {
            await response.write('x');
            await new Promise((resolve) => setImmediate(resolve));
          } catch (error) {
            gone.resolve(error);
            return;
          }
        }
      },
    },
  };
  const controller = new AbortController();
  const injected = inject(app, { signal: controller.signal });
  await asked.promise;
  controller.abort();
  await rejects(injected, { name: 'AbortError' });
  match(String(await gone.promise), /the connection has ended/);
});
