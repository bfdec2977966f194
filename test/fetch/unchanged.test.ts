// Applications of two frameworks answer the same requests in the same way on Millrace and on the
// server that is usual for them.

import { deepEqual, ok } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { addressOf, Program, startServer } from '../support/server-process.ts';

const USUAL = fileURLToPath(new URL('./usual-server.ts', import.meta.url));

type Ask = [method: string, target: string, init?: RequestInit];

const FORM = new FormData();
FORM.set('name', 'value');
FORM.set('file', new Blob(['content'], { type: 'text/plain' }), 'name.txt');
const BIG = 'grüße '.repeat(20_000);

const HONO: readonly Ask[] = [
  ['GET', '/'],
  ['HEAD', '/'],
  ['GET', '/url?q=1&q=2&r=%20x'],
  ['GET', '/a/../url'],
  ['GET', '/%E2%82%AC?%27'],
  ['GET', '/private/page'],
  ['GET', '/private/page', { headers: { authorization: `Basic ${btoa('a:b')}` } }],
  ['GET', '/etag'],
  ['GET', '/etag', { headers: { 'if-none-match': '"not this one"' } }],
  ['GET', '/cors', { headers: { origin: 'http://other' } }],
  ['OPTIONS', '/cors', { headers: { origin: 'http://o', 'access-control-request-method': 'PUT' } }],
  ['GET', '/secure'],
  ['GET', '/after/response'],
  ['GET', '/headers', { headers: { 'x-one': '1', accept: 'text/*', 'accept-language': 'de' } }],
  ['GET', '/cookies', { headers: { cookie: 'a=1; b=2' } }],
  ['GET', '/redirect', { redirect: 'manual' }],
  ['GET', '/json'],
  ['GET', '/json?pretty'],
  ['GET', '/static-json'],
  ['GET', '/empty'],
  ['GET', '/bytes'],
  ['GET', '/error'],
  ['GET', '/stream'],
  ['HEAD', '/stream'],
  ['GET', '/events'],
  ['POST', '/text', { body: 'text' }],
  ['POST', '/text', { body: BIG }],
  ['POST', '/text', { body: '' }],
  ['POST', '/json', { body: '{"a":[1,2]}' }],
  ['POST', '/json', { body: '{broken' }],
  ['POST', '/form', { body: new URLSearchParams({ a: '1', b: 'ü' }) }],
  ['POST', '/form', { body: FORM }],
  ['POST', '/buffer', { body: BIG }],
  ['POST', '/blob', { body: 'blob' }],
  ['POST', '/limited', { body: 'short' }],
  ['POST', '/limited', { body: 'longer than ten' }],
  ['POST', '/through', { body: BIG }],
  ['POST', '/clone', { body: 'twice ' }],
  ['POST', '/request', { body: 'x', headers: { 'content-type': 'a/b' } }],
  ['GET', '/response'],
  ['GET', '/books'],
  ['GET', '/books/7'],
  ['PATCH', '/books/7/pages', { body: 'x' }],
  ['DELETE', '/books/7/pages'],
  ['GET', '/mounted/inside?x'],
  ['GET', '/nothing'],
];

const ITTY: readonly Ask[] = [
  ['GET', '/hello/you'],
  ['GET', '/json'],
  ['GET', '/promise'],
  ['GET', '/html'],
  ['GET', '/query?a=1&a=2&b=3'],
  ['GET', '/teapot'],
  ['GET', '/none'],
  ['GET', '/broken'],
  ['GET', '/fields', { headers: { 'x-one': '1' } }],
  ['POST', '/content', { body: '{"a":1}', headers: { 'content-type': 'application/json' } }],
  ['POST', '/content', { body: 'text', headers: { 'content-type': 'text/plain' } }],
  ['OPTIONS', '/json', { headers: { origin: 'http://other' } }],
  ['GET', '/nothing'],
];

/** What a server says about itself, the connection and the length, which no client may rely on. */
const OF_THE_SERVER = ['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'];

async function ask(url: string, [method, target, init]: Ask): Promise<unknown> {
  const response = await fetch(url + target, { method, ...init });
  const bytes = Buffer.from(await response.arrayBuffer());
  const fields = [...response.headers].filter(([name]) => !OF_THE_SERVER.includes(name));
  const host = url.slice('http://'.length);
  return {
    status: response.status,
    // The case of "utf-8" in a type, and a space before it, mean nothing: RFC 9110 section 8.3.
    fields: fields.map(([name, value]) => [name, value.toLowerCase().replaceAll('; ', ';')]),
    body: bytes.toString('latin1').replaceAll(host, 'HOST'),
  };
}

for (const [name, asks] of [
  ['hono', HONO],
  ['itty', ITTY],
] as const) {
  const app = fileURLToPath(new URL(`./${name}-app.ts`, import.meta.url));
  let ours = '';
  let usual = '';
  const ends: (() => Promise<void>)[] = [];
  const scope = { after: (end: () => Promise<void>): void => void ends.push(end) };
  before(async () => {
    ours = (await startServer(scope, [app, '-A', '1', '-w', '1', '-C', '100'])).url;
    const program = new Program(scope, [USUAL, app], { command: process.execPath });
    const line = await program.output(({ stdout }) => /^.*http:\/\/.*\n/m.exec(stdout)?.[0]);
    usual = addressOf(line).url;
  });
  after(() => Promise.all(ends.map((end) => end())));

  for (const each of asks) {
    test(`${name}: ${each[0]} ${each[1]} ${String(each[2]?.body ?? '').slice(0, 15)}`, async () => {
      const [ourAnswer, usualAnswer] = [await ask(ours, each), await ask(usual, each)];
      deepEqual(ourAnswer, usualAnswer);
    });
  }

  test(`${name}: the applications do more than refuse`, async () => {
    const answers = await Promise.all(asks.map((each) => ask(ours, each)));
    const good = answers.filter((each) => (each as { status: number }).status < 400);
    ok(good.length > asks.length / 2);
  });
}
