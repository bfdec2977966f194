// Modules that export an application of the Fetch standard. Control plane.

import type { App } from '../app/app.ts';
import { isFetchApp } from './fetch-app.ts';

/** The application of a module that exports a fetch application, as its default or as `fetch`. */
export async function adaptFetchModule(module: {
  readonly default?: unknown;
}): Promise<App | undefined> {
  const app = isFetchApp(module.default) ? module.default : module;
  if (!isFetchApp(app)) return undefined;
  const { adaptFetchApp } = await import('./adapt-fetch-app.ts');
  return adaptFetchApp(app);
}
