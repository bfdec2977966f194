// The real program as a child process, for the black-box tests: started with a free port, stopped
// or killed when its test ends, whatever happens.
//
// MILLRACE_TEST_ARGS holds options, divided by spaces, that every server of the suite is started
// with: `--backend epoll` runs all of it on another backend. An option that a test gives itself
// wins.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

export const PROGRAM: string = fileURLToPath(new URL('../../bin/millrace.js', import.meta.url));
const NODE_OPTIONS = ['--disable-warning=ExperimentalWarning'];
const SUITE_ARGS = (process.env.MILLRACE_TEST_ARGS ?? '').split(' ').filter((arg) => arg !== '');

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What SIGUSR2 tells about one thread. */
export interface ThreadReport {
  readonly name: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly heap: { readonly usedBytes: number; readonly allocatedBytes: number };
}

export interface RunOptions {
  /** Set for the program alone; the MILLRACE_ variables of the tests do not reach it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the program instead of the Node that runs the tests. */
  readonly node?: string;
  /** A command that runs the program as its arguments say: `prlimit`, `setpriv`. */
  readonly wrapper?: readonly string[];
  /** In place of Node and this repository's program: without the options of the suite. */
  readonly command?: string;
  readonly cwd?: string;
}

/** What a program is started for: a test, or a file of tests. */
export interface Scope {
  after(end: () => Promise<void>): void;
}

/** A run of the program, whether or not it becomes a server. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  readonly #watchers = new Set<() => void>();
  #ended = false;

  constructor(
    t: Scope,
    args: readonly string[],
    { env = {}, node, wrapper = [], command, cwd }: RunOptions = {},
  ) {
    const nodeArgs = node === undefined ? NODE_OPTIONS : [];
    const own = [node ?? process.execPath, ...nodeArgs, PROGRAM];
    const program = command === undefined ? [...own, ...SUITE_ARGS] : [command];
    const [name, ...rest] = [...wrapper, ...program, ...args];
    this.child = spawn(name!, rest, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inheritedEnvironment(), ...env },
    });
    running.add(this.child);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    // `close` comes when the output is complete as well.
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#ended = true;
      running.delete(this.child);
      this.#changed();
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
    t.after(async () => {
      this.child.kill('SIGKILL');
      await this.exited;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until `find` finds something in the output; throws when the program ends before. */
  async output<T>(find: (program: Program) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this);
      if (found !== undefined) return found;
      if (this.#ended) throw new Error(`the program has ended: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  #changed(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}

/** A program that is ready to serve. */
export class ServerProcess {
  readonly program: Program;
  readonly readyLine: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly threads: number;
  #reports: Promise<unknown> = Promise.resolve();

  constructor(program: Program, readyLine: string) {
    const { url, host, port } = addressOf(readyLine);
    this.program = program;
    this.readyLine = readyLine;
    this.url = url;
    this.host = host;
    this.port = port;
    this.threads =
      Number(/(\d+) accept thread/.exec(readyLine)![1]) +
      Number(/(\d+) worker thread/.exec(readyLine)![1]);
  }

  get pid(): number {
    return this.program.pid;
  }

  /** Asks the server to end, and answers with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.program.child.kill(signal);
    return (await this.program.exited).code;
  }

  /** Counters and heap of every thread. */
  report(): Promise<ThreadReport[]> {
    // One at a time, so that each answer is known to belong to its question.
    const report = this.#reports.then(async () => {
      const before = reportsIn(this.program.stderr).length;
      this.program.child.kill('SIGUSR2');
      return this.program.output(({ stderr }) => {
        const reports = reportsIn(stderr).slice(before);
        return reports.length >= this.threads ? reports : undefined;
      });
    });
    this.#reports = report.catch(() => {});
    return report;
  }

  /** Asks for reports until `isReached` of the accept threads holds, and answers with the last. */
  async reportUntil(
    isReached: (accepts: ThreadReport[]) => boolean,
    waitMs = 5000,
  ): Promise<ThreadReport[]> {
    const begin = performance.now();
    for (;;) {
      const reports = await this.report();
      const accepts = reports.filter(({ name }) => name.startsWith('accept-'));
      if (isReached(accepts)) return reports;
      if (performance.now() - begin > waitMs) {
        throw new Error(`after ${waitMs} ms still: ${JSON.stringify(reports)}`);
      }
    }
  }

  /** One counter, over all accept threads. */
  async counter(name: string): Promise<number> {
    return sumOf(await this.report(), name);
  }

  /** How many descriptors the process has open. */
  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }
}

/** Starts a server on a free port, with `args` and those of the suite. */
export async function startServer(
  t: Scope,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<ServerProcess> {
  const program = new Program(t, ['-p', '0', ...args], options);
  const line = await program.output(({ stdout }) => /^.*http:\/\/.*$/m.exec(stdout)?.[0]);
  return new ServerProcess(program, line);
}

/** One server for all tests of a file: starting one takes longer than most tests. */
export function sharedServer(args: readonly string[]): () => ServerProcess {
  let server: ServerProcess | undefined;
  let stop = async (): Promise<void> => {};
  // Registered here: within the hook below it would be the end of the hook.
  after(() => stop());
  before(async () => {
    const scope: Scope = {
      after: (end) => {
        stop = end;
      },
    };
    server = await startServer(scope, args);
  });
  return () => server!;
}

/** Runs the program to its end. */
export function runProgram(
  t: Scope,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Exit> {
  return new Program(t, args, options).exited;
}

/** A counter, over all accept threads. */
export function sumOf(reports: readonly ThreadReport[], name: string): number {
  return reports
    .filter((report) => report.name.startsWith('accept-'))
    .reduce((sum, { counters }) => sum + counters[name]!, 0);
}

/** The address in a ready line. */
export function addressOf(line: string): { url: string; host: string; port: number } {
  const [url, host, port] = /http:\/\/(\[[^\]]+\]|[\d.]+):(\d+)/.exec(line)!;
  return { url, host: host!.replace(/[[\]]/g, ''), port: Number(port) };
}

function reportsIn(stderr: string): ThreadReport[] {
  // The last line may not have arrived in full.
  return stderr
    .slice(0, stderr.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('millrace: {'))
    .map((line) => JSON.parse(line.slice('millrace: '.length)) as ThreadReport);
}

function inheritedEnvironment(): NodeJS.ProcessEnv {
  const own = (name: string): boolean =>
    (name.startsWith('MILLRACE_') && name !== 'MILLRACE_VERIFY') || name === 'NODE_TEST_CONTEXT';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own(name)));
}
