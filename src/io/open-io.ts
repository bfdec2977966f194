// The one place that knows which backends there are. Control plane.

import type { BackendName } from '../base/options.ts';
import { DESCRIPTOR_SIZE } from './epoll/descriptor-table.ts';
import { EpollIo } from './epoll/epoll-io.ts';
import { SLOT_SIZE } from './epoll/slot-table.ts';
import type { Io } from './io.ts';
import type { IoOptions } from './io-options.ts';
import type { RingSize } from './uring/locked-memory.ts';
import { lockedMemoryFault } from './uring/locked-memory.ts';
import { probeUring } from './uring/probe-uring.ts';
import { UringIo } from './uring/uring-io.ts';

export interface BackendChoice {
  readonly backend: BackendName;
  /** Why this one, for people. */
  readonly reason: string;
}

/**
 * Decides for all threads of a server: io_uring where it works for a ring of each of these sizes,
 * one for each thread; epoll elsewhere; or what was asked for.
 *
 * @throws BackendError when io_uring was asked for and does not work.
 */
export function chooseBackend(
  asked: BackendName | 'auto',
  rings: readonly RingSize[] = [],
  probe = probeUring,
): BackendChoice {
  if (asked === 'epoll') return { backend: 'epoll', reason: 'asked for' };
  const fault = probe() ?? lockedMemoryFault(rings);
  if (fault === undefined) return { backend: 'io_uring', reason: 'this kernel allows it' };
  if (asked === 'io_uring') throw new BackendError(fault);
  return { backend: 'epoll', reason: fault };
}

/** The backend that was asked for does not work; the message says why. */
export class BackendError extends Error {
  override name = 'BackendError';
}

/**
 * How many bytes a backend keeps beside what `ioMemorySize` says, with so many descriptors open in
 * the process and so many slots: epoll has tables of both, which double as they grow.
 */
export function backendSize(backend: BackendName, descriptors: number, slots: number): number {
  if (backend !== 'epoll') return 0;
  const doubled = (count: number): number => 2 ** Math.ceil(Math.log2(count));
  return doubled(descriptors) * DESCRIPTOR_SIZE + doubled(slots) * SLOT_SIZE;
}

/**
 * Opens an `Io` for the calling thread.
 *
 * @throws SystemError when memory or descriptors are short, or the kernel refuses what it allowed
 * when the backend was chosen.
 */
export function openIo(backend: BackendName, options: IoOptions): Io {
  return backend === 'epoll' ? new EpollIo(options) : new UringIo(options);
}
