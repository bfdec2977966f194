import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuSample, cpuBetween, parseSchedstat, parseStat, sampleCpu } from './cpu-time.ts';

function sample(statNs: number, tasks: Record<string, [run: number, wait: number]>): CpuSample {
  const times = Object.entries(tasks).map(
    ([task, [runNs, waitNs]]) => [task, { runNs, waitNs }] as const,
  );
  return { statNs, tasks: new Map(times) };
}

test('schedstat', () => {
  deepEqual(parseSchedstat('1635569344 7819718 20931\n'), { runNs: 1635569344, waitNs: 7819718 });
  equal(parseSchedstat(''), undefined);
  equal(parseSchedstat('1 2\n'), undefined);
});

test('stat, with a name that has a space and a parenthesis', () => {
  const stat = '5136 (a ) b) S 5135 5127 3602 0 -1 4194304 181 0 1 0 4 158 7 9 20 0 1 0 137607 25';
  equal(parseStat(stat), (4 + 158) * 1e7);
});

test('the threads are added up, a new one whole; the wait is that of the busiest', () => {
  const before = sample(0, { 7: [100, 10], 8: [50, 5] });
  const after = sample(0, { 7: [400, 25], 8: [60, 900], 9: [7, 3] });
  deepEqual(cpuBetween(before, after), { runNs: 317, waitNs: 15, source: 'schedstat' });
});

test('when a thread has ended, or there is no schedstat, the ticks count', () => {
  const ticks = { runNs: 50e6, waitNs: 0, source: 'stat' };
  const ended = cpuBetween(sample(20e6, { 7: [1, 1], 8: [1, 1] }), sample(70e6, { 7: [2, 2] }));
  deepEqual(ended, ticks);
  deepEqual(cpuBetween(sample(20e6, {}), sample(70e6, {})), ticks);
});

test('this process', () => {
  const before = sampleCpu(process.pid);
  ok(before.statNs > 0);
  let sum = 0;
  for (let i = 0; i < 1e7; i++) sum += Math.sqrt(i);
  ok(sum > 0);
  const { runNs } = cpuBetween(before, sampleCpu(process.pid));
  ok(runNs >= 0);
  ok(runNs < 60e9);
});
