import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { apiReference, declarationOf, exportsOf } from './reference.ts';

const INDEX = `export type { A, B } from './a.ts';
export { c } from './b/c.ts';
//# sourceMappingURL=index.d.ts.map`;

const A = `import type { X } from './x.ts';
/** What A is. */
export interface A {
    /** A member. */
    readonly member: X;
}
/** What B is. */
export declare class B {
    #private;
    private constructor();
    /** Does it. */
    act(): void;
}
export interface Bare {
}
`;
const C = `/**
 * Does c,
 * in two lines.
 *
 * @throws RangeError when it cannot.
 */
export declare function c(a: string): void;
export declare const other = 1;
`;

test('the exports of an index, with the files that declare them', () => {
  deepEqual(exportsOf(INDEX), [
    { name: 'A', path: 'a.d.ts' },
    { name: 'B', path: 'a.d.ts' },
    { name: 'c', path: 'b/c.d.ts' },
  ]);
});

test('a declaration keeps its public members and their docstrings', () => {
  deepEqual(declarationOf('A', A), {
    doc: 'What A is.',
    code: 'interface A {\n    /** A member. */\n    readonly member: X;\n}',
  });
  equal(declarationOf('B', A).code, 'class B {\n    /** Does it. */\n    act(): void;\n}');
  deepEqual(declarationOf('c', C), {
    doc: 'Does c,\nin two lines.\n\nThrows `RangeError` when it cannot.',
    code: 'function c(a: string): void;',
  });
});

test('what has no docstring, or is not there, is told', () => {
  throws(() => declarationOf('Bare', A), /Bare is exported, and has no docstring/);
  throws(() => declarationOf('D', A), /D is exported, and declared nowhere/);
});

test('the reference has a section for each name', () => {
  const text = apiReference(INDEX, (path) => (path === 'a.d.ts' ? A : C));
  deepEqual(text.match(/^## .*/gm), ['## A', '## B', '## c']);
  match(
    text,
    /## c\n\nDoes c,\nin two lines\.\n\n.*\n\n```ts\nfunction c\(a: string\): void;\n```\n/,
  );
});
