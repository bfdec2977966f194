// Tasks: workers take them in the order they were asked for, nothing else waits for them, and
// whatever their client does meanwhile, nothing is left of them.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { HttpResponse } from '../support/http-peer.ts';
import { FAST, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const GONE = request('/gone');

const server = sharedServer(['-A', '1', '-w', '1', '-D', '100']);
const quick = sharedServer(['-A', '1', '-w', '1', '-D', '5', '-C', '1000']);

function statusesOf(responses: readonly HttpResponse[]): number[] {
  return responses.map(({ status }) => status);
}

test('four workers serve many slow requests at once', async (t) => {
  const own = await startServer(t, ['-A', '1', '-w', '4', '-D', '60']);
  const peers = await Promise.all(Array.from({ length: 40 }, () => HttpPeer.open(t, own.port)));
  const begin = performance.now();
  const responses = await Promise.all(peers.map((peer) => peer.ask(SLOW)));
  const elapsedMs = performance.now() - begin;
  ok(responses.every(({ status }) => status === 200));
  // Ten rounds of four; one worker alone would need 2400 ms.
  ok(elapsedMs >= 600, `${elapsedMs} ms are less than ten rounds`);
  ok(elapsedMs < 2000, `${elapsedMs} ms are no ten rounds`);
  const reports = await own.report();
  equal(sumOf(reports, 'tasksDelegated'), 40);
  equal(sumOf(reports, 'tasksCompleted'), 40);
  const workers = reports.filter(({ name }) => name.startsWith('worker-'));
  equal(workers.length, 4);
  for (const { name, counters } of workers) ok(counters.tasksRun! > 0, name);
});

test('a busy worker takes tasks in the order they were asked for', async (t) => {
  const { port } = quick();
  const other = await HttpPeer.open(t, port);
  const finished: number[] = [];
  const asked: Promise<unknown>[] = [];
  for (let index = 0; index < 40; index++) {
    const peer = await HttpPeer.open(t, port);
    await peer.send(SLOW);
    asked.push(peer.response().then(() => finished.push(index)));
    // The answer to what was sent later says that the task was delegated.
    await other.ask(FAST);
  }
  await Promise.all(asked);
  deepEqual(
    finished,
    asked.map((_, index) => index),
  );
});

test('without workers the accept thread runs the tasks', async (t) => {
  const own = await startServer(t, ['-A', '1', '-w', '0', '-D', '5']);
  const peers = await Promise.all(Array.from({ length: 10 }, () => HttpPeer.open(t, own.port)));
  await Promise.all(
    peers.map(async (peer) => {
      await peer.send(SLOW + FAST + SLOW + GONE);
      deepEqual(statusesOf(await peer.responses(4)), [200, 200, 200, 404]);
    }),
  );
  equal((await own.report()).length, 1);
  equal(await own.counter('tasksCompleted'), 20);
});

test('a slow request delays no fast one', async (t) => {
  const { port } = server();
  const slow = await HttpPeer.open(t, port);
  const fast = await Promise.all(Array.from({ length: 10 }, () => HttpPeer.open(t, port)));
  await slow.send(SLOW);
  for (let round = 0; round < 5; round++) {
    await Promise.all(fast.map((peer) => peer.ask(FAST)));
    equal(slow.hasBytes, false, 'the slow one is still busy');
  }
  equal((await slow.response()).status, 200);
});

test('what is pipelined behind a task waits for it', async (t) => {
  const { port } = server();
  const peer = await HttpPeer.open(t, port);
  for (let round = 0; round < 2; round++) {
    const begin = performance.now();
    await peer.send(FAST + SLOW + GONE + FAST + SLOW + request('/test/fast', 'POST'));
    const responses = await peer.responses(6);
    deepEqual(statusesOf(responses), [200, 200, 404, 200, 200, 405]);
    const elapsedMs = responses.map(({ at }) => at - begin);
    ok(elapsedMs[0]! < 100, 'what is before a task does not wait for it');
    ok(elapsedMs[1]! >= 100 && elapsedMs[2]! >= 100, 'the first task');
    ok(elapsedMs[4]! >= 200 && elapsedMs[5]! >= 200, 'the second task runs after the first');
  }
});

test('what arrives while a task runs waits for it', async (t) => {
  const { port } = server();
  const other = await HttpPeer.open(t, port);
  for (const before of ['', FAST]) {
    const peer = await HttpPeer.open(t, port);
    if (before !== '') await peer.ask(before);
    await peer.send(SLOW);
    for (const bytes of [GONE, FAST.slice(0, 10), FAST.slice(10), GONE]) {
      await other.ask(FAST);
      await peer.send(bytes);
    }
    equal(peer.hasBytes, false);
    deepEqual(statusesOf(await peer.responses(4)), [200, 404, 200, 404]);
  }
});

test('nothing is left of clients that go away while their tasks run', async (t) => {
  const own = await startServer(t, ['-A', '1', '-w', '2', '-D', '5']);
  const other = await HttpPeer.open(t, own.port);
  await other.ask(FAST);
  const descriptors = own.descriptors();
  const leave = [
    (peer: HttpPeer) => peer.close(),
    (peer: HttpPeer) => peer.reset(),
    (peer: HttpPeer) => peer.endSending(),
  ];
  for (let index = 0; index < 120; index++) {
    const peer = await HttpPeer.open(t, own.port);
    // The second request of a connection is received in another way than its first.
    if (index % 2 === 0) await peer.ask(FAST);
    await peer.send(index % 4 < 2 ? SLOW : SLOW + SLOW + FAST);
    await other.ask(FAST);
    leave[index % 3]!(peer);
  }
  const reports = await own.reportUntil(
    ([accept]) =>
      accept!.counters.connectionsOpen === 1 &&
      accept!.counters.tasksCompleted! + accept!.counters.tasksCancelled! ===
        accept!.counters.tasksDelegated,
  );
  ok(sumOf(reports, 'tasksDelegated') >= 120);
  equal(own.descriptors(), descriptors);
  equal((await other.ask(SLOW)).status, 200);
});

test('a flood of requests is answered once its client reads', async (t) => {
  const { port } = quick();
  const other = await HttpPeer.open(t, port);
  const peer = await HttpPeer.open(t, port, { paused: true });
  const part = SLOW + FAST.repeat(20) + GONE;
  const parts = 400;
  const sent = peer.send(part.repeat(parts));
  for (let round = 0; round < 100; round++) equal((await other.ask(FAST)).status, 200);
  peer.resume();
  const expected = statusesOf(await peer.responses(22));
  deepEqual(expected, [...new Array(21).fill(200), 404]);
  for (let index = 1; index < parts; index++) {
    deepEqual(statusesOf(await peer.responses(22)), expected);
  }
  await sent;
  equal((await peer.ask(SLOW)).status, 200);
});

// Each a connection that was used before, and whose bytes come while its task runs.
async function flood(t: TestContext, own: ServerProcess, clients: number): Promise<void> {
  const bytes = (SLOW + FAST.repeat(300) + GONE).repeat(4);
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const peer = await HttpPeer.open(t, own.port);
      await peer.ask(FAST);
      await peer.send(bytes);
      const statuses = statusesOf(await peer.responses(4 * 302));
      equal(statuses.filter((status) => status === 404).length, 4);
      peer.close();
    }),
  );
  equal(await own.counter('closedNoMemory'), 0);
}

test('some clients that flood at once are all answered', async (t) => {
  await flood(t, quick(), 10);
});

// What one connection may hold is not bounded: few of them take the half of all receive buffers.
test('as many clients as there may be flood at once', async (t) => {
  await flood(t, await startServer(t, ['-A', '1', '-w', '2', '-D', '5', '-C', '16']), 16);
});
