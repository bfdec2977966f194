import { deepEqual, equal, throws } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { lowerPriority } from './priority.ts';

/** The nice values of the threads of this process: field 19 of proc_pid_stat(5), by thread id. */
function niceValues(): Map<string, number> {
  return new Map(
    readdirSync('/proc/self/task').map((id) => {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [id, Number(fields[16])];
    }),
  );
}

test('a thread lowers its own priority, and that of no other', async () => {
  const before = niceValues();
  const worker = new Worker(
    `import { parentPort, workerData } from 'node:worker_threads';
    const { lowerPriority } = await import(workerData);
    lowerPriority(7);
    parentPort.postMessage('lowered');
    parentPort.on('message', () => parentPort.close());`,
    { eval: true, workerData: new URL('./priority.ts', import.meta.url).href },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  const after = niceValues();
  const own = before.get(String(process.pid))!;
  const lowered = [...after].filter(([, nice]) => nice === Math.min(19, own + 7));
  equal(lowered.length, 1);
  equal(before.has(lowered[0]![0]), false);
  for (const [id, nice] of before) if (after.has(id)) equal(after.get(id), nice);
  worker.postMessage('end');
  await new Promise((resolve) => worker.once('exit', resolve));
});

test('no nice value changes nothing; one that is none is an error', () => {
  const before = niceValues().get(String(process.pid));
  lowerPriority(0);
  deepEqual(niceValues().get(String(process.pid)), before);
  throws(() => lowerPriority(Number.NaN), /int32|range/i);
});
