import { deepEqual, equal, match } from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readRepository } from './tidy.ts';

const TIDY = join(import.meta.dirname, 'tidy.ts');

/** A repository of its own in a temporary folder, with these files in its work tree. */
function repository(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'tidy-'));
  t.after(() => rmSync(root, { recursive: true }));
  execFileSync('git', ['init', '--quiet', root]);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

test('files are those that are tracked or new; ignored, deleted and linked ones are not', (t) => {
  const root = repository(t, {
    '.gitignore': '*.log\n',
    'a.ts': 'a;',
    'b c.ts': 'b;',
    'gone.ts': 'c;',
    'd.log': 'd',
  });
  execFileSync('git', ['add', 'a.ts', 'gone.ts'], { cwd: root });
  rmSync(join(root, 'gone.ts'));
  symlinkSync('a.ts', join(root, 'link.ts'));
  deepEqual(
    readRepository(root).map(({ path }) => path),
    ['.gitignore', 'a.ts', 'b c.ts'],
  );
  equal(readRepository(root)[1]!.text, 'a;');
});

test('the command prints a line for each finding, in order, and exits with 1', (t) => {
  const root = repository(t, {
    'src/io/b.ts': "// B. Data plane.\nimport '../loop/a.ts';\nfunction f() { throw a; }\n",
    'src/loop/a.ts': "// A.\nimport '../io/b.ts';\n",
    'README.md': '[a](gone.md)\n',
    'core.bin': '',
  });
  const { status, stdout } = spawnSync(process.execPath, [TIDY], { cwd: root, encoding: 'utf8' });
  equal(status, 1);
  const places = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/: .*/, ''));
  deepEqual(places, [
    'README.md:1',
    'core.bin:1',
    'src/io/b.ts:2',
    'src/io/b.ts:2',
    'src/io/b.ts:3',
  ]);
  match(stdout, /an import cycle: src\/io\/b\.ts -> src\/loop\/a\.ts -> src\/io\/b\.ts/);
});

test('the command exits with 0 when there is nothing to say', (t) => {
  const root = repository(t, { 'src/io/a.ts': '// A.\nexport const A = 1;\n' });
  const { status, stdout } = spawnSync(process.execPath, [TIDY], { cwd: root, encoding: 'utf8' });
  equal(stdout, 'tidy: 1 files, no findings\n');
  equal(status, 0);
});

// A rule that is written and tested but left out of the list would check nothing.
test('each rule is in the list: one file for each, and one finding', (t) => {
  const files = {
    'src/io/layers.ts': "// A.\nimport '../cli/a.ts';\n",
    'src/index.ts': '// A.\na();\n',
    'bench/ffi.ts': "import 'node:ffi';\n",
    'src/io/header.ts': 'a();\n',
    'src/io/plane.ts': '// Data plane.\nfunction f() {\n  throw a;\n}\n',
    'src/io/length.ts': `// A.\n${'a();\n'.repeat(400)}`,
    'bench/columns.ts': `${'a'.repeat(101)};\n`,
    'bench/leftover.ts': `// ${'FIX'}ME\n`,
    'bench/any.ts': 'let a: any;\n',
    'bench/sleep.test.ts': 'setTimeout(a, 1);\n',
    'bench/excuse.ts': '// tidy: allow\n',
    'bench/stray.bin': '',
    'bench/blob.json': 'x'.repeat(256 * 1024 + 1),
    'src/io/cycle.ts': "// A.\nimport './cycle.ts';\n",
    'docs/links.md': '[a](gone.md)\n',
  };
  const root = repository(t, files);
  const { stdout } = spawnSync(process.execPath, [TIDY], { cwd: root, encoding: 'utf8' });
  const paths = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/:.*/, ''));
  deepEqual(paths.toSorted(), Object.keys(files).toSorted());
});
