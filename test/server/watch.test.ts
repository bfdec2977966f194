// `--watch`: an application that is being written.

import { equal, match, ok } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Program, startServer } from '../support/server-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function source(version: string): string {
  return `import { defineApp } from 'millrace';
import { name } from './lib/name.ts';
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export default defineApp({
  routes: {
    'GET /': (_request, response) => response.end('${version} ' + name),
    'GET /slow': async (_request, response) => {
      await pass(400);
      response.end('slow ${version}');
    },
  },
});
`;
}

interface Written {
  readonly app: string;
  write(name: string, text: string): Promise<void>;
}

async function project(t: TestContext, app: string): Promise<Written> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-watch-'));
  t.after(() => rm(folder, { recursive: true }));
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  await mkdir(join(folder, 'lib'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules/millrace'));
  await write('package.json', '{ "type": "module" }');
  await write('lib/name.ts', "export const name: string = 'mill';\n");
  await write('app.ts', app);
  return { app: join(folder, 'app.ts'), write };
}

const SMALL = ['-A', '2', '-w', '1', '-C', '100', '--watch'];

/** One request on a connection of its own; rejects when it is refused or reset. */
function ask(url: string, agent = new Agent()): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.setTimeout(5000, () => request.destroy(new Error('no answer')));
  });
}

/** Asks with new connections, one after the other, until the answer is `text`. None may fail. */
async function until(url: string, text: string): Promise<number> {
  const begin = performance.now();
  for (let count = 1; ; count++) {
    const answer = await ask(url);
    if (answer === text) return count;
    ok(performance.now() - begin < 10_000, `still "${answer}"`);
  }
}

test('new sources take over: no connection is refused, all are answered', async (t) => {
  const { app, write } = await project(t, source('one'));
  const server = await startServer(t, [app, ...SMALL]);
  equal(await ask(`${server.url}/`), 'one mill');
  for (const [before, after] of [
    ['one', 'two'],
    ['two', 'three'],
  ] as const) {
    const slow = ask(`${server.url}/slow`);
    await write('app.ts', source(after));
    ok((await until(`${server.url}/`, `${after} mill`)) > 1);
    equal(await slow, `slow ${before}`);
  }
  await write('lib/name.ts', "export const name: string = 'race';\n");
  await until(`${server.url}/`, 'three race');
  equal(await server.stop(), 0);
  equal(server.program.stdout.match(/is ready/g)?.length, 4);
});

test('a broken application is told of with its line, and the old threads go on', async (t) => {
  const { app, write } = await project(t, source('one'));
  const server = await startServer(t, [app, ...SMALL]);
  await write('app.ts', 'const fine: number = 1;\nthrow new Error("broken " + fine);\n');
  const log = await server.program.output(({ stderr }) =>
    stderr.includes('the old threads go on') ? stderr : undefined,
  );
  match(log, /Error: broken 1\n {4}at .*app\.ts:2:7/);
  equal(await ask(`${server.url}/`), 'one mill');
  await write('app.ts', 'export default {\n  routes: {;\n');
  await server.program.output(({ stderr }) => {
    const told = stderr.match(/the old threads go on/g) ?? [];
    return told.length === 2 ? stderr : undefined;
  });
  match(server.program.stderr, /app\.ts:2\b/);
  await write('app.ts', source('two'));
  await until(`${server.url}/`, 'two mill');
  equal(await server.stop(), 0);
});

test('an application that is broken from the start is waited for', async (t) => {
  const { app, write } = await project(t, 'throw new Error("not yet");\n');
  const program = new Program(t, [app, '-p', '0', ...SMALL]);
  await program.output(({ stderr }) =>
    stderr.includes('waiting for a change') ? true : undefined,
  );
  await write('app.ts', source('one'));
  const url = await program.output(({ stdout }) => /http:\/\/[\d.:]+/.exec(stdout)?.[0]);
  equal(await ask(`${url}/`), 'one mill');
});

test('a watch is for the foreground', async (t) => {
  const { exited } = new Program(t, ['--watch', '--daemonize']);
  const { code, stderr } = await exited;
  equal(code, 2);
  match(stderr, /--watch is for the foreground/);
});
