// An application may handle what nobody catches; then its thread goes on, wherever that was thrown.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/uncaught-app.ts', import.meta.url));

test('a thread whose application handles uncaught exceptions goes on', async (t) => {
  const { port } = await startServer(t, [APP, '-A', '1', '-w', '0', '-C', '10']);
  const peer = await HttpPeer.open(t, port);
  const expected: string[] = [];
  for (let round = 0; round < 10; round++) {
    for (const kind of ['tick', 'microtask', 'timer']) {
      equal((await peer.ask(request(`/${kind}`))).body, kind);
      expected.push(kind);
    }
  }
  for (;;) {
    const caught: string[] = JSON.parse((await peer.ask(request('/caught'))).body);
    if (caught.length < expected.length) continue;
    deepEqual(caught.sort(), expected.sort());
    break;
  }
  await peer.send(request('/tick').repeat(5));
  for (let index = 0; index < 5; index++) equal((await peer.response()).body, 'tick');
});
