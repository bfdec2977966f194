// A worker that dies or hangs costs the task it runs, and nothing else: it is replaced, the queue
// waits, and what it held is released.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { HttpPeer, request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startServer } from '../support/server-process.ts';

const ENGINE = new URL('../../src/index.ts', import.meta.url).href;
const APP = `
import { defineApp, delegate } from '${ENGINE}';

const wait = new Int32Array(new SharedArrayBuffer(4));
export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /good': delegate('good'),
    'GET /slow': delegate('slow'),
    'GET /exit': delegate('exit'),
    'GET /exit2': delegate('exit2'),
    'GET /late': delegate('late'),
    'GET /hang': delegate('hang'),
    'GET /patient': delegate('patient'),
  },
  tasks: {
    good: (task) => task.end('good'),
    slow: (task) => {
      Atomics.wait(wait, 0, 0, 200);
      task.end('slow');
    },
    exit: () => process.exit(3),
    exit2: () => process.exit(3),
    late: (task) => {
      setImmediate(() => {
        throw new Error('thrown behind the task');
      });
      task.end('late');
    },
    hang: () => {
      for (;;);
    },
    patient: (task) => {
      while (!task.cancelled) Atomics.wait(wait, 0, 0, 5);
    },
  },
});
`;

function start(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.ts');
  writeFileSync(path, APP);
  return startServer(t, [path, '-A', '1', '-C', '100', ...args]);
}

async function ask(t: TestContext, { port }: ServerProcess, target: string): Promise<string> {
  const peer = await HttpPeer.open(t, port);
  const { status, body } = await peer.ask(request(target));
  peer.close();
  return `${status} ${body}`.trim();
}

function deaths({ program }: ServerProcess): number {
  return program.stderr.split('died and is replaced').length - 1;
}

/** Deaths are noticed by the main thread, which then writes a line. */
function diedTimes(server: ServerProcess, count: number): Promise<true> {
  return server.program.output(() => (deaths(server) >= count ? true : undefined));
}

test('a task that ends its worker is 500, the next one is run by a new worker', async (t) => {
  const server = await start(t, '-w', '1');
  for (let round = 1; round <= 3; round++) {
    equal(await ask(t, server, '/exit'), '500 500 Internal Server Error');
    equal(await ask(t, server, '/good'), '200 good');
    await diedTimes(server, round);
  }
  equal(await server.stop(), 0);
});

test('an error behind a task costs the worker, and no request', async (t) => {
  const server = await start(t, '-w', '1');
  equal(await ask(t, server, '/late'), '200 late');
  await diedTimes(server, 1);
  match(server.program.stderr, /worker-0 died and is replaced: Error: thrown behind the task/);
  equal(await ask(t, server, '/good'), '200 good');
});

test('the queue is kept when the only worker dies, and fast requests do not notice', async (t) => {
  const server = await start(t, '-w', '1');
  const exit = ask(t, server, '/exit');
  const queued = Array.from({ length: 20 }, () => ask(t, server, '/good'));
  for (let round = 0; round < 20; round++) equal(await ask(t, server, '/fast'), '200');
  equal(await exit, '500 500 Internal Server Error');
  deepEqual(await Promise.all(queued), new Array(20).fill('200 good'));
});

test('a task over its deadline: 504, and the worker that is stuck in it is replaced', async (t) => {
  const server = await start(t, '-w', '1', '--task-timeout', '1');
  const begin = performance.now();
  equal(await ask(t, server, '/hang'), '504 504 Gateway Timeout');
  ok(performance.now() - begin >= 1000);
  await diedTimes(server, 1);
  equal(await ask(t, server, '/good'), '200 good');
  equal(await server.counter('tasksLate'), 1);
});

test('a task that waits too long in the queue is late too, and is not run', async (t) => {
  const server = await start(t, '-w', '1', '--task-timeout', '1');
  const hang = ask(t, server, '/hang');
  equal(await ask(t, server, '/good'), '504 504 Gateway Timeout');
  equal(await hang, '504 504 Gateway Timeout');
  await diedTimes(server, 1);
  equal(await ask(t, server, '/good'), '200 good');
});

test('a task is told when its client has gone', async (t) => {
  const server = await start(t, '-w', '1');
  const peer = await HttpPeer.open(t, server.port);
  await peer.send(request('/patient'));
  await server.reportUntil(([accept]) => accept!.counters.tasksDelegated === 1);
  peer.reset();
  // The worker is free for this one only when the task before has noticed.
  equal(await ask(t, server, '/good'), '200 good');
  equal(deaths(server), 0);
});

test('a task that ends every worker is refused for a while, others are not', async (t) => {
  const server = await start(t, '-w', '1');
  const answers: string[] = [];
  while (answers.length < 7) {
    answers.push(await ask(t, server, '/exit2'));
    if (answers.at(-1)!.startsWith('500')) await diedTimes(server, answers.length);
  }
  deepEqual(
    answers.map((answer) => answer.slice(0, 3)),
    ['500', '500', '500', '500', '500', '503', '503'],
  );
  equal(await ask(t, server, '/good'), '200 good');
  equal(await server.counter('tasksRefused'), 2);
});

test('what a dead worker held is released: descriptors and mapped memory', async (t) => {
  const server = await start(t, '-w', '1');
  const mappings = (): number =>
    readFileSync(`/proc/${server.pid}/maps`, 'utf8').split('io_uring').length;
  await ask(t, server, '/late');
  await diedTimes(server, 1);
  equal(await ask(t, server, '/good'), '200 good');
  const before = { descriptors: server.descriptors(), mappings: mappings() };
  for (let round = 2; round <= 6; round++) {
    equal(await ask(t, server, '/late'), '200 late');
    await diedTimes(server, round);
    equal(await ask(t, server, '/good'), '200 good');
  }
  ok(server.descriptors() <= before.descriptors + 1, `${server.descriptors()} descriptors`);
  // The rings of the last second may still be mapped.
  ok(mappings() <= before.mappings + 12, `${mappings()} mappings of rings`);
});
