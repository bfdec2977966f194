import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import type { FileRule } from './source.ts';
import { COLUMNS_MAX, columns, LINES_MAX, leftovers, length, sleeps, unchecked } from './text.ts';

const lines = (rule: FileRule, path: string, text: string): number[] =>
  rule({ path, text }).map(({ line }) => line);

test('a line has at most 100 columns, counted in characters', () => {
  const fits = 'é😀'.repeat(COLUMNS_MAX / 2);
  deepEqual(lines(columns, 'a.ts', `${fits}\n${fits}x\n`), [2]);
  deepEqual(lines(columns, 'a.c', `${fits}x`), [1]);
  deepEqual(lines(columns, 'a.sh', `${fits}x`), [1]);
  deepEqual(lines(columns, 'a.md', `${fits}x`), []);
});

test('a line with an address may be longer', () => {
  deepEqual(lines(columns, 'a.ts', `// https://example.org/${'x'.repeat(COLUMNS_MAX)}`), []);
});

test('a file of src/ has at most 400 lines, tests excepted', () => {
  const fits = 'a;\n'.repeat(LINES_MAX);
  deepEqual(lines(length, 'src/a.ts', fits), []);
  deepEqual(lines(length, 'src/a.ts', `${fits}a;\n`), [LINES_MAX + 1]);
  deepEqual(lines(length, 'src/a.test.ts', `${fits}a;\n`), []);
  deepEqual(lines(length, 'bench/a.ts', `${fits}a;\n`), []);
});

test('leftovers are found in comments, and in any text that is not scanned', () => {
  const mark = ['FIX', 'ME'].join('');
  const crosses = 'X'.repeat(3);
  deepEqual(lines(leftovers, 'a.ts', `a;\n// ${mark}: b\n/* ${crosses} */`), [2, 3]);
  deepEqual(lines(leftovers, 'a.sh', `a\n# ${mark}`), [2]);
  deepEqual(lines(leftovers, 'a.ts', `a('${crosses}'); // mktemp a.${crosses}${crosses}`), []);
  deepEqual(lines(leftovers, 'a.md', mark), []);
});

test('`any` needs a reason on its line', () => {
  const types = [
    'let a: any;',
    'b as any;',
    'let c: Array<any>;',
    'let d: A | any;',
    'let e: any[];',
  ];
  deepEqual(lines(unchecked, 'a.ts', types.join('\n')), [1, 2, 3, 4, 5]);
  const reasons = types.map((type) => `${type} // node has no type for it`);
  deepEqual(lines(unchecked, 'a.ts', reasons.join('\n')), []);
  deepEqual(lines(unchecked, 'a.ts', 'let a: any; // label'), [1]);
  deepEqual(lines(unchecked, 'a.js', 'a = { b: any };'), []);
  deepEqual(lines(unchecked, 'a.ts', "// is any: any\nPromise.any(a); b(': any');"), []);
});

test('a directive that silences the compiler needs a reason on its line', () => {
  const ignore = '@ts-ignore';
  deepEqual(lines(unchecked, 'a.ts', `// ${ignore}\na;\n/* @ts-expect-error */`), [1, 3]);
  deepEqual(lines(unchecked, 'a.ts', `// ${ignore}: node has no type for it\na;`), []);
  deepEqual(lines(unchecked, 'a.ts', `// Never write ${ignore}\na('// ${ignore}');`), []);
});

test('a test does not sleep', () => {
  deepEqual(lines(sleeps, 'src/a.test.ts', 'a;\nsetTimeout(b, 10);'), [2]);
  deepEqual(lines(sleeps, 'src/a.test.ts', 'globalThis.setTimeout(b, 10);'), [1]);
  deepEqual(
    lines(sleeps, 'test/a.test.ts', "import { setTimeout as s } from 'timers/promises';"),
    [1],
  );
  deepEqual(lines(sleeps, 'test/a.test.ts', "await import('node:timers/promises');"), [1]);
});

test('what does not wait is no sleep, and neither is one with a reason', () => {
  deepEqual(lines(sleeps, 'src/a.test.ts', "socket.setTimeout(1); a('setTimeout(');"), []);
  deepEqual(lines(sleeps, 'src/a.ts', 'setTimeout(a, 10);'), []);
  const excused = 'setTimeout(a, 10); // tidy: allow a guard that ends a test that hangs';
  deepEqual(lines(sleeps, 'src/a.test.ts', excused), []);
  deepEqual(lines(sleeps, 'src/a.test.ts', 'setTimeout(a, 10); // tidy: allow'), [1]);
});
