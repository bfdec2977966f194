// `npm run soak -- NAME...`: tests that take half a minute each; without names, all of them. Exits
// with 1 when one failed, with 2 for a name that is none.

import { handOffs } from './hand-offs.ts';
import { neverRead, slowBodies, slowHeaders } from './slow-clients.ts';
import type { SoakSpec } from './soak.ts';
import { runSoak } from './soak.ts';
import { downloads, uploads } from './transfers.ts';

const SOAKS: Readonly<Record<string, SoakSpec>> = {
  'slow-headers': slowHeaders,
  'slow-bodies': slowBodies,
  'never-read': neverRead,
  'hand-off': handOffs,
  upload: uploads,
  download: downloads,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(SOAKS, name));
if (unknown.length > 0) {
  console.error(`no such test: ${unknown.join(' ')}; there are ${Object.keys(SOAKS).join(' ')}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(SOAKS)) {
  try {
    console.log(`pass ${name}: ${await runSoak(SOAKS[name]!)}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
