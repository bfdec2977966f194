// Limits of the process: getrlimit(2), and the memory limit of its cgroup (cgroups(7)). Control
// plane.

import { readFileSync } from 'node:fs';
import { checked } from './errno.ts';
import { bind } from './ffi.ts';

const getrlimit = bind('getrlimit', ['int32', 'buffer'], 'int32');
const RLIMIT_NOFILE = 7;

/** The most descriptors this process may have open (the soft limit, which Node raises at start). */
export function descriptorLimit(): number {
  const limits = Buffer.alloc(16);
  checked('getrlimit', getrlimit(RLIMIT_NOFILE, limits));
  return Number(limits.readBigUInt64LE(0));
}

/** The memory this process's cgroup may use, in bytes; Infinity when there is no limit. */
export function memoryLimit(): number {
  for (const path of ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
    } catch {
      // The file of the other cgroup version, or none at all.
    }
  }
  return Number.POSITIVE_INFINITY;
}
