// The servers that are compared: a table, and what it takes to run one.
//
// To add a server, add a row: a command that stays in the foreground as one process, and prints a
// line once it listens, with its URL unless the launch knows that; and name it in the scenarios it
// can answer.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Child, startChild } from './child.ts';
import { GcTrace } from './gc-trace.ts';
import { NGINX_TOOL, toolPath } from './machine.ts';
import { launchNginx } from './nginx.ts';

const STARTS_WITHIN_MS = 10_000;
const STOPS_WITHIN_MS = 3_000;

export type ServerRow = {
  readonly name: string;
  readonly what: string;
  /** A file without which the server cannot run. */
  readonly needs: string;
  /** What to run, asked for anew at each start. */
  readonly launch: () => Launch | Promise<Launch>;
  /** Finds the line that says it listens and, unless the launch knows it, the origin in it. */
  readonly ready: RegExp;
  /** True when its standard output carries V8's `--trace-gc` lines. */
  readonly tracesGc: boolean;
};

export type Launch = {
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Such as `http://127.0.0.1:8080`; undefined: the ready line holds it. */
  readonly origin?: string;
};

export const MILLRACE = 'millrace';
export const MILLRACE_EPOLL = 'millrace-epoll';
export const BASELINE = 'baseline';
export const EPOLL = 'epoll';
export const NODE_HTTP = 'node-http';
export const NGINX = 'nginx';

const ROOT = resolve(import.meta.dirname, '..');
const RESPONDER_SOURCE = join(import.meta.dirname, 'epoll-responder.c');
const APP = join(import.meta.dirname, 'app.ts');
const NODE_HTTP_SERVER = join(import.meta.dirname, 'node-http.ts');
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
      needs: RESPONDER,
      launch: () => ({ command: [RESPONDER, '0'] }),
      ready: READY,
      tracesGc: false,
    },
    {
      name: NODE_HTTP,
      what: 'node:http, one thread',
      needs: NODE_HTTP_SERVER,
      launch: () => ({ command: [...TRACED_NODE, NODE_HTTP_SERVER, '0'] }),
      ready: READY,
      tracesGc: true,
    },
    nginx(toolPath(NGINX_TOOL) ?? NGINX_TOOL.name),
  );
  return rows;
}

// One accept thread, because the server has one CPU.
function millrace(name: string, what: string, root: string, ...options: string[]): ServerRow {
  const program = join(root, 'bin', 'millrace.js');
  const command = [...TRACED_NODE, program, APP, '-p', '0', '-A', '1', '-w', '1', ...options];
  return {
    name,
    what,
    needs: program,
    launch: () => ({ command, cwd: root }),
    ready: READY,
    tracesGc: true,
  };
}

function nginx(program: string): ServerRow {
  return {
    name: NGINX,
    what: 'nginx, one process, files by sendfile',
    needs: program,
    launch: () => launchNginx(program),
    // The first line it logs after it listens.
    ready: /\[notice\] .*: nginx\/\d/,
    tracesGc: false,
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
  readonly origin: string;
  readonly gc: GcTrace;
  /** @throws Error when the server has ended by itself. */
  readonly checkRuns: () => void;
  readonly stop: () => Promise<void>;
};

/** @throws Error when it does not start. */
export async function startServer(row: ServerRow, cpu: number | undefined): Promise<RunningServer> {
  if (!existsSync(row.needs)) throw new Error(`${row.needs} is missing`);
  const launch = await row.launch();
  const options = launch.cwd === undefined ? { cpu } : { cpu, cwd: launch.cwd };
  const child = startChild(launch.command, options);
  const gc = new GcTrace();
  try {
    const readyText = await readyTextOf(row, child, gc);
    const origin = launch.origin ?? readyText;
    let endedWith: number | string | undefined;
    void child.ended.then((code) => {
      endedWith = code;
    });
    const checkRuns = () => {
      if (endedWith === undefined) return;
      throw new Error(`it ended with ${endedWith} under load: ${child.errorOutput()}`);
    };
    return { pid: child.pid, origin, gc, checkRuns, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function readyTextOf(row: ServerRow, child: Child, gc: GcTrace): Promise<string> {
  const ready = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => ready.reject(new Error(`no ready line within ${STARTS_WITHIN_MS} ms`)),
    STARTS_WITHIN_MS,
  );
  child.onLine((line) => {
    if (row.tracesGc) gc.add(line);
    const found = row.ready.exec(line);
    if (found !== null) ready.resolve(found[0]);
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

async function stop(child: Child): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
  child.kill('SIGTERM');
  await child.ended;
  clearTimeout(timer);
}
