// Millrace against `node:http`, a share of what `npm run differential` sends.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/server-process.ts';
import { compare, describe } from './differential.ts';
import { KNOWN } from './known-differences.ts';

const ECHO = fileURLToPath(new URL('../../src/demo/echo.ts', import.meta.url));
const CASES = 4000;

test('Millrace reads requests as node:http does, but for what is known', async (t) => {
  const server = await startServer(t, [ECHO, '-A', '1', '-w', '0', '-C', '200']);
  for (const seed of [1, 2]) {
    const { accepted, refused, known, unknown } = await compare(server, seed, CASES);
    deepEqual(unknown.map(describe), [], `seed ${seed}`);
    ok(accepted > CASES / 5, `both accept ${accepted}`);
    ok(refused > CASES / 5, `both refuse ${refused}`);
    ok(known.size > 20, `${known.size} differences are known`);
  }
});

test('every known difference has its reason', () => {
  const document = new URL('../../docs/differences-from-node-http.md', import.meta.url);
  const rows = readFileSync(document, 'utf8').matchAll(/^\| ([^|]+?) \|/gm);
  const documented = new Set([...rows].map(([, name]) => name));
  for (const { name } of KNOWN) equal(documented.has(name), true, name);
});
