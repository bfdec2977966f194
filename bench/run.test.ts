// The harness as a user starts it, in its smallest size.

import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { hasTool, missingLine, TASKSET, WRK } from './machine.ts';
import type { Run } from './measure.ts';

const PROGRAM = join(import.meta.dirname, 'run.ts');

async function bench(commandLine: string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...commandLine], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.withResolvers<number | null>();
  child.on('close', ended.resolve);
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended.promise, out, errors };
}

test('one round against node:http', { timeout: 60_000 }, async (t) => {
  for (const tool of [WRK, TASKSET]) {
    if (!hasTool(tool)) return t.skip(missingLine(tool));
  }
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const json = join(folder, 'runs.json');
  const line = '--rounds 1 --seconds 1 --servers node-http --only keep-alive --json';
  const { code, out, errors } = await bench([...line.split(' '), json]);

  equal(code, 0, errors);
  match(out, /^Linux .*, Node v\d+.*\n1 rounds of 1 s/);
  match(out, /^keep-alive: 64 connections/m);
  match(out, /^node-http +\d+(\.\d+)? /m);
  const { runs } = JSON.parse(readFileSync(json, 'utf8')) as { runs: Run[] };
  equal(runs.length, 1);
  const { server, round, cpu, gc, wrk } = runs[0]!;
  deepEqual({ server, round }, { server: 'node-http', round: 1 });
  ok(wrk.requests > 0);
  ok(cpu.runNs > 0);
  // node:http makes garbage with every request.
  ok(gc!.young > 0);
  ok(gc!.allocatedBytes > 0);
});

test('without tools it says what is missing, and ends with 69', async () => {
  const { code, out, errors } = await bench([], { PATH: '' });
  equal(code, 69);
  equal(out, '');
  match(errors, /^bench: wrk is missing: .*\(Debian package: wrk\)$/m);
  match(errors, /^bench: taskset is missing: .*\(Debian package: util-linux\)$/m);
  match(errors, /^bench: cc is missing: .*\(Debian package: gcc\)$/m);
});

test('a compiler is asked for only where the C responder takes part', async () => {
  const { code, errors } = await bench(['--only', '10k'], { PATH: '' });
  equal(code, 69);
  doesNotMatch(errors, /cc is missing/);
});

test('help, and wrong usage', async () => {
  const help = await bench(['--help']);
  equal(help.code, 0);
  match(help.out, /--rounds N/);
  const wrong = await bench(['--servers', 'apache']);
  equal(wrong.code, 64);
  match(
    wrong.errors,
    /^bench: --servers: there is no "apache", only millrace, .*, epoll, node-http, nginx$/m,
  );
  equal((await bench(['--servers', 'baseline'])).code, 64);
  const unable = await bench(['--servers', 'epoll', '--only', 'upload']);
  equal(unable.code, 64);
  match(unable.errors, /^bench: --servers: none of them can answer "upload", only millrace,/m);
});
