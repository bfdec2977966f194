// Running in the background: the program starts itself once more, detached from the terminal, waits
// until that is ready or has failed, says so, and ends. Control plane.
//
// The two talk over one pipe, until the background process is ready: lines of its log, then the
// line that it is ready, which begins with READY. After that its log goes nowhere.

import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

// Set for the background process: its end of the pipe.
const PIPE_FD = 'MILLRACE_DAEMON_PIPE_FD';
const READY = 'READY ';
const pipe = process.env[PIPE_FD];
// A program that the application starts is no background process of ours.
delete process.env[PIPE_FD];
let piped = isDaemon();

export function isDaemon(): boolean {
  return pipe !== undefined;
}

/** In the background process: a line of the log. */
export function logAsDaemon(line: string): void {
  if (piped) writeSync(pipeFd(), line);
}

/** In the background process: the server is ready. Elsewhere: nothing. */
export function tellReady(line: string): void {
  if (!piped) return;
  writeSync(pipeFd(), `${READY}${line} | process ${process.pid}\n`);
  closeSync(pipeFd());
  piped = false;
}

/** Starts the background process; its failure to start is this process's own. */
export function daemonize(): Promise<never> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { ...process.env, [PIPE_FD]: '3' },
  });
  return new Promise(() => {
    createInterface(child.stdio[3] as Readable).on('line', (line) => {
      if (!line.startsWith(READY)) {
        process.stderr.write(`${line}\n`);
        return;
      }
      process.stdout.write(`${line.slice(READY.length)}\n`);
      process.exit(0);
    });
    // When all that the process said has been read.
    child.once('close', (code) => process.exit(code ?? 1));
  });
}

function pipeFd(): number {
  return Number(pipe);
}
