import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { closing, extentEnd, functionBelow, topLevel } from './extents.ts';
import { scan } from './scan.ts';

test('a member ends at the brace of its body, past the braces of its types', () => {
  const first = 'f(a: { b: number }): { c: number } | { d: Array<{ e: 1 }> } { if (a) { g(); } }';
  const code = `class A {\n  ${first}\n  h() {}\n}`;
  const start = code.indexOf('f(');
  equal(code.slice(start, extentEnd(code, start)), first);
});

test('a declaration without a body ends at its semicolon, or with what holds it', () => {
  equal(extentEnd('a(): void; b() {}', 0), 10);
  equal(extentEnd('a = 1 } b', 0), 6);
});

test('a bracket is closed behind its own partner', () => {
  equal(closing('(a[(b)], { c }) => d)', 0), 15);
  equal(closing('(a', 0), 2);
});

test('the top of a file is a list of statements', () => {
  const code = 'import { a } from "a";\nconst b = [1, { c: 2 }];\nfunction d() { e(); }\nf();\n';
  const starts = topLevel(code).map(({ start }) => code.slice(start, start + 5).trim());
  deepEqual(starts, ['impor', 'from', 'const', 'funct', 'f();']);
});

test('a comment belongs to the function directly below it', () => {
  const below = (text: string): string | null => {
    const scanned = scan(text);
    const extent = functionBelow(scanned, scanned.comments[0]!);
    return extent && scanned.code.slice(extent.start, extent.end);
  };
  equal(below('// c\nexport async function f() { a; }\nb();'), 'export async function f() { a; }');
  equal(below('/** c */\nstatic #f<T>(): void { a; }\nb;'), 'static #f<T>(): void { a; }');
  equal(below('/** c */\nconst f = (): number => a;\nb;'), 'const f = (): number => a;');
  equal(below('/** c */\n[Symbol.dispose](): void { a; }\nb;'), '[Symbol.dispose](): void { a; }');
  equal(below('// c\n\nf() { a; }'), null);
  equal(below('// c\nif (a) { b; }'), null);
  equal(below('// c\nf(a);\ng() { b; }'), null);
  equal(below('a; // c\nf() { b; }'), null);
});
