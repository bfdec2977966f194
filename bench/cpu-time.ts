// The CPU time of a whole process, all its threads, from /proc.
//
// `/proc/PID/task/TID/schedstat` counts in nanoseconds, but only for threads that live;
// `/proc/PID/stat` keeps the time of threads that ended, in ticks of 10 ms. So the first is used as
// long as no thread went away between two samples, and the second where it did, or where the kernel
// has no schedstat (CONFIG_SCHED_INFO).

import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of the times in /proc/PID/stat; 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

export type TaskTime = { readonly runNs: number; readonly waitNs: number };

export type CpuSample = {
  /** By thread id; empty when the kernel has no schedstat. */
  readonly tasks: ReadonlyMap<string, TaskTime>;
  readonly statNs: number;
};

export type CpuTime = {
  readonly runNs: number;
  /** How long the busiest thread was ready but not running; 0 when `source` is `stat`. */
  readonly waitNs: number;
  readonly source: 'schedstat' | 'stat';
};

/** `run wait timeslices`, the first two in ns (kernel: Documentation/scheduler/sched-stats.rst). */
export function parseSchedstat(text: string): TaskTime | undefined {
  const fields = /^(\d+) (\d+) \d+\s*$/.exec(text);
  if (fields === null) return undefined;
  return { runNs: Number(fields[1]), waitNs: Number(fields[2]) };
}

/** utime + stime, fields 14 and 15 of proc_pid_stat(5), in ns. */
export function parseStat(text: string): number {
  // The second field, the name, is in parentheses and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * (1e9 / TICKS_PER_SECOND);
}

export function sampleCpu(pid: number): CpuSample {
  const tasks = new Map<string, TaskTime>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const time = readTask(`/proc/${pid}/task/${task}/schedstat`);
    if (time !== undefined) tasks.set(task, time);
  }
  return { tasks, statNs: parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1')) };
}

// A thread may end between the listing and the reading.
function readTask(path: string): TaskTime | undefined {
  try {
    return parseSchedstat(readFileSync(path, 'latin1'));
  } catch {
    return undefined;
  }
}

export function cpuBetween(before: CpuSample, after: CpuSample): CpuTime {
  let complete = after.tasks.size > 0;
  for (const task of before.tasks.keys()) if (!after.tasks.has(task)) complete = false;
  if (!complete) return { runNs: after.statNs - before.statNs, waitNs: 0, source: 'stat' };
  let runNs = 0;
  let waitNs = 0;
  let busiestRunNs = -1;
  for (const [task, time] of after.tasks) {
    const earlier = before.tasks.get(task);
    const taskRunNs = time.runNs - (earlier?.runNs ?? 0);
    runNs += taskRunNs;
    if (taskRunNs <= busiestRunNs) continue;
    busiestRunNs = taskRunNs;
    waitNs = time.waitNs - (earlier?.waitNs ?? 0);
  }
  return { runNs, waitNs, source: 'schedstat' };
}
