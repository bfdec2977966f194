// The program as a child process: what needs no server.

import { equal, match } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bindListeners, closeListeners, startListening } from '../io/listener.ts';
import { helpText } from './options.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/millrace.js', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Outcome> {
  const flags = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, PROGRAM, ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

test('help and version are printed, and nothing is started', async () => {
  const [help, version] = await Promise.all([run('--help'), run('--version')]);
  equal(help.stdout, `${helpText()}\n`);
  const file = new URL('../../package.json', import.meta.url);
  equal(version.stdout, `millrace ${JSON.parse(readFileSync(file, 'utf8')).version}\n`);
  for (const { code, stderr } of [help, version]) equal(`${code}${stderr}`, '0');
});

test('a mistake in the call is one line with the way to the help, and exit code 2', async () => {
  const [flag, app] = await Promise.all([run('--port', 'x'), run('./no-such-app.ts')]);
  match(flag.stderr, /^millrace: --port is .* \(see millrace --help\)\n$/);
  match(app.stderr, /^millrace: there is no application ".\/no-such-app.ts" \(see .*\)\n$/);
  for (const { code, stdout } of [flag, app]) equal(`${code}${stdout}`, '2');
});

test('a port in use is one line with what to do, and exit code 69', async () => {
  const listeners = bindListeners('127.0.0.1', 0, 1);
  const { port } = listeners;
  startListening(listeners);
  const { code, stdout, stderr } = await run('--port', String(port));
  closeListeners(listeners);
  equal(code, 69);
  equal(stdout, '');
  match(
    stderr,
    new RegExp(`^millrace: 127\\.0\\.0\\.1:${port} is in use by another server; .*\n$`),
  );
});
