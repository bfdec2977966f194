// Limits of the process: getrlimit(2), and the memory limit of its cgroup (cgroups(7)). Control
// plane.

import { readFileSync } from 'node:fs';
import { checked } from './errno.ts';
import { bind } from './ffi.ts';

const getrlimit = bind('getrlimit', ['int32', 'buffer'], 'int32');
const RLIMIT_NOFILE = 7;
const RLIMIT_MEMLOCK = 8;
/** RLIM_INFINITY. */
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;

/** The most descriptors this process may have open (the soft limit, which Node raises at start). */
export function descriptorLimit(): number {
  return softLimit(RLIMIT_NOFILE);
}

/** The most bytes that processes of this user may lock in memory; Infinity without a limit. */
export function lockedMemoryLimit(): number {
  return softLimit(RLIMIT_MEMLOCK);
}

function softLimit(resource: number): number {
  const limits = Buffer.alloc(16);
  checked('getrlimit', getrlimit(resource, limits));
  const limit = limits.readBigUInt64LE(0);
  return limit === NO_LIMIT ? Number.POSITIVE_INFINITY : Number(limit);
}

/** The limit of this process's cgroup, as it stands in its files: of version 2, and of 1. */
const MEMORY_FILES = [
  '/sys/fs/cgroup/memory.max',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
] as const;

/**
 * The memory this process's cgroup may use, in bytes, by the first of `files` that is there;
 * Infinity when there is no limit.
 */
export function memoryLimit(files: readonly string[] = MEMORY_FILES): number {
  for (const path of files) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
    } catch {
      // The file of the other cgroup version, or none at all.
    }
  }
  return Number.POSITIVE_INFINITY;
}
