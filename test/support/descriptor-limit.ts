// The limit of descriptors of this process, lowered while a function runs. Only for functions that
// do not wait: whatever else the process opens meanwhile fails.

import { checked } from '../../src/kernel/errno.ts';
import { bind } from '../../src/kernel/ffi.ts';

const getrlimit = bind('getrlimit', ['int32', 'buffer'], 'int32');
const setrlimit = bind('setrlimit', ['int32', 'buffer'], 'int32');
const RLIMIT_NOFILE = 7;

/** With a `limit` below the open descriptors those go on working, and no other can be opened. */
export function withDescriptorLimit(limit: number, run: () => void): void {
  const limits = Buffer.alloc(16);
  checked('getrlimit', getrlimit(RLIMIT_NOFILE, limits));
  const lowered = Buffer.from(limits);
  lowered.writeBigUInt64LE(BigInt(limit), 0);
  checked('setrlimit', setrlimit(RLIMIT_NOFILE, lowered));
  try {
    run();
  } finally {
    checked('setrlimit', setrlimit(RLIMIT_NOFILE, limits));
  }
}
