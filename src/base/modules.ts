// How this copy of Millrace runs, from its sources in its own repository, or compiled as a package;
// and what a thread does about it before it loads an application. Control plane.

import { flushCompileCache, registerHooks, setSourceMapsSupport } from 'node:module';
import { extname } from 'node:path';

/** Of every module of Millrace: `.ts` in the repository, `.js` in the package. */
export const MODULE_EXTENSION: string = extname(new URL(import.meta.url).pathname);

/** In `exports` of package.json: with it `millrace` is the name of the sources. */
const SOURCE_CONDITION = 'millrace-source';
const IS_SOURCE = MODULE_EXTENSION === '.ts';
const FOLDER = new URL('../', import.meta.url).href;
const FORMAT = IS_SOURCE ? 'module-typescript' : 'module';

/**
 * From here on stacks name lines of sources, `millrace` is this copy of it, and how its own modules
 * name each other is taken at its word: Node would look in the file system for each, which is a
 * quarter of the time that a thread takes to start.
 */
export function prepareModules(): void {
  setSourceMapsSupport(true, { nodeModules: true });
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier.startsWith('.') && context.parentURL?.startsWith(FOLDER) === true) {
        const { href } = new URL(specifier, context.parentURL);
        return { url: href, format: FORMAT, shortCircuit: true };
      }
      if (!IS_SOURCE || specifier !== 'millrace') return next(specifier, context);
      return next(specifier, { ...context, conditions: [...context.conditions, SOURCE_CONDITION] });
    },
  });
}

/** What was compiled so far is there for threads that start later. */
export function keepCompiled(): void {
  flushCompileCache();
}
