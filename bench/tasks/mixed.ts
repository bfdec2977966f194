// How long /test/fast takes while every worker burns CPU: Millrace, with and without --worker-nice,
// beside node:http with piscina, in turn. Needs wrk.
//
//     npm run bench:mixed

import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const WORKERS = 2;
const SECONDS = 3;
const ROUNDS = 3;
const app = path('./app.ts');
const millrace = [path('../../bin/millrace.js'), app, '-p', '0', '-w', String(WORKERS)];

const SERVERS: Readonly<Record<string, readonly string[]>> = {
  'millrace, --worker-nice 0': [...millrace, '--worker-nice', '0'],
  'millrace, --worker-nice 19': [...millrace, '--worker-nice', '19'],
  'node:http, piscina': [path('./node-http.ts'), String(WORKERS)],
};

function path(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

async function measure(args: readonly string[], burns: boolean): Promise<string[]> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args]);
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (text: Buffer) => {
        const found = /http:\/\/[\d.:]+/.exec(String(text));
        if (found !== null) resolve(found[0]);
      });
      child.once('exit', () => reject(new Error('the server has ended')));
    });
    let burning = burns;
    const burners = Array.from({ length: 2 * WORKERS }, async () => {
      while (burning) await (await fetch(`${url}/test/cpu`)).arrayBuffer();
    });
    const wrk = ['-t1', '-c16', `-d${SECONDS}s`, '--latency', `${url}/test/fast`];
    const { stdout } = await promisify(execFile)('wrk', wrk);
    burning = false;
    await Promise.all(burners);
    return [/99%\s+(\S+)/.exec(stdout)![1]!, /Requests\/sec:\s+(\S+)/.exec(stdout)![1]!];
  } finally {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

for (const burns of [false, true]) {
  for (let round = 0; round < (burns ? ROUNDS : 1); round++) {
    for (const [name, args] of Object.entries(SERVERS)) {
      const [p99, rate] = await measure(args, burns);
      const load = burns ? 'every worker burns' : 'idle workers';
      process.stdout.write(`${name}, ${load}: p99 ${p99}, ${rate} requests/s\n`);
    }
  }
}
