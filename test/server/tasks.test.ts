// Tasks with inputs and results: what a route or a handler says comes to the worker, and what the
// worker answers comes back, as bytes or as JSON.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/test-app.ts', import.meta.url));
const ONE = [APP, '-A', '1', '-C', '100'];
const server = sharedServer([...ONE, '-w', '2', '--task-size', '4096']);

test('without `respond` the result is the response, as JSON or bytes', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const json = await peer.ask(request('/result?text=gr%C3%B6%C3%9Fe&times=2'));
  deepEqual([json.status, json.fields.get('content-type')], [200, 'application/json']);
  equal(Buffer.from(json.body, 'latin1').toString(), '{"text":"größegröße"}');
  const bytes = await peer.ask(request('/large-bytes?size=3'));
  equal(bytes.fields.get('content-type'), 'application/octet-stream');
  equal(bytes.body, 'xxx');
});

test('`respond` forms the response, at once or later', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const at = await peer.ask(request('/responded?text=ab&times=2'));
  deepEqual([at.status, at.body], [203, 'abab']);
  const later = await peer.ask(request('/respond-later'));
  const inverted = Array.from(Buffer.from('/respond-later'), (byte) => ~byte);
  equal(later.body, Buffer.from(inverted).toString('latin1'));
  equal((await peer.ask(request('/bytes'))).body, '\xf8'.repeat(64));
});

test('results are right, and each goes to its own request, when many are in flight', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const targets = Array.from({ length: 60 }, (_, index) =>
    index % 3 === 0
      ? `/responded?text=${index}&times=3`
      : index % 3 === 1
        ? `/large-bytes?size=${4096 - index}`
        : `/large-streamed?size=${index * 60}`,
  );
  await peer.send(targets.map((target) => request(target)).join(''));
  for (const [index, response] of (await peer.responses(60)).entries()) {
    const sizes = [3 * String(index).length, 4096 - index, index * 60];
    equal(response.body.length, sizes[index % 3]);
    if (index % 3 === 0) equal(response.body, String(index).repeat(3));
    else ok(/^x*$/.test(response.body));
  }
});

test('what fails is 500, and the log says why, with sizes', async (t) => {
  const own = await startServer(t, [...ONE, '-w', '1', '--task-size', '4096']);
  const peer = await HttpPeer.open(t, own.port);
  const failures = [
    '/respond-throws',
    '/input-throws',
    '/input-too-large',
    '/large-bytes?size=9999',
  ];
  for (const target of failures) equal((await peer.ask(request(target))).status, 500, target);
  equal((await peer.ask(request('/fast'))).status, 200);
  peer.close();
  // The log comes by another way than the responses.
  equal(await own.stop(), 0);
  const { stderr } = own.program;
  match(stderr, /a mistake in respond/);
  match(stderr, /input of task "repeat" failed: Error: a mistake in input/);
  match(stderr, /the input has 5000 bytes, and a task holder 4096/);
  match(
    stderr,
    /task "large" failed: RangeError: the result has 9999 bytes, and a task holder 4096/,
  );
});

test('a handler awaits tasks, and errors have a code', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  equal((await peer.ask(request('/calls?n=5'))).body, ' a aa aaa aaaa');
  deepEqual((await peer.ask(request('/call-fails'))).body.split('\n'), [
    'undefined',
    'failed 500',
    'failed 410',
    'too-large 500',
    'TypeError: there is no task "none"',
    '254,253',
  ]);
});

test('a result of bytes is copied into the array of its caller, where it fits', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  deepEqual((await peer.ask(request('/call-into'))).body.split('\n'), [
    'true',
    '254,253,252',
    '251,250',
    '251,250,252',
    'true',
    '4,5,3',
    'too-large 500',
    '4,5,3',
    'aa',
    'undefined',
    'TypeError: a result is copied into a Uint8Array',
  ]);
});

test('a handler that awaits a task is told when the queue is full or time is up', async (t) => {
  const args = [
    '-w',
    '1',
    '--worker-concurrency',
    '1',
    '--task-queue',
    '4',
    '--task-timeout',
    '0.3',
  ];
  const own = await startServer(t, [...ONE, ...args]);
  const peer = await HttpPeer.open(t, own.port);
  const { body } = await peer.ask(request('/calls?n=8'));
  equal(body, ' a aa aaa full 503 full 503 full 503 full 503');
  equal((await peer.ask(request('/call-hangs'))).status, 504);
  // The worker was told, and is there for others.
  equal((await peer.ask(request('/nothing'))).status, 200);
  peer.close();
  equal(await own.stop(), 0);
});

test('a client that goes away cancels the task that its handler awaits', async (t) => {
  const own = await startServer(t, [...ONE, '-w', '1', '--task-timeout', '60']);
  const peer = await HttpPeer.open(t, own.port);
  await peer.send(request('/call-hangs'));
  await own.reportUntil(([accept]) => accept!.counters.tasksDelegated === 1);
  peer.reset();
  const other = await HttpPeer.open(t, own.port);
  equal((await other.ask(request('/nothing'))).status, 200);
  other.close();
  equal(await own.stop(), 0);
});

test('without workers the accept thread runs tasks with inputs too', async (t) => {
  const own = await startServer(t, [...ONE, '-w', '0']);
  const peer = await HttpPeer.open(t, own.port);
  equal((await peer.ask(request('/bytes'))).body, '\xf8'.repeat(64));
  equal((await peer.ask(request('/responded?text=ab&times=2'))).body, 'abab');
  equal((await peer.ask(request('/calls?n=3'))).body, ' a aa');
  peer.close();
  equal(await own.stop(), 0);
});

const FULL = ['-w', '1', '--task-queue', '2', '-D', '100'];

test('a full queue refuses with 503 and a time to come back', async (t) => {
  const own = await startServer(t, [...ONE, ...FULL]);
  const peers = await Promise.all([1, 2, 3].map(() => HttpPeer.open(t, own.port)));
  const answers = await Promise.all(peers.map((peer) => peer.ask(request('/slow'))));
  deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 503]);
  equal(answers.find(({ status }) => status === 503)!.fields.get('retry-after'), '1');
  for (const peer of peers) peer.close();
  equal(await own.stop(), 0);
});

test('or the accept thread runs what does not fit, if that is the policy', async (t) => {
  const own = await startServer(t, [...ONE, ...FULL, '--task-queue-full', 'inline']);
  const peers = await Promise.all([1, 2, 3, 4].map(() => HttpPeer.open(t, own.port)));
  const answers = await Promise.all(peers.map((peer) => peer.ask(request('/slow'))));
  deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  const reports = await own.report();
  ok(sumOf(reports, 'tasksRunInline') >= 1);
  for (const peer of peers) peer.close();
  equal(await own.stop(), 0);
});

test('worker threads stand back when they are told to, accept threads do not', async (t) => {
  const nicer = await startServer(t, ['-A', '1', '-w', '2', '--worker-nice', '7']);
  const nice = readdirSync(`/proc/${nicer.pid}/task`).map((id) => {
    const stat = readFileSync(`/proc/${nicer.pid}/task/${id}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16];
  });
  const own = String(getPriority());
  const lowered = String(Math.min(19, getPriority() + 7));
  equal(nice.filter((value) => value === lowered).length, 2);
  ok(nice.every((value) => value === lowered || value === own));
  equal(await nicer.stop(), 0);
});
