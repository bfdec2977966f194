// What an application does wrong costs its own request, and never a thread with its connections.

import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/mistakes-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '100', '--body-limit', '5000']);

function post(target: string, size: number, body: string): string {
  return request(target, 'POST', `Content-Length: ${size}`) + body;
}

function portOf(protocol: string): number {
  return Number(new RegExp(`${protocol} on port (\\d+)`).exec(server().readyLine)![1]);
}

/** Another connection of the same thread, which must not notice anything. */
async function bystander(t: TestContext): Promise<HttpPeer> {
  const peer = await HttpPeer.open(t, server().port);
  equal((await peer.ask(request('/fast'))).status, 200);
  return peer;
}

describe('a body that is awaited when it has failed already', () => {
  for (const kind of ['json', 'text', 'bytes']) {
    test(`is a 413 when it is too large: ${kind}`, async (t) => {
      const other = await bystander(t);
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(post(`/late/${kind}`, 5001, 'x'));
      await other.ask(request('/fast'));
      await other.ask(request('/go'));
      equal((await peer.response()).status, 413);
      equal((await other.ask(request('/fast'))).status, 200);
    });

    test(`costs nothing when its client has gone: ${kind}`, async (t) => {
      const other = await bystander(t);
      const peer = await HttpPeer.open(t, server().port);
      await peer.send(post(`/late/${kind}`, 100, '{"a"'));
      peer.endSending();
      equal((await peer.response()).status, 400);
      equal((await other.ask(request('/fast'))).status, 200);
      equal((await other.ask(request('/go'))).status, 200);
    });
  }

  test('is a 400 when it is not JSON', async (t) => {
    const other = await bystander(t);
    const peer = await HttpPeer.open(t, server().port);
    await peer.send(post('/late/json', 4, '{bad'));
    await other.ask(request('/fast'));
    await other.ask(request('/go'));
    equal((await peer.response()).status, 400);
    equal((await peer.ask(request('/fast'))).status, 200);
  });
});

test('a status need not be registered: RFC 9110 section 15', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const status of [299, 399, 420, 499, 599]) {
    await peer.send(request(`/status/${status}`));
    equal((await peer.response()).status, status);
    await peer.send(request(`/task/status/${status}`));
    equal((await peer.response()).status, status);
  }
  equal((await peer.ask(request('/static'))).status, 420);
  equal((await peer.ask(request('/status/600'))).status, 500);
  equal((await peer.ask(request('/task/status/600'))).status, 500);
});

test('an error has the status that it says, or is a 500', async (t) => {
  const other = await bystander(t);
  const peer = await HttpPeer.open(t, server().port);
  for (const status of [0, 100, 302, 404, 499, 600]) {
    const expected = status < 400 || status > 599 ? 500 : status;
    equal((await peer.ask(request(`/error/${status}`))).status, expected);
    equal((await peer.ask(request(`/error/late/${status}`))).status, expected);
  }
  equal((await other.ask(request('/fast'))).status, 200);
});

describe('whatever is thrown costs its own request, and is logged', () => {
  for (const what of ['null', 'symbol', 'object', 'stack', 'message']) {
    test(what, async (t) => {
      const other = await bystander(t);
      const peer = await HttpPeer.open(t, server().port);
      for (const where of ['throws', 'rejects', 'task/throws', 'task/rejects', 'loop', 'block']) {
        equal((await peer.ask(request(`/${where}/${what}`))).status, 500, where);
      }
      equal((await peer.ask(request(`/block/rejects/${what}`))).body, 'answered');
      await peer.send(request(`/streams/${what}`));
      match((await peer.rest()).bytes, /begun\r\n$/);
      for (const protocol of ['throws', 'rejects', 'away']) {
        const raw = await HttpPeer.open(t, portOf(protocol));
        await raw.send(what);
        equal((await raw.rest()).bytes, '');
      }
      equal((await other.ask(request('/fast'))).status, 200);
    });
  }

  test('no thread has died', async () => {
    const { program } = server();
    await program.output(({ stderr }) =>
      /a handler failed: Symbol/.test(stderr) ? true : undefined,
    );
    doesNotMatch(program.stderr, /died/);
  });
});

test('an UpgradeError does not split its response: RFC 9112 section 11.1', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  const right = await peer.ask(request('/upgrade/chat'));
  deepEqual([right.status, right.fields.get('upgrade')], [426, 'chat']);
  const wrong = await peer.ask(request('/upgrade/x%0d%0aSet-Cookie:%20evil=1'));
  deepEqual([wrong.status, wrong.fields.has('set-cookie')], [500, false]);
});
