// What a user of the package gets: it is packed, installed into an empty project, and used there.

import { deepEqual, equal, match } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Program, ServerProcess } from '../support/server-process.ts';
import { Project, ROOT, SEARCH_PATH } from './project.ts';

let project: Project;
before(async () => {
  project = await Project.create();
});
after(() => project.remove());

async function readmeExample(): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  return /^## An application$.*?^```ts\n(.*?)^```$/ms.exec(readme)![1]!;
}

async function serve(t: { after(end: () => Promise<void>): void }, app: string) {
  // What npm has linked, as npx runs it, which would stand between this test and the server.
  const program = new Program(t, [app, '-p', '0', '-A1', '-w1'], {
    command: join(project.path, 'node_modules/.bin/millrace'),
    cwd: project.path,
    env: { PATH: SEARCH_PATH },
  });
  const line = await program.output(({ stdout }) => /^.*http:\/\/.*$/m.exec(stdout)?.[0]);
  return new ServerProcess(program, line);
}

test("the README's example runs in an empty project", async (t) => {
  await project.write('app.ts', await readmeExample());
  const { url } = await serve(t, 'app.ts');
  const get = async (target: string): Promise<string> => (await fetch(url + target)).text();
  equal(await get('/hello'), 'hello\n');
  equal(await get('/echo?a=1'), 'GET /echo?a=1\n');
  equal(await get('/primes?below=1000000'), '78498\n');
});

function compile(file: string, ...options: readonly string[]): Promise<string> {
  return project.run(
    join(ROOT, 'node_modules/.bin/tsc'),
    ...['--strict', '--target', 'es2025', '--module', 'nodenext'],
    ...['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node'],
    ...options,
    file,
  );
}

const BROKEN = `import { defineApp } from 'millrace';
interface Erased {
  readonly line: number;
}
const erased: Erased = { line: 7 };
function fail(_request: unknown): never {
  throw new Error(\`line \${erased.line}\`);
}
export default defineApp({ routes: { 'GET /': fail } });
`;

test('errors name the lines of the user, also where the application was compiled', async (t) => {
  await project.write('broken.ts', BROKEN);
  await compile('broken.ts', '--sourceMap', '--outDir', 'compiled');
  for (const app of ['broken.ts', 'compiled/broken.js']) {
    const server = await serve(t, app);
    equal((await fetch(server.url)).status, 500);
    const log = await server.program.output(({ stderr }) =>
      stderr.includes('request-side') ? stderr : undefined,
    );
    match(log, /Error: line 7\n.*\/broken\.ts:7:9/);
  }
});

test('the demo is in the package, and the program tells its version', async (t) => {
  const { url } = await serve(t, '-v');
  deepEqual([(await fetch(`${url}/test/fast`)).status], [200]);
  deepEqual([(await fetch(`${url}/test/slow`)).status], [200]);
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  equal(await project.run('npx', '--no-install', 'millrace', '--version'), `millrace ${version}\n`);
});

test('the types of the package check an application', async () => {
  await project.write('typed.ts', await readmeExample());
  equal(await compile('typed.ts', '--noEmit'), '');
  await project.write(
    'mistaken.ts',
    `import { defineApp } from 'millrace';
export default defineApp({ routes: { 'GET /': (request) => request.nothing } });
`,
  );
  const errors = await compile('mistaken.ts', '--noEmit').catch(
    ({ stdout }: { stdout: string }) => stdout,
  );
  match(errors, /mistaken\.ts.*Property 'nothing' does not exist/);
});

test('nothing runs when the package is installed, and what it depends on is in it', async () => {
  const path = join(project.path, 'node_modules/millrace/package.json');
  const { scripts, dependencies, bundleDependencies } = JSON.parse(await readFile(path, 'utf8'));
  deepEqual(Object.keys(dependencies), bundleDependencies);
  deepEqual(bundleDependencies, ['acorn']);
  const ran = ['preinstall', 'install', 'postinstall', 'prepare'].filter((each) => each in scripts);
  deepEqual(ran, []);
  const lock = JSON.parse(await project.run('npm', 'ls', '--json', '--all'));
  deepEqual(Object.keys(lock.dependencies), ['millrace']);
});
