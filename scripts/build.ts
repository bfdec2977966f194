// `node scripts/build.ts`: compiles the package into `dist/`: JavaScript, types and source maps.
// Node does not erase types under `node_modules`, so a package cannot be its sources.
// Control plane.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

// What was deleted from `src/` must not stay in the package.
rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' });
