// The example of Hono, as its header says it is run.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../../examples/hono.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '100']);

test('examples/hono.ts answers with text, JSON and a stream', async () => {
  const { url } = server();
  equal(await (await fetch(url)).text(), 'Hono on Millrace\n');
  deepEqual(await (await fetch(`${url}/books/1`)).json(), { title: 'The Mill on the Floss' });
  equal((await fetch(`${url}/books/2`)).status, 404);
  equal(await (await fetch(`${url}/count`)).text(), '1\n2\n3\n');
  const created = await fetch(`${url}/books`, { method: 'POST', body: '{"title":"Silas Marner"}' });
  deepEqual(
    [created.status, created.headers.get('location'), await created.json()],
    [201, '/books/2', { title: 'Silas Marner' }],
  );
});
