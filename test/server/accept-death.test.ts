// An accept thread that dies costs its connections, and nothing else: it is replaced, the listener
// stays, tasks and connections that workers have come back to nobody, and nothing is left of them.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, test } from 'node:test';
import { HttpPeer, request } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const ENGINE = new URL('../../src/index.ts', import.meta.url).href;
const APP = `
import { existsSync } from 'node:fs';
import { defineApp, delegate, handOff, onLoop } from '${ENGINE}';

if (existsSync(process.env.BROKEN ?? '')) throw new Error('broken meanwhile');
const wait = new Int32Array(new SharedArrayBuffer(4));
export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast'),
    'GET /die': (_request, response) => {
      setImmediate(() => {
        throw new Error('nobody catches this');
      });
      response.end();
    },
    'GET /exit': () => process.exit(3),
    'GET /slow': delegate('slow'),
    'GET /quick': delegate('quick'),
    'GET /kept': handOff('kept'),
  },
  tasks: {
    slow: (task) => {
      while (!task.cancelled) Atomics.wait(wait, 0, 0, 5);
      return 'slow';
    },
    quick: () => 'quick',
  },
  connections: {
    kept: onLoop((_request, response) => response.end('kept'), { keep: true }),
  },
});
`;

const FOLDER = mkdtempSync(join(tmpdir(), 'millrace-test-'));
after(() => rmSync(FOLDER, { recursive: true }));
const PATH = join(FOLDER, 'app.ts');
writeFileSync(PATH, APP);
const ARGS = [PATH, '-A', '1', '-C', '100'];
const shared = sharedServer([...ARGS, '-w', '1']);

function deaths({ program }: ServerProcess): number {
  return program.stderr.match(/accept-0 died and is replaced/g)?.length ?? 0;
}

async function replaced(server: ServerProcess, times: number): Promise<void> {
  await server.program.output(() => (deaths(server) >= times ? true : undefined));
}

async function ask(t: TestContext, server: ServerProcess, target: string): Promise<string> {
  const peer = await HttpPeer.open(t, server.port);
  const { status, body } = await peer.ask(request(target));
  peer.close();
  return `${status} ${body}`;
}

for (const target of ['/die', '/exit']) {
  test(`${target}: connections end, and new ones are served by the replacement`, async (t) => {
    const server = shared();
    const before = deaths(server);
    const others = await Promise.all([1, 2, 3].map(() => HttpPeer.open(t, server.port)));
    for (const other of others) equal((await other.ask(request('/fast'))).body, 'fast');
    const fatal = await HttpPeer.open(t, server.port);
    await fatal.send(request(target));
    for (const other of others) ok(['end', 'ECONNRESET'].includes(await other.ended));
    await replaced(server, before + 1);
    equal(await ask(t, server, '/fast'), '200 fast');
    equal(await ask(t, server, '/quick'), '200 "quick"');
    if (target === '/die') {
      await server.program.output(({ stderr }) => /nobody catches this/.exec(stderr)?.[0]);
    }
    // Those of the dead thread are not counted.
    await server.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
  });
}

test('one that dies again and again is replaced, and no descriptor is left', async (t) => {
  // Its own: what others have left would be released meanwhile.
  const server = await startServer(t, [...ARGS, '-w', '1']);
  equal(await ask(t, server, '/fast'), '200 fast');
  const descriptors: number[] = [];
  for (let round = 1; round <= 6; round++) {
    const peers = await Promise.all(
      Array.from({ length: 10 }, () => HttpPeer.open(t, server.port)),
    );
    await peers[0]!.send(request('/die'));
    for (const peer of peers) await peer.ended;
    for (const peer of peers) peer.close();
    await replaced(server, round);
    equal(await ask(t, server, '/fast'), '200 fast');
    descriptors.push(server.descriptors());
  }
  // The descriptors of the last connections may still be open, and those of a dead ring.
  ok(Math.abs(descriptors[5]! - descriptors[1]!) <= 5, String(descriptors));
  equal(await server.stop(), 0);
});

test('what workers have for it comes back to nobody', async (t) => {
  const server = shared();
  const before = deaths(server);
  const kept = await HttpPeer.open(t, server.port);
  equal((await kept.ask(request('/kept'))).body, 'kept');
  const handedOff = await server.counter('handedOff');
  const slow = await HttpPeer.open(t, server.port);
  await slow.send(request('/slow'));
  const queued = await HttpPeer.open(t, server.port);
  await queued.send(request('/quick'));
  const away = await HttpPeer.open(t, server.port);
  await away.send(request('/kept'));
  await server.reportUntil((accepts) => sumOf(accepts, 'handedOff') === handedOff + 1);
  const fatal = await HttpPeer.open(t, server.port);
  await fatal.send(request('/die'));
  for (const peer of [slow, queued, away]) ok(['end', 'ECONNRESET'].includes(await peer.ended));
  await replaced(server, before + 1);
  // The worker has stopped its task, and goes on with the next.
  equal(await ask(t, server, '/quick'), '200 "quick"');
  // One that a worker has is served on there, and closed when it comes home.
  equal((await kept.ask(request('/kept'))).body, 'kept');
  await kept.send(request('/fast'));
  ok(['end', 'ECONNRESET'].includes(await kept.ended));
  equal(await ask(t, server, '/kept'), '200 kept');
});

test('another accept thread does not notice', async (t) => {
  const server = await startServer(t, [...ARGS, '-A', '2', '-w', '1']);
  const peers = await Promise.all(Array.from({ length: 20 }, () => HttpPeer.open(t, server.port)));
  await Promise.all(peers.map((peer) => peer.ask(request('/fast'))));
  await peers[0]!.send(request('/die'));
  await peers[0]!.ended;
  await server.program.output(({ stderr }) => /died and is replaced/.exec(stderr)?.[0]);
  const outcomes = await Promise.all(
    peers.slice(1).map((peer) =>
      peer.ask(request('/fast')).then(
        ({ body }) => body,
        () => 'ended',
      ),
    ),
  );
  deepEqual([...new Set(outcomes)].toSorted(), ['ended', 'fast']);
});

test('one that cannot be replaced ends the server, with the error and exit code 1', async (t) => {
  const env = { BROKEN: join(FOLDER, 'broken') };
  const server = await startServer(t, [...ARGS, '-w', '0'], { env });
  equal(await ask(t, server, '/fast'), '200 fast');
  writeFileSync(env.BROKEN, '');
  const fatal = await HttpPeer.open(t, server.port);
  await fatal.send(request('/die'));
  const { code, stderr } = await server.program.exited;
  equal(code, 1);
  match(stderr, /broken meanwhile/);
});
