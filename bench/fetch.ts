// `npm run bench:fetch`: CPU time of the server for each request of a Hono application, on Millrace
// and on Hono's own server for Node, in rounds that alternate. Needs `wrk`, and two CPUs.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '..');
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];
const SERVERS: Readonly<Record<string, readonly string[]>> = {
  millrace: [
    ...[...NODE, join(ROOT, 'bin/millrace.js'), join(ROOT, 'bench/hono-app.ts')],
    ...['-p', '0', '-A', '1', '-w', '1', '-C', '1000'],
  ],
  '@hono/node-server': [...NODE, join(ROOT, 'bench/hono-node-server.ts'), '0'],
};
const PATHS = ['/text', '/json/42'];
/** USER_HZ, in which /proc counts: proc_pid_stat(5). */
const TICKS_PER_SECOND = 100;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
  },
});

async function start(command: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const [name, ...args] = ['taskset', '-c', '0', ...command];
  const child = spawn(name!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await once(child.stdout!, 'data');
  return { child, url: /http:\/\/[\d.:]+/.exec(String(output))![0] };
}

// Threads have been started by then; utime and stime are the 14th and 15th field.
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function load(url: string, seconds: string): number {
  const args = ['-c', '1', 'wrk', '-t1', '-c64', `-d${seconds}s`, url];
  const output = execFileSync('taskset', args, { encoding: 'utf8' });
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`${url}: ${output}`);
  return Number(/(\d+) requests in/.exec(output)![1]);
}

const results = new Map<string, number[]>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, command] of Object.entries(SERVERS)) {
    const { child, url } = await start(command);
    try {
      for (const path of PATHS) {
        load(url + path, '1');
        const before = cpuSeconds(child.pid!);
        const requests = load(url + path, values.seconds);
        const microseconds = ((cpuSeconds(child.pid!) - before) * 1e6) / requests;
        const key = `${path} ${name}`;
        results.set(key, [...(results.get(key) ?? []), microseconds]);
      }
    } finally {
      child.kill('SIGKILL');
    }
  }
}
for (const [key, times] of [...results].sort()) {
  const sorted = times.map((time) => time.toFixed(1)).sort((a, b) => Number(a) - Number(b));
  console.log(`${key}: ${sorted[sorted.length >> 1]} µs of CPU a request (${sorted.join(', ')})`);
}
