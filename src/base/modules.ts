// How this copy of Millrace runs, from its sources in its own repository, or compiled as a package;
// and what a thread does about it before it loads an application. Control plane.

import { flushCompileCache, registerHooks, setSourceMapsSupport } from 'node:module';
import { extname } from 'node:path';

/** Of every module of Millrace: `.ts` in the repository, `.js` in the package. */
export const MODULE_EXTENSION: string = extname(new URL(import.meta.url).pathname);

/** In `exports` of package.json: with it `millrace` is the name of the sources. */
const SOURCE_CONDITION = 'millrace-source';

/** From here on stacks name lines of sources, and `millrace` is this copy of it. */
export function prepareModules(): void {
  setSourceMapsSupport(true, { nodeModules: true });
  if (MODULE_EXTENSION !== '.ts') return;
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier !== 'millrace') return next(specifier, context);
      return next(specifier, { ...context, conditions: [...context.conditions, SOURCE_CONDITION] });
    },
  });
}

/** What was compiled so far is there for threads that start later. */
export function keepCompiled(): void {
  flushCompileCache();
}
