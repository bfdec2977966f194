import { equal, match } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { lockedMemoryFault } from './locked-memory.ts';
import { probeUring } from './probe-uring.ts';

const SMALL = { submissions: 8, completions: 16, recvBuffers: 2 };
// No ring is that large: the kernel refuses it.
const HUGE = { submissions: 2 ** 20, completions: 2 ** 21, recvBuffers: 0 };
const MIB = 1024 * 1024;
const skip = probeUring() ?? false;

test('far below the limit nothing is tried', () => {
  equal(lockedMemoryFault([HUGE], Number.POSITIVE_INFINITY), undefined);
  equal(lockedMemoryFault([], 0), undefined);
});

test('near the limit every ring is opened at once, and closed', { skip }, () => {
  const before = readdirSync('/proc/self/fd').length;
  equal(lockedMemoryFault([SMALL, SMALL], 1), undefined);
  equal(readdirSync('/proc/self/fd').length, before);
});

test('what the kernel refuses is said, with what is needed and the limit', { skip }, () => {
  const before = readdirSync('/proc/self/fd').length;
  const fault = lockedMemoryFault([SMALL, HUGE], MIB);
  match(
    fault!,
    /^io_uring_setup refused, E[A-Z]+: 2 threads lock \d+ KiB of memory, the limit is 1024 KiB/,
  );
  equal(readdirSync('/proc/self/fd').length, before);
});
