// A server as a part of another program. The engine is loaded when there is one to start:
// applications import this module in every thread. Control plane.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ServerOptions } from '../base/options.ts';
import type { ServeOptions } from './serve-options.ts';
import { completeOptions } from './serve-options.ts';
import type { Server } from './server.ts';

/**
 * Starts a server that runs the application which `module` exports as its default. When the promise
 * settles, connections are served.
 *
 * The application is named, and not given, because every accept and worker thread loads the module
 * for itself: functions do not travel between threads. A string is a path, relative to the working
 * directory, or a `file:` URL. A module that serves itself does so only in the main thread:
 *
 *     export default defineApp({ ... });
 *     if (import.meta.main) await serve(import.meta.url, { port: 0 });
 *
 * @throws RangeError for an option that is out of its range, or that there is not.
 * @throws StartError when the server cannot start; its `exitCode` says of which kind the fault is.
 */
export function serve(module: string | URL, options: ServeOptions = {}): Promise<Server> {
  return start(completeOptions(options), moduleUrl(module), options.log ?? logToStderr);
}

async function start(
  options: ServerOptions,
  app: string,
  log: (line: string) => void,
): Promise<Server> {
  const { Server } = await import('./server.ts');
  return Server.start(options, app, log);
}

function moduleUrl(module: string | URL): string {
  if (module instanceof URL) return module.href;
  return module.startsWith('file:') ? module : pathToFileURL(resolve(module)).href;
}

function logToStderr(line: string): void {
  process.stderr.write(`millrace: ${line}\n`);
}
