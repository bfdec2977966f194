// Field lines as only a client in control of its bytes sends them: Node's would join them.

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('./function-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '100']);

test('lines of cookies are joined with "; ", however they are read', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  for (const [lines, value] of [
    [['x=1', 'y=2'], 'x=1; y=2'],
    [['x=1, 2; y=2'], 'x=1, 2; y=2'],
    [['x=1, 2', 'y=2'], 'x=1, 2; y=2'],
    [['x=1'], 'x=1'],
  ] as const) {
    const fields = lines.map((line) => `Cookie: ${line}`);
    const { body } = await peer.ask(request('/cookie', 'GET', ...fields));
    deepEqual(JSON.parse(body), [value, value, value]);
  }
});
