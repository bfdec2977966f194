// The one place that knows which backends there are. Control plane.

import type { Io } from './io.ts';
import type { IoOptions } from './io-options.ts';
import { UringIo } from './uring/uring-io.ts';

/**
 * Opens an `Io` for the calling thread.
 *
 * @throws SystemError when io_uring is refused (EPERM, ENOSYS), the kernel is too old (EINVAL), or
 * memory or descriptors are short.
 */
export function openIo(options: IoOptions): Io {
  return new UringIo(options);
}
