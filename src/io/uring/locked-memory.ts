// Memory that rings lock. Since about Linux 6.14 the kernel counts it against RLIMIT_MEMLOCK
// (getrlimit(2), `ulimit -l`) of a user without CAP_IPC_LOCK: before, it did not, and the default
// limit differs: 8 MiB mostly, 64 KiB in places. So where the limit is near, the rings of all
// threads are opened once, all at a time, before any thread is started. Control plane.

import { SystemError } from '../../kernel/errno.ts';
import type { Ring } from '../../kernel/io-uring.ts';
import {
  CQE_WORDS,
  closeRing,
  openRing,
  registerBufferRing,
  SQE_WORDS,
} from '../../kernel/io-uring.ts';
import { lockedMemoryLimit } from '../../kernel/limits.ts';
import type { Mapping } from '../../kernel/mapping.ts';
import { mapMemory, unmapMemory } from '../../kernel/mapping.ts';
import { BUFFER_RING_ENTRY_SIZE } from '../../memory/buffer-ring.ts';
import type { IoOptions } from '../io-options.ts';

export type RingSize = Pick<IoOptions, 'submissions' | 'completions' | 'recvBuffers'>;

const PAGE = 4096;
/** libuv opens a ring for the loop of each thread, if it may: 256 submissions (uv_loop_init). */
const LIBUV_RING: RingSize = { submissions: 256, completions: 512, recvBuffers: 0 };
/** With so many times what is needed, nothing is tried. */
const PLENTY = 4;
/** The kernel gives back what a ring locked some time after its end: 20 to 70 ms, measured. */
const RELEASE_MS = 200;

/** Answers undefined when a ring of each size can be open at a time, one for each thread. */
export function lockedMemoryFault(
  sizes: readonly RingSize[],
  limit = lockedMemoryLimit(),
): string | undefined {
  const rings = sizes.flatMap((size) => [size, LIBUV_RING]);
  const need = rings.reduce((sum, size) => sum + lockedSize(size), 0);
  if (limit >= PLENTY * need) return undefined;
  const fault = tryAll(rings);
  if (fault === undefined) {
    sleep(RELEASE_MS);
    return undefined;
  }
  const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;
  return (
    `${fault.call} refused, ${fault.code}: ${sizes.length} threads lock ${kib(need)} of memory, ` +
    `the limit is ${kib(limit)} (ulimit -l)`
  );
}

function tryAll(sizes: readonly RingSize[]): SystemError | undefined {
  const rings: Ring[] = [];
  const entries: Mapping[] = [];
  try {
    for (const { submissions, completions, recvBuffers } of sizes) {
      const ring = openRing(submissions, completions);
      rings.push(ring);
      if (recvBuffers === 0) continue;
      const mapping = mapMemory(recvBuffers * BUFFER_RING_ENTRY_SIZE);
      entries.push(mapping);
      registerBufferRing(ring, mapping.address, recvBuffers);
    }
    return undefined;
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  } finally {
    for (const ring of rings) closeRing(ring);
    for (const mapping of entries) unmapMemory(mapping);
  }
}

// Submission entries, the rings with the completions, the ring of receive buffers: whole pages.
function lockedSize({ submissions, completions, recvBuffers }: RingSize): number {
  const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;
  return (
    pages(submissions * SQE_WORDS * 4) +
    pages(PAGE + completions * CQE_WORDS * 4) +
    pages(recvBuffers * BUFFER_RING_ENTRY_SIZE)
  );
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
