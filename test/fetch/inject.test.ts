import { deepEqual, equal, match, notEqual, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchApp } from '../../src/fetch/fetch-app.ts';
import { isFetchApp } from '../../src/fetch/fetch-app.ts';
import { adaptFetchModule } from '../../src/fetch/fetch-module.ts';
import { requestUrl } from '../../src/fetch/web-url.ts';
import { inject } from '../../src/inject/inject.ts';

type Fetch = FetchApp['fetch'];

test('a module exports it as its default, or as a function', async () => {
  const fetch: Fetch = () => new Response();
  for (const module of [{ default: { fetch } }, { fetch }, { default: {}, fetch }]) {
    notEqual(await adaptFetchModule(module as { default?: unknown }), undefined);
  }
  for (const module of [{}, { default: null }, { default: { routes: {} } }, { fetch: 1 }]) {
    equal(await adaptFetchModule(module as { default?: unknown }), undefined);
  }
  equal(isFetchApp(Object.assign(() => {}, { fetch })), true);
});

test('a URL is what the parser of URLs makes of host and target', () => {
  const hosts = ['a', 'a.b:8080', '127.0.0.1:9000', '127.1', 'A.b', 'a:80', 'a:080', '[::1]:1'];
  hosts.push('1.2.3.4', '0x7f.1', 'a.0x1', '1.', 'localhost:65535', 'a.', 'xn--zca.de', 'a-b');
  const targets = ['/', '/a/b', '/a/../b', '/a/./b', '/a/%2e%2E/b', '/.', '/a.b', '/a..b/c', '//x'];
  targets.push('/?a=1', '/?a=../b', "/?'", "/'", '/a b', '/ü', '/%zz', '/a|b', '/{}', '/a?b?c#d');
  for (const host of hosts) {
    for (const target of targets) {
      const url = `http://${host}${target}`;
      if (URL.canParse(url)) equal(requestUrl(host, target), new URL(url).href);
      else throws(() => requestUrl(host, target), TypeError);
    }
  }
  equal(requestUrl('a', 'http://b/c/../d'), 'http://b/d');
  equal(requestUrl('a', '*'), 'http://a/');
  throws(() => requestUrl('a:99999', '/'), TypeError);
});

test('a request that has no URL is a 400', async () => {
  const app: FetchApp = { fetch: () => new Response('never') };
  equal((await inject(app, { fields: { host: '1.2.3.4.5' } })).status, 400);
});

test('an empty Host field means the default, as none does', async () => {
  equal(requestUrl(undefined, '/a/b'), 'http://localhost/a/b');
  equal(requestUrl('', '/a/b'), 'http://localhost/a/b');
  equal(requestUrl('', '//a/b'), 'http://localhost//a/b');
  equal(requestUrl('', '*'), 'http://localhost/');
  const app: FetchApp = { fetch: ({ url }) => new Response(url) };
  const response = await inject(app, { path: '/public/admin', fields: { host: '' } });
  equal(response.text(), 'http://localhost/public/admin');
});

test('no Host field moves the path: it is that of the target, or there is a 400', async () => {
  const app: FetchApp = { fetch: ({ url }) => new Response(new URL(url).pathname) };
  const refused = ['a/b', 'a?x', 'a#x', 'user@host', 'a\\b', 'a b', '[::1', '[::1]x', '[', ':80'];
  refused.push(
    'a%2fb',
    'a%3fx',
    'a%23x',
    'u%40a',
    'a%5cb',
    'a%20b',
    'a%00',
    '%',
    '%2f',
    '%zz',
    '/',
  );
  for (const host of refused) {
    equal((await inject(app, { path: '/public/admin', fields: { host } })).status, 400, host);
  }
  for (const host of ['', 'a', 'a:', 'a:80', '%61', '[::1]:8080', '.', "!$&'()*+,;=", 'a..b']) {
    const response = await inject(app, { path: '/public/admin', fields: { host } });
    equal(response.text(), '/public/admin', host);
  }
});

test('an authority in the target is one only in absolute-form', async () => {
  const app: FetchApp = { fetch: ({ url }) => new Response(url) };
  const url = async (path: string, host: string): Promise<string | number> => {
    const response = await inject(app, { path, fields: { host } });
    return response.status === 200 ? response.text() : response.status;
  };
  for (const host of ['a', '']) {
    const own = `http://${host === '' ? 'localhost' : host}`;
    equal(await url('//evil/x', host), `${own}//evil/x`);
    equal(await url('/@evil/x', host), `${own}/@evil/x`);
    equal(await url('///evil', host), `${own}///evil`);
    // RFC 9112 section 3.2.2: then the Host field is ignored.
    equal(await url('http://h/x', host), 'http://h/x');
    equal(await url('HTTP://h?x', host), 'http://h/?x');
    for (const path of ['http:///x', 'http://:80/x', 'http://u@h/x', 'http:/x', 'http:x', 'h/x']) {
      equal(await url(path, host), 400, path);
    }
    equal(await url('http://h%2fx/y', host), 400);
  }
});

test('what is kept of a request is of no use when its response has ended', async () => {
  const kept: Request[] = [];
  const app: FetchApp = {
    fetch: (request) => {
      kept.push(request);
      return kept.length % 2 === 1 ? new Response('now') : Promise.resolve(new Response('later'));
    },
  };
  for (const name of ['one', 'two', 'three', 'four']) {
    await inject(app, { path: `/${name}`, fields: { 'x-name': name } });
  }
  const late = { message: 'the request was used after its response had ended' };
  for (const request of kept) {
    throws(() => request.headers.get('x-name'), late);
    throws(() => [...request.headers], late);
    throws(() => request.signal, late);
    await rejects(request.text(), late);
    throws(() => request.clone(), late);
  }
  deepEqual(
    kept.map(({ url }) => url),
    ['one', 'two', 'three', 'four'].map((name) => `http://localhost/${name}`),
  );
});

test('a body is read once', async () => {
  const app: FetchApp = {
    fetch: async (request) => {
      const first = await request.text();
      const used = request.bodyUsed;
      const second = await request.text().catch((error: Error) => error.name);
      return Response.json([first, used, second]);
    },
  };
  const response = await inject(app, { method: 'POST', body: 'text' });
  deepEqual(response.json(), ['text', true, 'TypeError']);
});

test('fields are read, changed and iterated as those of the standard', async () => {
  const app: FetchApp = {
    fetch: ({ headers }) => {
      const before = [headers.get('X-A'), headers.get('x-none'), headers.has('x-a')];
      headers.set('x-new', '1');
      const names = [...headers.keys()].filter((name) => name.startsWith('x-'));
      const visited: string[] = [];
      headers.forEach((value, name) => void visited.push(`${name}=${value}`));
      return Response.json([before, names, visited.includes('x-new=1'), headers.get('x-a')]);
    },
  };
  const response = await inject(app, { fields: { 'x-a': ['1', '2'], 'X-B': '' } });
  deepEqual(response.json(), [['1, 2', null, true], ['x-a', 'x-b', 'x-new'], true, '1, 2']);
});

test('a response keeps what its maker says, and copies the bytes it is given', async () => {
  const bytes = Uint8Array.of(1, 2);
  const app: FetchApp = {
    fetch: async () => {
      const response = new Response(bytes, { status: 203, headers: [['x-a', ' b ']] });
      bytes[0] = 9;
      return response;
    },
  };
  const response = await inject(app);
  deepEqual([response.status, [...response.bytes()], response.fields['x-a']], [203, [1, 2], 'b']);
});

test('a response is what was said when it was made', async () => {
  const lines: [string, string][] = [['x-a', '1']];
  const headers = new Headers({ 'x-a': '1' });
  for (const fields of [{ 'x-a': '1' }, lines, headers]) {
    const app: FetchApp = {
      fetch: async ({ url }) => {
        const init = { status: 203, statusText: 'First', headers: fields };
        const response = new Response('a', init);
        Object.assign(init, { status: 500, statusText: 'Second', headers: { 'x-b': '2' } });
        if (fields === headers) headers.set('x-a', '2');
        else if (fields === lines) lines[0]![1] = '2';
        else Object.assign(fields, { 'x-a': '2' });
        if (!url.endsWith('/read')) return response;
        return Response.json([response.status, response.statusText, [...response.headers]]);
      },
    };
    const sent = await inject(app);
    deepEqual([sent.status, sent.fields['x-a'], sent.fields['x-b']], [203, '1', undefined]);
    headers.set('x-a', '1');
    lines[0]![1] = '1';
    Object.assign(fields, { 'x-a': '1' });
    const read = (await inject(app, { path: '/read' })).json();
    const type = ['content-type', 'text/plain;charset=UTF-8'];
    deepEqual(read, [203, 'First', [type, ['x-a', '1']]]);
  }
});

test('a response may have status and fields of another', async () => {
  const app: FetchApp = {
    fetch: ({ url }) => {
      const of = new Response(null, { status: 201, headers: { 'x-a': 'b' } });
      return url.endsWith('/json') ? Response.json({ a: 1 }, of) : new Response('text', of);
    },
  };
  for (const [path, text] of [
    ['/json', '{"a":1}'],
    ['/text', 'text'],
  ] as const) {
    const response = await inject(app, { path });
    deepEqual([response.status, response.fields['x-a'], response.text()], [201, 'b', text]);
  }
});

test('mistakes of the standard stay mistakes', () => {
  throws(() => new Response('x', { status: 204 }), TypeError);
  throws(() => new Response('x', { status: 1000 }), RangeError);
  throws(() => Response.json(undefined), TypeError);
});

test('a response is one of the standard, whoever made it', async () => {
  class Own extends Response {}
  ok(new Response('a') instanceof Response);
  ok(Response.redirect('http://a/') instanceof Response);
  ok(new Own('a') instanceof Own && new Own('a') instanceof Response);
  equal(new Response('a') instanceof Own, false);
  const app: FetchApp = { fetch: () => new Own('own', { headers: { 'x-own': '1' } }) };
  const response = await inject(app);
  deepEqual([response.text(), response.fields['x-own']], ['own', '1']);
});

test('what is no response, and what is thrown, is a 500', async () => {
  const apps: Fetch[] = [
    () => 'text' as unknown as Response,
    () => Promise.resolve(undefined as unknown as Response),
    () => {
      throw new Error('thrown on purpose');
    },
    () => Promise.reject(new Error('rejected on purpose')),
  ];
  for (const fetch of apps) equal((await inject({ fetch })).status, 500);
});

test('the answer to HEAD has no length that a GET would not have', async () => {
  const app: FetchApp = { fetch: () => new Response(null, { headers: { 'x-a': '1' } }) };
  const response = await inject(app, { method: 'HEAD' });
  equal(response.fields['content-length'], undefined);
  match(String(response.fields['x-a']), /1/);
});

test('the answer to HEAD has the length that the application says', async () => {
  const headers = { 'content-length': '1234' };
  for (const body of [null, new ReadableStream()]) {
    const app: FetchApp = { fetch: () => new Response(body, { headers }) };
    const { fields } = await inject(app, { method: 'HEAD' });
    equal(fields['content-length'], '1234');
    equal(fields['transfer-encoding'], undefined);
  }
});

test('a status without content has the same head for HEAD as for GET', async () => {
  const app: FetchApp = {
    fetch: ({ url }) => {
      const status = Number(new URL(url).pathname.slice(1));
      return new Response(null, { status, headers: { 'x-a': '1' } });
    },
  };
  // RFC 9110 sections 9.3.2, 15.3.5 and 15.3.6.
  for (const [status, length] of [
    [204, undefined],
    [205, '0'],
    [304, undefined],
  ] as const) {
    for (const method of ['GET', 'HEAD']) {
      const response = await inject(app, { method, path: `/${status}` });
      const { 'content-length': size, 'transfer-encoding': coding, 'x-a': field } = response.fields;
      deepEqual([response.status, size, coding, field], [status, length, undefined, '1']);
    }
  }
});

test('a stream of one piece that comes soon has its length; one that fails is 500', async () => {
  const piece = new TextEncoder().encode('piece');
  const afterTurns = (turns: number, isGood = true): ReadableStream<Uint8Array> =>
    new ReadableStream({
      async pull(controller) {
        for (let turn = 0; turn < turns; turn++) await undefined;
        if (!isGood) throw new Error('a source that fails on purpose');
        controller.enqueue(piece);
        controller.close();
      },
    });
  const through = (): ReadableStream<Uint8Array> =>
    afterTurns(0).pipeThrough(new TransformStream());
  for (const source of [() => afterTurns(0), () => afterTurns(3), through]) {
    const response = await inject({ fetch: () => new Response(source()) });
    deepEqual([response.text(), response.fields['content-length']], ['piece', '5']);
  }
  const failed = await inject({ fetch: () => new Response(afterTurns(3, false)) });
  equal(failed.status, 500);
});

test('what is kept never shows another request', async () => {
  let first: Request | undefined;
  const seen: unknown[] = [];
  const app: FetchApp = {
    fetch: (request) => {
      if (first === undefined) first = request;
      else {
        try {
          seen.push(first.headers.get('x-name'));
        } catch (error) {
          seen.push((error as Error).message);
        }
      }
      return new Response('now');
    },
  };
  for (const name of ['one', 'two', 'three']) await inject(app, { fields: { 'x-name': name } });
  const late = 'the request was used after its response had ended';
  deepEqual(seen, [late, late]);
});
