// What it costs to let another one serve a connection: a worker thread of Millrace, on its own loop
// or blocking, beside a child process that Node sends the socket to. Each connection has one
// request. Needs wrk.
//
//     npm run bench:hand-offs

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuBetween, sampleCpu } from '../cpu-time.ts';

const SECONDS = 3;
const ROUNDS = 3;
const CONNECTIONS = 16;
const millrace = [path('../../bin/millrace.js'), path('./app.ts'), '-p', '0', '-A', '1', '-w', '1'];

interface Side {
  readonly name: string;
  readonly args: readonly string[];
  readonly target: string;
}

const SIDES: readonly Side[] = [
  { name: 'millrace, on the loop of a worker', args: millrace, target: '/hand-off/loop' },
  { name: 'millrace, blocking a worker', args: millrace, target: '/hand-off/blocking' },
  { name: 'millrace, not handed off', args: millrace, target: '/test/fast' },
  { name: 'node, to a child process', args: [path('./socket-transfer.ts')], target: '/' },
];

function path(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

async function load(url: string, seconds: number): Promise<string> {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', '-H', 'Connection: close'];
  const { stdout } = await promisify(execFile)('wrk', [...args, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}`);
  return stdout;
}

async function measure({ name, args, target }: Side): Promise<void> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args]);
  try {
    const [output] = await once(child.stdout, 'data');
    const [, url, pid] = /(http:\/\/[\d.:]+)(?: with (\d+))?/.exec(String(output))!;
    const pids = pid === undefined ? [child.pid!] : [child.pid!, Number(pid)];
    await load(url! + target, 1);
    const before = pids.map(sampleCpu);
    const text = await load(url! + target, SECONDS);
    const after = pids.map(sampleCpu);
    const requests = Number(/(\d+) requests in/.exec(text)![1]);
    const cpuNs = before.reduce((sum, sample, i) => sum + cpuBetween(sample, after[i]!).runNs, 0);
    const [p50, p99] = ['50%', '99%'].map((part) => new RegExp(`${part}\\s+(\\S+)`).exec(text)![1]);
    const perRequest = (cpuNs / requests / 1000).toFixed(1);
    const rate = (requests / SECONDS).toFixed(0);
    process.stdout.write(
      `${name}: ${rate} connections/s, p50 ${p50}, p99 ${p99}, ${perRequest} µs of CPU each\n`,
    );
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

for (let round = 0; round < ROUNDS; round++) for (const side of SIDES) await measure(side);
