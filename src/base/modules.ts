// How this copy of Millrace runs: from its sources, in its own repository, or compiled, as a
// package. Control plane.

import { extname } from 'node:path';

/** Of every module of Millrace: `.ts` in the repository, `.js` in the package. */
export const MODULE_EXTENSION: string = extname(new URL(import.meta.url).pathname);

/**
 * Options of Node for a thread that loads an application: in the repository, `millrace` is the name
 * of the sources (the condition stands in `exports` of package.json).
 */
export const MODULE_OPTIONS: readonly string[] =
  MODULE_EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];
