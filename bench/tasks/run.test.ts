import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { measureCalls } from './measure-calls.ts';
import { compareTasks } from './run.ts';

test('the benchmark of tasks runs, with tiny sizes', async () => {
  const lines = await compareTasks(0.002, 1);
  equal(lines.length, 2 + 5 * 3);
  for (const line of lines.slice(2)) match(line, /^\|.*\|( \d+(\.\d+)? \|){4}$/);
});

test('calls are made as often as asked for, and no more of them at a time', async () => {
  let made = 0;
  let running = 0;
  let runningMax = 0;
  const figures = await measureCalls(
    async () => {
      made++;
      runningMax = Math.max(runningMax, ++running);
      await new Promise(setImmediate);
      running--;
    },
    10,
    3,
  );
  equal(made, 10);
  equal(runningMax, 3);
  equal(figures.callsPerSecond > 0 && figures.medianUs <= figures.p99Us, true);
});
