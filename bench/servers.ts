// The servers that are compared: a table, and what it takes to run one.
//
// To add a server, add a row: a command that stays in the foreground as one process, and prints a
// line with its URL once it listens.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { get } from 'node:http';
import { join, resolve } from 'node:path';
import { type Child, startChild } from './child.ts';
import { GcTrace } from './gc-trace.ts';

const STARTS_WITHIN_MS = 10_000;
const STOPS_WITHIN_MS = 3_000;
const TARGET = '/test/fast';

export type ServerRow = {
  readonly name: string;
  readonly what: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  /** A file without which the server cannot run. */
  readonly needs: string;
  /** Finds the URL in the line that says it listens. */
  readonly ready: RegExp;
  /** True when its standard output carries V8's `--trace-gc` lines. */
  readonly tracesGc: boolean;
};

export const MILLRACE = 'millrace';
export const MILLRACE_EPOLL = 'millrace-epoll';
export const BASELINE = 'baseline';
export const EPOLL = 'epoll';
export const NODE_HTTP = 'node-http';

const ROOT = resolve(import.meta.dirname, '..');
const RESPONDER_SOURCE = join(import.meta.dirname, 'epoll-responder.c');
const RESPONDER = join(import.meta.dirname, 'build', 'epoll-responder');

const READY = /http:\/\/127\.0\.0\.1:\d+/;
const TRACED_NODE = [process.execPath, '--disable-warning=ExperimentalWarning', '--trace-gc'];

/** `baseline`: the folder of another checkout of Millrace, or undefined for none. */
export function serverTable(baseline: string | undefined): ServerRow[] {
  const rows: ServerRow[] = [
    millrace(MILLRACE, 'Millrace, this checkout', ROOT),
    millrace(MILLRACE_EPOLL, 'Millrace on epoll, this checkout', ROOT, '--backend', 'epoll'),
  ];
  if (baseline !== undefined) {
    rows.push(millrace(BASELINE, 'Millrace, the checkout of --baseline', resolve(baseline)));
  }
  rows.push(
    {
      name: EPOLL,
      what: 'bench/epoll-responder.c: what the kernel alone costs',
      command: [RESPONDER, '0'],
      needs: RESPONDER,
      ready: READY,
      tracesGc: false,
    },
    {
      name: NODE_HTTP,
      what: 'node:http, one thread',
      command: [...TRACED_NODE, join(import.meta.dirname, 'node-http.ts'), '0'],
      needs: join(import.meta.dirname, 'node-http.ts'),
      ready: READY,
      tracesGc: true,
    },
  );
  return rows;
}

// One accept thread, because the server has one CPU.
function millrace(name: string, what: string, root: string, ...options: string[]): ServerRow {
  const program = join(root, 'bin', 'millrace.js');
  return {
    name,
    what,
    command: [...TRACED_NODE, program, '-p', '0', '-A', '1', '-w', '1', ...options],
    cwd: root,
    needs: program,
    ready: READY,
    tracesGc: true,
  };
}

/** @throws Error with the compiler's words. */
export function compileResponder(): void {
  mkdirSync(join(import.meta.dirname, 'build'), { recursive: true });
  // Renamed into place: another benchmark may be running the old one.
  const fresh = `${RESPONDER}.${process.pid}`;
  execFileSync('cc', ['-O2', '-Wall', '-o', fresh, RESPONDER_SOURCE], { stdio: 'pipe' });
  renameSync(fresh, RESPONDER);
}

export type RunningServer = {
  readonly pid: number;
  readonly url: string;
  readonly gc: GcTrace;
  /** @throws Error when the server has ended by itself. */
  readonly checkRuns: () => void;
  readonly stop: () => Promise<void>;
};

/** @throws Error when it does not start, or answers anything but an empty 200. */
export async function startServer(row: ServerRow, cpu: number | undefined): Promise<RunningServer> {
  if (!existsSync(row.needs)) throw new Error(`${row.needs} is missing`);
  const options = row.cwd === undefined ? { cpu } : { cpu, cwd: row.cwd };
  const child = startChild(row.command, options);
  const gc = new GcTrace();
  try {
    const url = (await readyUrl(row, child, gc)) + TARGET;
    await checkAnswer(url);
    let endedWith: number | string | undefined;
    void child.ended.then((code) => {
      endedWith = code;
    });
    const checkRuns = () => {
      if (endedWith === undefined) return;
      throw new Error(`it ended with ${endedWith} under load: ${child.errorOutput()}`);
    };
    return { pid: child.pid, url, gc, checkRuns, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function readyUrl(row: ServerRow, child: Child, gc: GcTrace): Promise<string> {
  const ready = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => ready.reject(new Error(`no ready line within ${STARTS_WITHIN_MS} ms`)),
    STARTS_WITHIN_MS,
  );
  child.onLine((line) => {
    if (row.tracesGc) gc.add(line);
    const url = row.ready.exec(line);
    if (url !== null) ready.resolve(url[0]);
  });
  void child.ended.then((code) =>
    ready.reject(new Error(`it ended with ${code} before it listened: ${child.errorOutput()}`)),
  );
  try {
    return await ready.promise;
  } finally {
    clearTimeout(timer);
  }
}

// A server that answers something else may well be faster.
async function checkAnswer(url: string): Promise<void> {
  const answer = Promise.withResolvers<void>();
  const request = get(url, { agent: false, timeout: STARTS_WITHIN_MS }, (response) => {
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    response.on('error', answer.reject);
    response.on('end', () => {
      if (response.statusCode === 200 && size === 0) answer.resolve();
      else answer.reject(new Error(`it answers ${response.statusCode} with ${size} bytes`));
    });
  });
  request.on('timeout', () => request.destroy(new Error('it does not answer')));
  request.on('error', answer.reject);
  await answer.promise;
}

async function stop(child: Child): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
  child.kill('SIGTERM');
  await child.ended;
  clearTimeout(timer);
}
