// The scheduling priority of the calling thread. Linux keeps a nice value for each thread, and
// `who` 0 names the calling one: setpriority(2), "C library/kernel differences". Control plane.

import { checked } from './errno.ts';
import { bind } from './ffi.ts';

const getpriority = bind('getpriority', ['int32', 'int32'], 'int32');
const setpriority = bind('setpriority', ['int32', 'int32', 'int32'], 'int32');
const PRIO_PROCESS = 0;
const NICE_MAX = 19;

/**
 * Adds to the nice value of this thread: others come first where CPUs are short. A thread cannot
 * take it back without privileges.
 */
export function lowerPriority(nice: number): void {
  if (nice === 0) return;
  const now = getpriority(PRIO_PROCESS, 0);
  checked('setpriority', setpriority(PRIO_PROCESS, 0, Math.min(NICE_MAX, now + nice)));
}
