// `node scripts/api.ts`: writes docs/api.md; with `--check` it says whether that is current.
// Control plane.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiReference } from './api/reference.ts';

const PATH = 'docs/api.md';

function reference(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-api-'));
  try {
    const options = ['--emitDeclarationOnly', '--sourceMap', 'false', '--outDir', folder];
    const build = ['--project', 'tsconfig.build.json', '--inlineSources', 'false', ...options];
    execFileSync('tsc', build, { stdio: 'inherit' });
    const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
    return apiReference(read('index.d.ts'), read);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const current = reference();
if (!process.argv.includes('--check')) writeFileSync(PATH, current);
else if (readFileSync(PATH, 'utf8') !== current) {
  console.error(`${PATH} is not current: npm run api`);
  process.exitCode = 1;
}
