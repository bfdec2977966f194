// The command line of the differential test. Exits with 1 when there is a difference that is not
// known.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startServer } from '../support/server-process.ts';
import { compare, describe } from './differential.ts';

const ECHO = fileURLToPath(new URL('../../src/demo/echo.ts', import.meta.url));

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    cases: { type: 'string', default: '20000' },
  },
});
const seed = Number(values.seed);
const cases = Number(values.cases);

const ends: (() => Promise<void>)[] = [];
const server = await startServer({ after: (end) => ends.push(end) }, [
  ECHO,
  '-A',
  '1',
  '-w',
  '0',
  '-C',
  '1000',
]);
const begin = performance.now();
const { accepted, refused, known, unknown } = await compare(server, seed, cases);
const seconds = (performance.now() - begin) / 1000;
for (const difference of unknown.slice(0, 20)) console.log(describe(difference));
console.log(`seed ${seed}: ${cases} streams in ${seconds.toFixed(1)} s`);
console.log(`  ${accepted} accepted by both, ${refused} refused by both with one status`);
for (const [name, count] of known) console.log(`  ${count} known: ${name}`);
console.log(`  ${unknown.length} differences that are not known`);
for (const end of ends) await end();
process.exitCode = unknown.length > 0 ? 1 : 0;
