import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { cycles } from './cycles.ts';

// Files of one folder: each name with the names it imports.
function files(graph: Record<string, string[]>) {
  return Object.entries(graph).map(([name, imports]) => ({
    path: `src/io/${name}.ts`,
    text: ['// A.', ...imports.map((to) => `import type { T } from './${to}.ts';`)].join('\n'),
  }));
}

const told = (graph: Record<string, string[]>) =>
  cycles(files(graph)).map(({ line, message }) => [
    line,
    message.replaceAll(/src\/io\/|\.ts|an import cycle: /g, ''),
  ]);

test('a diamond and an import of a file that is missing are no cycles', () => {
  deepEqual(told({ a: ['b', 'c'], b: ['d'], c: ['d', 'gone'], d: [] }), []);
});

test('a cycle is told once, by its shortest way, at the import that begins it', () => {
  deepEqual(told({ a: ['d', 'b'], b: ['c'], c: ['a'], d: [] }), [[3, 'a -> b -> c -> a']]);
  deepEqual(told({ a: ['b'], b: ['c', 'a'], c: ['a'] })[0], [2, 'a -> b -> a']);
  deepEqual(told({ a: ['a'] }), [[2, 'a -> a']]);
});

test('a file that only leads into a cycle is not in it', () => {
  deepEqual(told({ a: ['b'], b: ['c'], c: ['b'] }), [[2, 'b -> c -> b']]);
});
