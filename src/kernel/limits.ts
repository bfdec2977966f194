// Limits of the process: getrlimit(2). Control plane.

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
