// The scheduling priority of the calling thread. Linux keeps a nice value for each thread, and
// `who` 0 names the calling one: setpriority(2), "C library/kernel differences". Control plane.

import { checked } from './errno.ts';
import { bind } from './ffi.ts';

const setpriority = bind('setpriority', ['int32', 'int32', 'int32'], 'int32');
const PRIO_PROCESS = 0;

/**
 * Threads that are not as nice as this one come first where CPUs are short; 0 changes nothing. A
 * thread cannot take it back without privileges.
 */
export function lowerPriority(nice: number): void {
  if (nice === 0) return;
  checked('setpriority', setpriority(PRIO_PROCESS, 0, nice));
}
