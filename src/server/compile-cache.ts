// Where threads leave what they have compiled, for those that start after them, in this process or
// another: a replacement is there in a quarter of the time. Control plane.
//
// Compiled code is code. So the directory is this user's, and nobody else may write to it; where
// that is not so, there is no cache.

import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let directory: string | undefined;

/** Keeps what is compiled from here on. For a process that is all Millrace's. */
export function useCompileCache(): void {
  const cache = cacheDirectory();
  if (cache !== '') enableCompileCache(cache);
}

/** The environment of a thread. */
export function threadEnvironment(): NodeJS.ProcessEnv {
  const cache = cacheDirectory();
  return cache === '' ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache };
}

// Empty where there is none. What the user has said of Node's cache stands.
function cacheDirectory(): string {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
  if (NODE_COMPILE_CACHE !== undefined || NODE_DISABLE_COMPILE_CACHE !== undefined) return '';
  directory ??= privateDirectory(tmpdir());
  return directory;
}

/** A directory within `parent` that is this user's alone, or an empty text. */
export function privateDirectory(parent: string): string {
  const uid = process.getuid!();
  const path = join(parent, `millrace-cache-${uid}`);
  try {
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === uid && (stat.mode & 0o077) === 0 ? path : '';
  } catch {
    return '';
  }
}
