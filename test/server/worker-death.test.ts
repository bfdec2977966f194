// A worker that dies or hangs costs the task it runs, and nothing else: it is replaced, the queue
// waits, and what it held is released.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, test } from 'node:test';
import { HttpPeer, request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const ENGINE = new URL('../../src/index.ts', import.meta.url).href;
const APP = `
import { defineApp, delegate, handOff, onLoop } from '${ENGINE}';

const wait = new Int32Array(new SharedArrayBuffer(4));
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
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
    'GET /long': delegate('long'),
    'GET /brief': delegate('long', { input: () => 1 }),
    'GET /guest': handOff('guest'),
    'GET /both': delegate('both', { input: (request) => request.query.get('ends') }),
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
    long: async (task) => {
      await later(task.input ?? 1e6);
    },
    both: async (task) => {
      const ends = task.input;
      await null;
      if (ends === 'worker') process.exit(3);
      if (ends === null) await later(1e6);
    },
  },
  connections: {
    guest: onLoop(async (request, response) => {
      await later(request.query.has('brief') ? 1 : 1e6);
      response.end('guest');
    }),
  },
});
`;

const FOLDER = mkdtempSync(join(tmpdir(), 'millrace-test-'));
after(() => rmSync(FOLDER, { recursive: true }));
const PATH = join(FOLDER, 'app.ts');
writeFileSync(PATH, APP);
const ARGS = [PATH, '-A', '1', '-C', '100', '-w', '1'];
const patient = sharedServer(ARGS);
const strict = sharedServer([...ARGS, '--task-timeout', '1']);

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
  const server = patient();
  const before = deaths(server);
  for (let round = 1; round <= 3; round++) {
    equal(await ask(t, server, '/exit'), '500 500 Internal Server Error');
    equal(await ask(t, server, '/good'), '200 good');
    await diedTimes(server, before + round);
  }
});

test('an error behind a task costs the worker, and no request', async (t) => {
  const server = patient();
  const before = deaths(server);
  const from = server.program.stderr.length;
  equal(await ask(t, server, '/late'), '200 late');
  await diedTimes(server, before + 1);
  match(
    server.program.stderr.slice(from),
    /worker-0 died and is replaced: Error: thrown behind the task/,
  );
  equal(await ask(t, server, '/good'), '200 good');
});

test('the queue is kept when the only worker dies, and fast requests do not notice', async (t) => {
  const server = patient();
  const before = deaths(server);
  const exit = ask(t, server, '/exit');
  const queued = Array.from({ length: 20 }, () => ask(t, server, '/good'));
  for (let round = 0; round < 20; round++) equal(await ask(t, server, '/fast'), '200');
  equal(await exit, '500 500 Internal Server Error');
  deepEqual(await Promise.all(queued), new Array(20).fill('200 good'));
  await diedTimes(server, before + 1);
});

test('a task over its deadline: 504, and the worker that is stuck in it is replaced', async (t) => {
  const server = strict();
  const before = deaths(server);
  const late = await server.counter('tasksLate');
  const begin = performance.now();
  equal(await ask(t, server, '/hang'), '504 504 Gateway Timeout');
  ok(performance.now() - begin >= 1000);
  await diedTimes(server, before + 1);
  equal(await ask(t, server, '/good'), '200 good');
  equal(await server.counter('tasksLate'), late + 1);
});

test('a task that waits too long in the queue is late too, and is not run', async (t) => {
  const server = strict();
  const before = deaths(server);
  const hang = ask(t, server, '/hang');
  equal(await ask(t, server, '/good'), '504 504 Gateway Timeout');
  equal(await hang, '504 504 Gateway Timeout');
  await diedTimes(server, before + 1);
  equal(await ask(t, server, '/good'), '200 good');
});

test('a task is told when its client has gone', async (t) => {
  const server = patient();
  const before = deaths(server);
  const delegated = await server.counter('tasksDelegated');
  const peer = await HttpPeer.open(t, server.port);
  await peer.send(request('/patient'));
  await server.reportUntil(([accept]) => accept!.counters.tasksDelegated === delegated + 1);
  peer.reset();
  // The worker is free for this one only when the task before has noticed.
  equal(await ask(t, server, '/good'), '200 good');
  equal(deaths(server), before);
});

test('a task that ends every worker is refused for a while, others are not', async (t) => {
  const server = patient();
  const before = deaths(server);
  const refused = await server.counter('tasksRefused');
  const answers: string[] = [];
  while (answers.length < 7) {
    answers.push(await ask(t, server, '/exit2'));
    if (answers.at(-1)!.startsWith('500')) await diedTimes(server, before + answers.length);
  }
  deepEqual(
    answers.map((answer) => answer.slice(0, 3)),
    ['500', '500', '500', '500', '500', '503', '503'],
  );
  equal(await ask(t, server, '/good'), '200 good');
  equal(await server.counter('tasksRefused'), refused + 2);
});

for (const [target, name] of [
  ['/long', 'a task'],
  ['/guest', 'a guest'],
] as const) {
  test(`${name} that only shares the thread with one that ends it is not refused`, async (t) => {
    const server = await startServer(t, [...ARGS, '--task-deaths', '2']);
    const shared = target === '/long' ? 'tasksDelegated' : 'handedOff';
    for (let round = 1; round <= 2; round++) {
      const others = await Promise.all(
        Array.from({ length: 3 }, () => HttpPeer.open(t, server.port)),
      );
      for (const peer of others) await peer.send(request(target));
      await server.reportUntil((threads) => sumOf(threads, shared) >= 3 * round);
      equal(await ask(t, server, '/exit'), '500 500 Internal Server Error');
      await diedTimes(server, round);
    }
    const refused = 'task "exit" ended 2 workers';
    await server.program.output(({ stderr }) => stderr.includes(refused) || undefined);
    equal((await ask(t, server, '/exit')).slice(0, 3), '503');
    const brief = target === '/long' ? '/brief' : '/guest?brief';
    equal((await ask(t, server, brief)).slice(0, 3), '200');
  });
}

test('several tasks of one name that share a thread are one death of it', async (t) => {
  const server = await startServer(t, [...ARGS, '--task-deaths', '2']);
  const others = await Promise.all(Array.from({ length: 3 }, () => HttpPeer.open(t, server.port)));
  for (const peer of others) await peer.send(request('/both'));
  await server.reportUntil((threads) => sumOf(threads, 'tasksDelegated') === 3);
  equal(await ask(t, server, '/both?ends=worker'), '500 500 Internal Server Error');
  for (const peer of others) equal((await peer.response()).status, 500);
  await diedTimes(server, 1);
  equal((await ask(t, server, '/both?ends=soon')).slice(0, 3), '200');
});

// Its own: what others have left would be released meanwhile.
test('what a dead worker held is released: descriptors and mapped memory', async (t) => {
  const server = await startServer(t, ARGS);
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
  equal(await server.stop(), 0);
});
