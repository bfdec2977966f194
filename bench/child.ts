// A child process of the benchmark: pinned to a CPU, read line by line, and gone when the benchmark
// is, however that ends.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const ERROR_CHARACTERS_MAX = 2000;

export type ChildOptions = {
  /** Undefined: not pinned. */
  readonly cpu: number | undefined;
  readonly cwd?: string;
};

export type Child = {
  readonly pid: number;
  /** The exit code, or the name of the signal; never rejects. */
  readonly ended: Promise<number | string>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Calls back for each line of stdout and of stderr from now on. */
  readonly onLine: (listener: (line: string) => void) => void;
  /** The end of what it wrote to stderr. */
  readonly errorOutput: () => string;
};

const running = new Set<ChildProcess>();

/** Ends with the children on SIGINT and SIGTERM too, which would otherwise leave servers behind. */
export function endChildrenWithProcess(): void {
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

export function startChild(command: readonly string[], options: ChildOptions): Child {
  const pinned =
    options.cpu === undefined ? command : ['taskset', '-c', String(options.cpu), ...command];
  // taskset replaces itself by the command, so the pid is the command's.
  const child = spawn(pinned[0]!, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: serverEnvironment(),
  });
  running.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-ERROR_CHARACTERS_MAX);
  });
  const outputs = [child.stdout, child.stderr].map((input) => createInterface({ input }));
  const { promise: ended, resolve } = Promise.withResolvers<number | string>();
  child.once('error', (error) => {
    errors += error.message;
    running.delete(child);
    resolve(error.message);
  });
  child.once('close', (code, signal) => {
    running.delete(child);
    resolve(code ?? signal ?? 'unknown');
  });
  return {
    // A child that could not be started has none; `ended` says why.
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => child.kill(signal),
    onLine: (listener) => {
      for (const lines of outputs) lines.on('line', listener);
    },
    errorOutput: () => errors.trim(),
  };
}

// The costly checks of `npm test` would be measured too.
function serverEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  delete environment.MILLRACE_VERIFY;
  return environment;
}
