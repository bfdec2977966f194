// SIGTERM and SIGINT: what was asked is answered, nothing is reset, and the exit code is 0.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import {
  bindListeners,
  closeListeners,
  refuseNewConnections,
  startListening,
} from '../../src/io/listener.ts';
import type { HttpResponse } from '../support/http-peer.ts';
import { FAST, FAST_AND_CLOSE, HttpPeer, SLOW } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startServer } from '../support/server-process.ts';

const ARGS = ['-A', '2', '-w', '1', '-C', '1000'];

// Undefined when the server lets nobody in any more. A connection that is reset throws.
async function openUnlessRefused(t: TestContext, port: number): Promise<HttpPeer | undefined> {
  try {
    return await HttpPeer.open(t, port);
  } catch (error) {
    equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    return undefined;
  }
}

function announcesClose({ fields }: HttpResponse): boolean {
  return fields.get('connection') === 'close';
}

// Asks until the server says that it ends; every request must have its response. Answers how many.
async function keepAlive(t: TestContext, port: number, bytes: string): Promise<number> {
  const peer = await HttpPeer.open(t, port);
  for (let asked = 1; ; asked++) {
    const response = await peer.ask(bytes);
    equal(response.status, 200);
    if (!announcesClose(response)) continue;
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    peer.close();
    return asked;
  }
}

// Asks on a new connection each time, until there is none; every request must have its response.
async function connectionEach(t: TestContext, server: ServerProcess, bytes: string) {
  // The server leaves a handshake unanswered when it ends, and a client tries again for seconds.
  const ended = server.program.exited.then(() => undefined);
  for (let asked = 0; ; asked++) {
    const peer = await Promise.race([openUnlessRefused(t, server.port), ended]);
    if (peer === undefined) return asked;
    const response = await peer.ask(bytes);
    equal(response.status, 200);
    if (announcesClose(response)) deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    peer.close();
  }
}

async function underLoad(server: ServerProcess): Promise<void> {
  await server.reportUntil((accepts) => accepts.every(({ counters }) => counters.requests! > 300));
}

// Whether this user can make a socket ignore new connections: docs/decisions/0007-drain.md.
function canRefuse(): boolean {
  const listeners = bindListeners('127.0.0.1', 0, 1);
  const { fds } = listeners;
  startListening(listeners);
  const refuses = refuseNewConnections(fds[0]!);
  closeListeners(listeners);
  return refuses;
}
const skip = !canRefuse() && 'the system refuses socket filters to this user';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} under load answers every request`, { skip }, async (t) => {
    const server = await startServer(t, [...ARGS, '-w', '2', '-D', '50']);
    const { port } = server;
    const clients = [
      ...Array.from({ length: 10 }, () => keepAlive(t, port, FAST)),
      ...Array.from({ length: 6 }, () => keepAlive(t, port, SLOW)),
      ...Array.from({ length: 6 }, () => connectionEach(t, server, FAST)),
      ...Array.from({ length: 4 }, () => connectionEach(t, server, FAST_AND_CLOSE)),
      ...Array.from({ length: 4 }, () => connectionEach(t, server, SLOW)),
    ];
    const idle = await HttpPeer.open(t, port);
    const idleEnded = idle.rest().finally(() => idle.close());
    await Promise.race([underLoad(server), Promise.all(clients)]);
    const exit = server.stop(signal);
    const asked = await Promise.all(clients);
    ok(asked.every((count) => count > 0));
    deepEqual(await idleEnded, { by: 'end', bytes: '' });
    equal(await exit, 0);
  });
}

test('every task that was asked for before SIGTERM is answered', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1', '-C', '100', '-D', '10']);
  const peers: HttpPeer[] = [];
  while (peers.length < 40) peers.push(await HttpPeer.open(t, server.port));
  await Promise.all(peers.map((peer) => peer.send(SLOW)));
  await server.reportUntil(([accept]) => accept!.counters.tasksDelegated === 40);
  const exit = server.stop();
  for (const peer of peers) {
    equal((await peer.response()).status, 200);
    deepEqual(await peer.rest(), { by: 'end', bytes: '' });
    peer.close();
  }
  equal(await exit, 0);
});

test('a client that pipelines is told where its answers end', async (t) => {
  const server = await startServer(t, ARGS);
  const exits = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const peer = await HttpPeer.open(t, server.port);
      // Two batches are on their way at any time, so there are always requests behind the last one.
      await peer.send(FAST.repeat(16));
      for (;;) {
        await peer.send(FAST.repeat(16));
        const responses: HttpResponse[] = [];
        while (responses.length < 16 && !responses.some(announcesClose)) {
          responses.push(await peer.response());
        }
        ok(responses.every(({ status }) => status === 200));
        if (responses.some(announcesClose)) {
          const exit = await peer.rest();
          peer.close();
          return exit;
        }
        if (index === 0 && server.program.child.killed === false) void server.stop();
      }
    }),
  );
  for (const exit of exits) deepEqual(exit, { by: 'end', bytes: '' });
  equal((await server.program.exited).code, 0);
});

test('an idle server ends at once', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const server = await startServer(t, ARGS);
    const begin = performance.now();
    equal(await server.stop(signal), 0);
    const elapsedMs = performance.now() - begin;
    ok(elapsedMs < 2000, `${signal}: ${elapsedMs} ms`);
  }
});

test('silent connections do not hold the end up', async (t) => {
  const server = await startServer(t, ARGS);
  const peers = await Promise.all(Array.from({ length: 30 }, () => HttpPeer.open(t, server.port)));
  for (const peer of peers.slice(10)) equal((await peer.ask(FAST)).status, 200);
  const begin = performance.now();
  const exit = server.stop();
  // A peer that hears of the end ends its own side.
  await Promise.all(
    peers.map(async (peer) => {
      deepEqual(await peer.rest(), { by: 'end', bytes: '' });
      peer.close();
    }),
  );
  equal(await exit, 0);
  const elapsedMs = performance.now() - begin;
  ok(elapsedMs < 3000, `${elapsedMs} ms`);
});

// Asks until the server says that it ends.
async function drainBegins(peer: HttpPeer): Promise<void> {
  while (!announcesClose(await peer.ask(FAST)));
}

test('a second signal ends at once', async (t) => {
  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const server = await startServer(t, ['-A', '1', '-w', '1', '-C', '100', '-D', '60000']);
    const peer = await HttpPeer.open(t, server.port);
    const other = await HttpPeer.open(t, server.port);
    await peer.send(SLOW);
    await other.ask(FAST);
    const begin = performance.now();
    server.program.child.kill(first);
    await drainBegins(other);
    equal(await server.stop(second), 1);
    const elapsedMs = performance.now() - begin;
    ok(elapsedMs < 5000, `${elapsedMs} ms`);
  }
});

// With --verbose there is a report, and a busy worker is late to tell of its heap.
test('a busy worker does not put the drain off', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1', '-C', '100', '-D', '800', '-v']);
  const peer = await HttpPeer.open(t, server.port);
  const other = await HttpPeer.open(t, server.port);
  await peer.send(SLOW);
  await other.ask(FAST);
  const exit = server.stop();
  await drainBegins(other);
  other.close();
  equal(peer.hasBytes, false, 'the drain begins while the worker is busy');
  equal((await peer.response()).status, 200);
  peer.close();
  equal(await exit, 0);
});

// RFC 9112 section 9.6: a server that closes reads on, or the reset takes its last responses away.
test('a client that pipelines while the server drains reads what was answered', async (t) => {
  const server = await startServer(t, ['-A', '1', '-w', '1', '-C', '100']);
  const others: HttpPeer[] = [];
  while (others.length < 8) others.push(await HttpPeer.open(t, server.port));
  // It asks again before it has read: what is in flight is lost when the server resets.
  const peer = await HttpPeer.open(t, server.port, { paused: true });
  await peer.send(FAST);
  for (const other of others) await other.ask(FAST);
  const exit = server.stop();
  await drainBegins(others.shift()!);
  for (const other of others) {
    await peer.send(FAST).catch(() => {});
    // It has its answer after what was sent before has reached the server.
    await other.ask(FAST);
    other.close();
  }
  peer.resume();
  equal(announcesClose(await peer.response()), false);
  equal(announcesClose(await peer.response()), true);
  deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  peer.close();
  equal(await exit, 0);
});
