// Running in the background: the program starts itself once more, detached from the terminal, waits
// until that is ready or has failed, says so, and ends. Control plane.

import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';

// Set for the process in the background: the descriptor on which it tells that it is ready.
const READY_FD = 'MILLRACE_DAEMON_READY_FD';

export function isDaemon(): boolean {
  return process.env[READY_FD] !== undefined;
}

/** In the background process: the server is ready. Elsewhere: nothing. */
export function tellReady(line: string): void {
  const fd = process.env[READY_FD];
  if (fd !== undefined) writeSync(Number(fd), `${line} | process ${process.pid}\n`);
}

/** Starts the background process; its failure to start is this process's own. */
export function daemonize(): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, [READY_FD]: '3' },
  });
  const ready = child.stdio[3]!;
  child.stderr!.pipe(process.stderr);
  return new Promise((resolve) => {
    ready.once('data', (line: Buffer) => {
      process.stdout.write(line);
      child.unref();
      resolve();
      // What still refers to the child would keep this process alive.
      process.exit(0);
    });
    child.once('exit', (code) => process.exit(code ?? 1));
  });
}
