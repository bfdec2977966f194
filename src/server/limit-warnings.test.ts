import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { limitWarnings, processLimits } from './limit-warnings.ts';

const GIB = 2 ** 30;
const PLAN = { descriptors: 1000, totalSize: 3 * GIB };
const ENOUGH = { descriptors: 1000, memory: 3 * GIB };

test('what suffices, or has no limit, is no warning', () => {
  const unlimited = Number.POSITIVE_INFINITY;
  deepEqual(limitWarnings(PLAN, ENOUGH), []);
  deepEqual(limitWarnings(PLAN, { descriptors: unlimited, memory: unlimited }), []);
});

test('more memory than the control group has is a warning that says how much', () => {
  deepEqual(limitWarnings(PLAN, { ...ENOUGH, memory: 3 * GIB - 1 }), [
    'the memory limit of the control group is 3.0 GiB, but 3.0 GiB are planned: at full capacity ' +
      'the kernel may end this server; raise it or lower --accept-capacity',
  ]);
  deepEqual(limitWarnings(PLAN, { ...ENOUGH, memory: 512 * 2 ** 20 }), [
    'the memory limit of the control group is 512 MiB, but 3.0 GiB are planned: at full capacity ' +
      'the kernel may end this server; raise it or lower --accept-capacity',
  ]);
});

test('more descriptors than there are is another', () => {
  deepEqual(limitWarnings(PLAN, { ...ENOUGH, descriptors: 999 }), [
    'the descriptor limit is 999, but the capacity asks for 1000: beyond the limit new ' +
      'connections wait; raise it (ulimit -n) or lower --accept-capacity',
  ]);
});

test('the limits of this process, or Infinity where there is none', () => {
  const { descriptors, memory } = processLimits();
  ok(descriptors > 100 && memory > 2 ** 24, `${descriptors} descriptors, ${memory} bytes`);
});
