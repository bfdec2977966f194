// How the program starts, and what it says when it cannot: one clear line and an exit code.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { FAST, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import { addressOf, Program, runProgram, startServer } from '../support/server-process.ts';

// Few threads and a capacity within every descriptor limit: no warning.
const SMALL = ['-A', '1', '-w', '1', '-C', '100'];

function temporaryFile(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function equalOneLine(stderr: string, pattern: RegExp): void {
  match(stderr, /^millrace: [^\n]+\n$/);
  match(stderr, pattern);
}

test('a server that is ready says so in one line, and warns of nothing', async (t) => {
  const server = await startServer(t, SMALL);
  match(server.program.stdout, /^millrace is ready on http:\/\/127\.0\.0\.1:\d+ \| [^\n]+\n$/);
  match(server.readyLine, /\| 1 accept thread\b[^|]*\b100 connections\b[^|]*\| 1 worker thread\b/);
  ok(server.port > 0, '-p 0 picks a free port');
  const peer = await HttpPeer.open(t, server.port);
  equal((await peer.ask(FAST)).status, 200);
  peer.close();
  equal(await server.stop(), 0);
  equal(server.program.stderr, '');
});

test('IPv6', async (t) => {
  const server = await startServer(t, [...SMALL, '-H', '::1']);
  match(server.readyLine, /http:\/\/\[::1\]:\d+/);
  const peer = await HttpPeer.open(t, server.port, { host: '::1' });
  equal((await peer.ask(SLOW)).status, 200);
});

describe('a port in use: exit 69', () => {
  const IN_USE = /127\.0\.0\.1:\d+ is in use/;

  test('by another Millrace', async (t) => {
    const first = await startServer(t, SMALL);
    const { code, stdout, stderr } = await runProgram(t, [...SMALL, '-p', String(first.port)]);
    equal(code, 69);
    equal(stdout, '');
    equalOneLine(stderr, IN_USE);
    const peer = await HttpPeer.open(t, first.port);
    equal((await peer.ask(FAST)).status, 200);
  });

  test('by another Millrace that is not ready', async (t) => {
    const app = temporaryFile(
      t,
      'app.mjs',
      "process._rawDebug('loads'); setInterval(() => {}, 1000); await new Promise(() => {});",
    );
    const port = String(await unusedPort());
    const first = new Program(t, [...SMALL, '-p', port, app]);
    await first.output(({ stderr }) => stderr.includes('loads') || undefined);
    const { code, stdout, stderr } = await runProgram(t, [...SMALL, '-p', port]);
    deepEqual([code, stdout], [69, '']);
    equalOneLine(stderr, IN_USE);
  });

  test('by a server of Node’s', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => {
      other.close();
    });
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runProgram(t, [...SMALL, '-p', String(port)]);
    equal(code, 69);
    equalOneLine(stderr, IN_USE);
  });

  test('and free again once that server has ended', async (t) => {
    const first = await startServer(t, SMALL);
    // A connection that the server ends leaves the port in TIME_WAIT.
    const peer = await HttpPeer.open(t, first.port);
    await peer.ask(request('/test/fast', 'GET', 'Connection: close'));
    equal(await peer.ended, 'end');
    peer.close();
    equal(await first.stop(), 0);
    const second = await startServer(t, [...SMALL, '-p', String(first.port)]);
    equal(second.port, first.port);
  });
});

test('an address that is not of this machine: exit 69', async (t) => {
  const { code, stderr } = await runProgram(t, [...SMALL, '-H', '192.0.2.1', '-p', '0']);
  equal(code, 69);
  equalOneLine(stderr, /192\.0\.2\.1/);
});

const IS_ROOT = process.getuid?.() === 0;
test('a port without permission: exit 77', { skip: IS_ROOT && 'root may' }, async (t) => {
  const { code, stderr } = await runProgram(t, [...SMALL, '-p', '80']);
  equal(code, 77);
  equalOneLine(stderr, /permission/);
});

describe('wrong use is one line, exit 2', () => {
  const cases: [args: string[], pattern: RegExp][] = [
    [['--no-such-option'], /--no-such-option/],
    [['-p', 'http'], /--port .*"http"/],
    [['--port=-1'], /--port/],
    [['-p'], /-p/],
    [['-H', 'localhost'], /--host .*"localhost"/],
    [['-A', '0'], /--accept-threads/],
    [['--backend', 'kqueue'], /--backend/],
    [['--verbose=yes'], /verbose/],
    [['--config', '/no/such/file'], /\/no\/such\/file/],
    [['/no/such/app.ts'], /\/no\/such\/app\.ts/],
    [['one.ts', 'two.ts'], /two\.ts/],
    [[tmpdir()], /is a folder/],
  ];
  for (const [args, pattern] of cases) {
    test(args.join(' '), async (t) => {
      const { code, stdout, stderr } = await runProgram(t, args);
      equal(code, 2);
      equal(stdout, '');
      equalOneLine(stderr, pattern);
    });
  }

  // Node's explanation has three lines.
  test('-p -1', async (t) => {
    const { code, stderr } = await runProgram(t, ['-p', '-1']);
    equal(code, 2);
    equalOneLine(stderr, /-p/);
  });

  test('an environment variable', async (t) => {
    const { code, stderr } = await runProgram(t, SMALL, { env: { MILLRACE_PORT: 'http' } });
    equal(code, 2);
    equalOneLine(stderr, /MILLRACE_PORT/);
  });

  for (const [text, pattern] of [
    ['{', /config/],
    ['{ "prot": 1 }', /"prot"/],
  ] as const) {
    test(`a config file with ${text}`, async (t) => {
      const path = temporaryFile(t, 'millrace.json', text);
      const { code, stderr } = await runProgram(t, ['--config', path]);
      equal(code, 2);
      equalOneLine(stderr, pattern);
    });
  }
});

test('--help and --version tell, exit 0', async (t) => {
  for (const flag of ['--help', '-h']) {
    const { code, stdout, stderr } = await runProgram(t, [flag]);
    deepEqual([code, stderr], [0, '']);
    match(stdout, /^Usage: millrace/);
    for (const option of ['--port', '--accept-capacity', '--slow-duration', '--daemonize']) {
      ok(stdout.includes(option), option);
    }
  }
  const { code, stdout, stderr } = await runProgram(t, ['--version']);
  deepEqual([code, stderr], [0, '']);
  match(stdout, /^millrace \d+\.\d+\.\d+\n$/);
});

test('a flag wins over the environment, which wins over the config file', async (t) => {
  const config = temporaryFile(
    t,
    'millrace.json',
    '{ "accept-threads": 3, "accept-capacity": 30, "worker-threads": "3", "port": 0 }',
  );
  const env = { MILLRACE_ACCEPT_THREADS: '2', MILLRACE_ACCEPT_CAPACITY: '20' };
  const server = await startServer(t, ['--config', config, '-A', '1'], { env });
  match(server.readyLine, /\| 1 accept thread\b[^|]*\b20 connections\b[^|]*\| 3 worker threads\b/);
  const again = await startServer(t, ['-w', '0'], { env: { ...env, MILLRACE_CONFIG: config } });
  match(again.readyLine, /\| 2 accept threads\b[^|]*\b20 connections\b[^|]*\| 0 worker threads\b/);
});

test('SIGTERM before a server is ready: what is in flight is answered, exit 0', async (t) => {
  const gate = temporaryFile(t, 'gate', '');
  const app = temporaryFile(
    t,
    'app.mjs',
    `import { existsSync } from 'node:fs';
    import { threadName } from 'node:worker_threads';
    import { setTimeout as passed } from 'node:timers/promises';
    if (threadName === 'worker-1') {
      process._rawDebug('held');
      while (existsSync(${JSON.stringify(gate)})) await passed(10);
    }
    export default {
      routes: { 'GET /test/slow': { task: 'slow' } },
      tasks: { slow: async (task) => {
          process._rawDebug('runs');
          await passed(300);
          task.end('slow');
        } },
    };`,
  );
  const port = await unusedPort();
  const args = ['-p', String(port), '-A', '1', '-w', '2', '-C', '100', app];
  const program = new Program(t, args);
  const said =
    (text: string) =>
    ({ stderr }: Program) =>
      stderr.includes(text) || undefined;
  await program.output(said('held'));
  const peer = await HttpPeer.open(t, port);
  await peer.send(SLOW);
  await program.output(said('runs'));
  program.child.kill('SIGTERM');
  equal((await peer.response()).body, 'slow');
  rmSync(gate);
  const { code, stdout } = await program.exited;
  deepEqual([code, stdout], [0, '']);
});

test('a drain cuts off what takes longer than --drain-timeout, and says how much', async (t) => {
  const app = temporaryFile(
    t,
    'app.mjs',
    `export default { routes: {
      'GET /never': () => new Promise(() => {}),
      'GET /fast': (_request, response) => response.end(),
    } };`,
  );
  const server = await startServer(t, [...SMALL, '--drain-timeout', '0.3', app]);
  const silent = await HttpPeer.open(t, server.port);
  await silent.ask(request('/fast'));
  const peer = await HttpPeer.open(t, server.port);
  await peer.send(request('/never'));
  await server.reportUntil(([accept]) => accept!.counters.requests === 2);
  equal(await server.stop(), 0);
  match(
    server.program.stderr,
    /\nmillrace: 1 connection was cut off: [^\n]* --drain-timeout, 0\.3 s\n$/,
  );
});

test('SIGUSR2 before a server is ready: there is nothing to report', async (t) => {
  const app = temporaryFile(
    t,
    'app.mjs',
    "process._rawDebug('loads'); setInterval(() => {}, 1000); await new Promise(() => {});",
  );
  const program = new Program(t, [...SMALL, '-p', '0', app]);
  await program.output(({ stderr }) => stderr.includes('loads') || undefined);
  program.child.kill('SIGUSR2');
  await program.output(
    ({ stderr }) => stderr.includes('millrace: there is nothing to report yet') || undefined,
  );
  program.child.kill('SIGTERM');
  equal((await program.exited).signal, 'SIGTERM');
});

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('--verbose prints the counters at the end', async (t) => {
  const server = await startServer(t, [...SMALL, '-v']);
  const peer = await HttpPeer.open(t, server.port);
  await peer.ask(FAST);
  peer.close();
  equal(await server.stop(), 0);
  match(server.program.stderr, /millrace: \{"name":"accept-0".*"requests":1\b/);
});

test('--daemonize ends when the server in the background is ready', async (t) => {
  const env = markDaemon(t);
  const { code, stdout, stderr } = await runProgram(t, [...SMALL, '-p', '0', '-d'], { env });
  deepEqual([code, stderr], [0, '']);
  const pid = Number(/process (\d+)\n$/.exec(stdout)?.[1]);
  deepEqual(processesWith(env), [pid]);
  match(stdout, /^millrace is ready on http:\/\/[^\n]+\n$/);
  const peer = await HttpPeer.open(t, addressOf(stdout).port);
  equal((await peer.ask(SLOW)).status, 200);
  process.kill(pid, 'SIGTERM');
  equal(await peer.ended, 'end');
});

test('--daemonize leaves nothing in the environment of the application', async (t) => {
  const app = temporaryFile(
    t,
    'app.mjs',
    `const own = Object.keys(process.env).filter((name) => name.startsWith('MILLRACE_DAEMON'));
    export default { routes: { 'GET /env': (_request, response) => response.json(own) } };`,
  );
  const env = markDaemon(t);
  const { stdout } = await runProgram(t, [...SMALL, '-p', '0', '-d', app], { env });
  const peer = await HttpPeer.open(t, addressOf(stdout).port);
  equal((await peer.ask(request('/env'))).body, '[]');
});

test('--daemonize fails as the server in the background does', async (t) => {
  const first = await startServer(t, SMALL);
  const env = markDaemon(t);
  const args = [...SMALL, '-p', String(first.port), '-d'];
  const { code, stdout, stderr } = await runProgram(t, args, { env });
  deepEqual([code, stdout], [69, '']);
  equalOneLine(stderr, /in use/);
  deepEqual(processesWith(env), []);
});

// A daemon outlives the program that the test started: it is found by its environment, and killed
// when the test ends, whatever it has printed.
function markDaemon(t: TestContext): { DAEMON_OF: string } {
  const env = { DAEMON_OF: randomUUID() };
  t.after(() => {
    for (const pid of processesWith(env)) process.kill(pid, 'SIGKILL');
  });
  return env;
}

function processesWith({ DAEMON_OF }: { DAEMON_OF: string }): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`DAEMON_OF=${DAEMON_OF}`);
    } catch {
      // Gone since, or another user's.
      return false;
    }
  });
}

const OLD_NODE = findOldNode();
test('a Node that is too old says so in one line, exit 1', {
  skip: OLD_NODE === undefined && 'there is no older Node on this machine',
}, async (t) => {
  const { code, stdout, stderr } = await runProgram(t, SMALL, { node: OLD_NODE! });
  deepEqual([code, stdout], [1, '']);
  equalOneLine(stderr, /Node\.js 26\.9 or later is needed, this is \d+\./);
});

function findOldNode(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'];
  return folders
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .find((path) => {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
      return Number(/^v(\d+)/.exec(version)![1]) < 26;
    });
}
