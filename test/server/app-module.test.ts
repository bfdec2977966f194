// An application of a user's: its mistakes cost the request they happen in.

import { deepEqual, equal } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const SMALL = ['-A', '1', '-C', '100'];
const ENGINE = new URL('../../src/index.ts', import.meta.url).href;

const APP = `
import { defineApp, delegate } from '${ENGINE}';

const wait = new Int32Array(new SharedArrayBuffer(4));
export default defineApp({
  routes: {
    'GET /text': (_request, response) => response.end('grüße\\n'),
    'GET /bytes': (_request, response) => response.end(Uint8Array.of(1, 2, 3)),
    'GET /status': (_request, response) => response.end('made', 201),
    'GET /nothing': (_request, response) => response.end(undefined, 204),
    'GET /echo': ({ method, target, path }, response) =>
      response.end(\`\${method} \${target} \${path}\`),
    'POST /text': (_request, response) => response.end('posted'),
    'GET /long': (_request, response) => response.end('x'.repeat(7000)),
    'GET /throws': () => {
      throw new Error('a mistake in a handler');
    },
    'GET /twice': (_request, response) => {
      response.end();
      response.end();
    },
    'GET /bad-status': (_request, response) => response.end('', 99),
    'GET /large': (_request, response) => response.end('x'.repeat(1_000_000)),
    'GET /task': delegate('fine'),
    'GET /task/throws': delegate('throws'),
  },
  tasks: {
    fine: () => {
      Atomics.wait(wait, 0, 0, 5);
    },
    throws: () => {
      throw new Error('a mistake in a task');
    },
  },
});
`;

const FOLDER = mkdtempSync(join(tmpdir(), 'millrace-test-'));
after(() => rmSync(FOLDER, { recursive: true }));
const PATH = join(FOLDER, 'app.ts');
writeFileSync(PATH, APP);

const servers = {
  0: sharedServer([PATH, ...SMALL, '-w', '0']),
  1: sharedServer([PATH, ...SMALL, '-w', '1']),
};

test('handlers answer with text, bytes and a status', async (t) => {
  const peer = await HttpPeer.open(t, servers[0]().port);
  const text = await peer.ask(request('/text'));
  equal(Buffer.from(text.body, 'latin1').toString(), 'grüße\n');
  equal(text.fields.get('content-type'), 'text/plain; charset=utf-8');
  equal(text.fields.get('content-length'), '8');
  const bytes = await peer.ask(request('/bytes'));
  equal(bytes.body, '\x01\x02\x03');
  equal(bytes.fields.get('content-type'), 'application/octet-stream');
  const status = await peer.ask(request('/status'));
  deepEqual([status.status, status.body], [201, 'made']);
  const nothing = await peer.ask(request('/nothing'));
  deepEqual([nothing.status, nothing.fields.has('content-length')], [204, false]);
  equal((await peer.ask(request('/echo?q=1'))).body, 'GET /echo?q=1 /echo');
  equal((await peer.ask(request('/text', 'POST'))).body, 'posted');
  const head = await peer.ask(request('/text', 'HEAD'), 'HEAD');
  equal(head.fields.get('content-length'), '8');
  equal((await peer.ask(request('/text', 'PUT'))).fields.get('allow'), 'GET, HEAD, POST');
  equal((await peer.ask(request('/large'))).body.length, 1_000_000);
  // More than a send block holds, in one batch.
  await peer.send(request('/long').repeat(50));
  for (const { body } of await peer.responses(50)) equal(body.length, 7000);
  equal((await peer.ask(request('/large'))).body, 'x'.repeat(1_000_000));
});

for (const workers of [0, 1] as const) {
  test(`a mistake costs its request only, with ${workers} workers`, async (t) => {
    const server = servers[workers]();
    const peer = await HttpPeer.open(t, server.port);
    const mistakes = ['throws', 'twice', 'bad-status', 'task/throws'];
    for (const path of mistakes) {
      equal((await peer.ask(request(`/${path}`))).status, 500, path);
      equal((await peer.ask(request('/status'))).status, 201, 'the connection goes on');
      equal((await peer.ask(request('/task'))).status, 200, 'the workers go on');
    }
    await peer.send(mistakes.map((path) => request(`/${path}`)).join(''));
    for (const { status } of await peer.responses(mistakes.length)) equal(status, 500);
    const head = await peer.ask(request('/throws', 'HEAD'), 'HEAD');
    deepEqual([head.status, peer.hasBytes], [500, false]);
    await server.program.output(({ stderr }) => /a mistake in a handler/.exec(stderr) ?? undefined);
    await server.program.output(({ stderr }) => /a mistake in a task/.exec(stderr) ?? undefined);
  });
}
