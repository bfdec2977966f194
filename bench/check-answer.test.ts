// What wrk sends is what is checked, and what the servers answer is what the scenario says.

import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { checkAnswer } from './check-answer.ts';
import { CC, hasTool, missingLine, NGINX_TOOL, type Tool, WRK } from './machine.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { compileResponder, EPOLL, NGINX, serverTable, startServer } from './servers.ts';
import { BROWSER_FIELDS, UPLOAD_SIZE } from './targets.ts';
import { runWrk } from './wrk.ts';

const TOOLS: Readonly<Record<string, Tool>> = { [EPOLL]: CC, [NGINX]: NGINX_TOOL };

function scenario(name: string): Scenario {
  return SCENARIOS.find((entry) => entry.name === name)!;
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const server = createServer(listener).listen(0, '127.0.0.1', resolve);
  await listening;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// The rows are as users get them, but not pinned.
for (const row of serverTable(undefined)) {
  test(`${row.name} answers its scenarios`, { timeout: 60_000 }, async (t) => {
    const tool = TOOLS[row.name];
    if (tool !== undefined && !hasTool(tool)) return t.skip(missingLine(tool));
    if (row.name === EPOLL) compileResponder();
    const { origin, stop, checkRuns } = await startServer(row, undefined);
    t.after(stop);
    const able = SCENARIOS.filter(({ servers }) => servers.includes(row.name));
    for (const entry of able) await checkAnswer(origin, entry);
    checkRuns();
    const larger = { ...scenario('keep-alive'), target: able[0]!.target, responseSize: 1 };
    await rejects(checkAnswer(origin, larger), /it answers 200 with \d+ bytes/);
  });
}

test('a wrong size and a wrong status are refused', async (t) => {
  const origin = await serve(t, (request, response) => {
    response.statusCode = request.url === '/missing' ? 404 : 200;
    response.end('four');
  });
  const four = { ...scenario('keep-alive'), responseSize: 4 };
  await checkAnswer(origin, four);
  await rejects(checkAnswer(origin, scenario('keep-alive')), /it answers 200 with 4 bytes/);
  await rejects(checkAnswer(origin, scenario('10k')), /it answers 200 with 4 bytes/);
  await rejects(checkAnswer(origin, { ...four, target: '/missing' }), /it answers 404/);
});

// A second of load: the first request of it.
async function firstOfLoad(t: TestContext, name: string) {
  const first = Promise.withResolvers<{ request: IncomingMessage; size: number }>();
  const origin = await serve(t, (request, response) => {
    let size = 0;
    request.on('data', (piece: Buffer) => {
      size += piece.length;
    });
    request.on('end', () => {
      first.resolve({ request, size });
      response.end();
    });
  });
  const load = { origin, scenario: scenario(name), seconds: 1, cpu: undefined };
  const { non2xx, requests } = await runWrk(load);
  equal(non2xx, 0);
  equal(requests > 0, true);
  return first.promise;
}

test('wrk sends what a browser sends', { timeout: 30_000 }, async (t) => {
  if (!hasTool(WRK)) return t.skip(missingLine(WRK));
  const { request } = await firstOfLoad(t, 'browser');
  match(request.url!, /^\/articles\/latest\?page=2/);
  const sent = request.rawHeaders.flatMap((name, at, all) =>
    at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : [],
  );
  // wrk keeps fields in a table without an order.
  deepEqual(sent.sort(), BROWSER_FIELDS.map(([name, value]) => `${name}: ${value}`).sort());
});

test('wrk uploads 64 KiB', { timeout: 30_000 }, async (t) => {
  if (!hasTool(WRK)) return t.skip(missingLine(WRK));
  const { request, size } = await firstOfLoad(t, 'upload');
  deepEqual([request.method, request.url, size], ['POST', '/upload', UPLOAD_SIZE]);
});
