import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ffi, indexOnly, layers } from './layers.ts';

// The message for one import, or null when it is fine.
function verdict(path: string, specifier: string): string | null {
  const findings = layers({ path, text: `// A.\nimport type { A } from '${specifier}';` });
  equal(findings.length <= 1, true);
  if (findings[0] !== undefined) equal(findings[0].line, 2);
  return findings[0]?.message ?? null;
}

test('a layer imports from itself and from below', () => {
  equal(verdict('src/io/a.ts', './b.ts'), null);
  equal(verdict('src/io/uring/a.ts', '../io.ts'), null);
  equal(verdict('src/io/a.ts', '../kernel/b.ts'), null);
  equal(verdict('src/cli/a.ts', '../base/b.ts'), null);
  equal(verdict('src/worker/a.ts', '../delegate/b.ts'), null);
  equal(verdict('src/base/a.ts', 'node:fs'), null);
});

test('a layer does not import from above', () => {
  match(verdict('src/io/a.ts', '../loop/b.ts')!, /`io` is below `loop`/);
  match(verdict('src/base/a.ts', '../cli/b.ts')!, /`base` is below `cli`/);
  match(verdict('src/app/a.ts', '../connection/b.ts')!, /below `connection`/);
  match(verdict('src/io/a.ts', '../index.ts')!, /`index.ts` is below no layer/);
});

test('the layers are in this order, each below the one before', () => {
  const order = 'cli server accept connection app delegate loop io http memory kernel base';
  const folders = order.split(' ');
  const narrow = ['http', 'memory'];
  for (let i = 1; i < folders.length; i++) {
    const [upper, lower] = [folders[i - 1]!, folders[i]!];
    if (!narrow.includes(upper)) equal(verdict(`src/${upper}/a.ts`, `../${lower}/b.ts`), null);
    equal(verdict(`src/${lower}/a.ts`, `../${upper}/b.ts`) === null, false);
  }
});

test('nothing above `io` imports a backend of it', () => {
  match(verdict('src/loop/a.ts', '../io/uring/b.ts')!, /knows its backends/);
  match(verdict('src/server/a.test.ts', '../io/uring/b.ts')!, /knows its backends/);
  equal(verdict('src/io/open-io.ts', './uring/b.ts'), null);
  equal(verdict('src/loop/a.ts', '../io/io.ts'), null);
});

test('siblings do not import each other', () => {
  match(verdict('src/accept/a.ts', '../worker/b.ts')!, /siblings/);
  match(verdict('src/worker/a.test.ts', '../accept/b.ts')!, /siblings/);
});

test('http and memory are narrower than their row, and their tests are not', () => {
  equal(verdict('src/http/a.ts', '../memory/b.ts'), null);
  match(verdict('src/http/a.ts', '../kernel/b.ts')!, /only memory and base, not `kernel`/);
  match(verdict('src/memory/a.ts', '../kernel/b.ts')!, /only base, not `kernel`/);
  equal(verdict('src/memory/a.test.ts', '../kernel/b.ts'), null);
  match(verdict('src/memory/a.test.ts', '../io/b.ts')!, /`memory` is below `io`/);
});

test('the demo is an application: it sees what a user sees', () => {
  equal(verdict('src/demo/a.ts', '../index.ts'), null);
  equal(verdict('src/demo/a.ts', '../app/b.ts'), null);
  match(verdict('src/demo/a.ts', '../base/b.ts')!, /`demo` imports only app/);
  match(verdict('src/cli/a.ts', '../demo/b.ts')!, /`demo` is below no layer/);
});

test('only the index imports from everywhere', () => {
  equal(verdict('src/index.ts', './cli/a.ts'), null);
  equal(verdict('src/index.test.ts', './cli/a.ts'), null);
});

test('the server imports nothing from beside src/, but its tests may', () => {
  match(verdict('src/io/a.ts', '../../test/b.ts')!, /only from src/);
  equal(verdict('src/io/a.test.ts', '../../test/b.ts'), null);
  equal(verdict('src/cli/a.ts', '../../package.json'), null);
  equal(verdict('bench/a.ts', '../test/b.ts'), null);
});

test('a folder without a place in the table is a finding', () => {
  const finding = { path: 'src/util/a.ts', line: 1 };
  const [found] = layers({ path: finding.path, text: '' });
  match(found!.message, /`util` is no layer/);
  equal(found!.line, 1);
});

test('the index holds imports and exports of names, and nothing else', () => {
  const lines = (text: string) => indexOnly({ path: 'src/index.ts', text }).map((f) => f.line);
  const fine = [
    '// Public names.',
    "export { a } from './a.ts';",
    "export type { B } from './b.ts';",
    "export * from './c.ts';",
    "import { d } from './d.ts';",
    'export { d };',
  ];
  deepEqual(lines(fine.join('\n')), []);
  deepEqual(lines("export { a } from './a.ts';\nexport const b = 1;\nc();"), [2, 3]);
  deepEqual(lines("await import('./a.ts');"), [1]);
  deepEqual(lines("import('./a.ts');"), [1]);
  deepEqual(indexOnly({ path: 'src/io/index.ts', text: 'a();' }), []);
});

test('`node:ffi` is for the kernel layer alone', () => {
  const text = "import ffi from 'node:ffi';";
  deepEqual(
    ['src/io/a.ts', 'bench/a.ts', 'test/kernel/a.test.ts'].map(
      (path) => ffi({ path, text }).length,
    ),
    [1, 1, 1],
  );
  deepEqual(ffi({ path: 'src/kernel/ffi.ts', text }), []);
  deepEqual(ffi({ path: 'src/io/a.ts', text: "// not 'node:ffi'\nimport 'node:fs';" }), []);
});
