// Handlers that keep a request or a response, and use it when the response has ended, get an error
// every time, and never reach another request.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import { startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/kept-app.ts', import.meta.url));
const CONNECTIONS = 16;
const ROUNDS = 30;
const PIPELINED = 8;
const KINDS = ['at-once', 'plain', 'later', 'task'] as const;

test('what was kept throws, under load', async (t) => {
  const { port } = await startServer(t, [APP, '-A', '1', '-w', '1', '-C', '100']);
  const random = prng(5);
  const converse = async (name: number): Promise<void> => {
    const peer = await HttpPeer.open(t, port);
    for (let round = 0; round < ROUNDS; round++) {
      const asked = Array.from({ length: PIPELINED }, (_, index) => ({
        id: `${name}-${round}-${index}`,
        kind: KINDS[random(KINDS.length)]!,
      }));
      await peer.send(asked.map(({ id, kind }) => request(`/${kind}/${id}`)).join(''));
      for (const { id, kind } of asked) {
        equal((await peer.response()).body, kind === 'later' ? `{"id":"${id}"}` : id);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, name) => converse(name)));
  const peer = await HttpPeer.open(t, port);
  const counts = JSON.parse((await peer.ask(request('/counts'))).body);
  deepEqual([...new Set(counts.worked)], []);
  ok(counts.threw > 3000, String(counts.threw));
});
