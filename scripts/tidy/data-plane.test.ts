// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings here are source text.

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { dataPlane, header } from './data-plane.ts';

const HEADER = '// Owner: one thread. Data plane.\n\n';

function findingsIn(text: string, path = 'src/io/a.ts') {
  return dataPlane({ path, text: HEADER + text });
}

/** Lines of `text`, counted from 1. */
const linesIn = (text: string): number[] => findingsIn(text).map(({ line }) => line - 2);
const inFunction = (body: string): number[] => linesIn(`function f() {\n  ${body}\n}`);

test('each construct that allocates is found, and its replacement is named', () => {
  const cases: [string, RegExp][] = [
    ['g(...a);', /name each element/],
    ['a = [...b];', /name each element/],
    ['a = { ...b };', /name each element/],
    ['a = `b${c}`;', /literal, or write bytes/],
    ['a = async () => b;', /a state that the tick/],
    ['await a;', /a state that the tick/],
    ['a = new Promise(b);', /a promise/],
    ['a = Promise.resolve(b);', /a promise/],
    ["throw new Error('a');", /negative number, or assert/],
    ['a = BigInt(b);', /two 32-bit words/],
    ['a = b + 1n;', /two 32-bit words/],
    ['a = b(c) << 32n;', /two 32-bit words/],
    ['a.map(b);', /indexed `for` loop/],
    ['a?.filter(b);', /indexed `for` loop/],
    ['a.forEach(b);', /indexed `for` loop/],
    ['for (const a of b) c(a);', /indexed `for` loop/],
    ['for (const [a, c] of b.entries()) c(a);', /indexed `for` loop/],
  ];
  for (const [body, instead] of cases) {
    const findings = findingsIn(`function f() {\n  ${body}\n}`);
    equal(findings.length, 1, body);
    equal(findings[0]!.line, 4, body);
    match(findings[0]!.message, instead);
  }
});

test('what only looks like one is none', () => {
  const cases = [
    'for (let i = 0; i < of; i++) a(i);',
    'for (const key in a) b(key);',
    'a(\'throw ...b\', "await"); // throw new Promise',
    'a = `no substitution`;',
    'a = g(b, 0n);',
    'a = b === 0n;',
    'a = b || 0n;',
    'a = new BigInt64Array(b);',
    'a.async(b); a.throw(b); a = { async: true, throw: b };',
    'a.mapped(b); map(a);',
  ];
  for (const body of cases) deepEqual(inFunction(body), [], body);
});

test('only a header that says data plane, and not control plane, is held to it', () => {
  const found = (says: string, path = 'src/io/a.ts') =>
    dataPlane({ path, text: `${says}\n\nfunction f() {\n  throw a;\n}` }).length;
  equal(found('// Any thread, data plane.'), 1);
  equal(found('// One thread. Data\n// plane.'), 1);
  equal(found('// Control plane: opening. Data plane: `signal`.'), 0);
  equal(found('// Both planes.'), 0);
  equal(found('let a; // Data plane.'), 0);
  equal(found('// Data plane.', 'src/io/a.test.ts'), 0);
  equal(found('// Data plane.', 'src/io/a.fuzz.ts'), 0);
  equal(found('// Data plane.', 'bench/a.ts'), 0);
});

test('a constructor is exempt, and the method behind it is not', () => {
  const members = [
    'constructor(a: { b: number }) {',
    '    throw a;',
    '  }',
    '  f() {',
    '    throw a;',
  ];
  deepEqual(linesIn(`class A {\n  ${members.join('\n')}\n  }\n}`), [6]);
  deepEqual(inFunction('this.constructor(() => { throw a; });'), [2]);
});

test('a function documented as control plane is exempt, to its last brace', () => {
  const method = (doc: string) => `class A {\n  ${doc}\n  f(): { a: 1 } {\n    throw a;\n  }\n}`;
  deepEqual(linesIn(method('/** Ends it. Control plane. */')), []);
  deepEqual(linesIn(method('// Control plane: at start.')), []);
  deepEqual(linesIn(method('/** The control plane calls it too. */')), [4]);
  deepEqual(linesIn(method('/** Ends it. Control plane. */\n')), [5]);
  const twice = '// Control plane.\nfunction f() {\n  throw a;\n}\nfunction g() {\n  throw a;\n}';
  deepEqual(linesIn(twice), [6]);
});

test('a comment inside a function exempts no statement', () => {
  deepEqual(inFunction('// Control plane.\n  if (a) { throw a; }'), [3]);
});

test('statements of the module run once, at start; functions among them are data plane', () => {
  const start = [
    'const A = [...B];',
    'export const C = D.map((d) => d.e);',
    'for (const a of A) C.push(a);',
    'const O = { ...A, b: 1 };',
    'type T = (...a: number[]) => void;',
    'interface I { f(...a: number[]): void }',
  ];
  deepEqual(linesIn(start.join('\n')), []);
  deepEqual(linesIn('const f = (a: number): number => g(...a);'), [1]);
  deepEqual(linesIn('const f: () => void = (a = b()) => g(...a);'), [1]);
  deepEqual(linesIn('export const f = a => a.map(b);'), [1]);
  deepEqual(linesIn('const o = { f() { throw a; } };'), [1]);
  deepEqual(linesIn('export default class A { f() { throw a; } }'), [1]);
});

test('a line is excused with a reason, and not without', () => {
  deepEqual(inFunction('throw a; // tidy: allow the thread is lost'), []);
  deepEqual(inFunction('// tidy: allow the thread is lost\n  throw a;'), []);
  deepEqual(inFunction('throw a; // tidy: allow'), [2]);
  deepEqual(inFunction('throw a; // tidy: allow the thread is lost\n  throw b;'), [3]);
});

test('a file of the server opens with a comment', () => {
  const lines = (path: string, text: string) => header({ path, text }).map(({ line }) => line);
  deepEqual(lines('src/io/a.ts', "import 'b';\n// Late."), [1]);
  deepEqual(lines('src/io/a.ts', ''), [1]);
  deepEqual(lines('src/io/a.ts', "// What it owns.\nimport 'b';"), []);
  deepEqual(lines('src/cli/a.ts', "#!/usr/bin/env node\n/* What it owns. */\nimport 'b';"), []);
  deepEqual(lines('src/io/a.test.ts', "import 'b';"), []);
  deepEqual(lines('bench/a.ts', "import 'b';"), []);
});
