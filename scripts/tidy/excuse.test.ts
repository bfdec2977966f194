import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { excusedLines, excuses } from './excuse.ts';
import { scan } from './scan.ts';

const excused = (text: string): number[] => [...excusedLines(scan(text))];

test('an excuse is for its own line, or for the line below its comment', () => {
  deepEqual(excused('a;\nb; // tidy: allow once at start\nc;'), [2]);
  deepEqual(excused('a;\n// tidy: allow once at start\nb;\nc;'), [3]);
  deepEqual(excused('// Why so.\n// tidy: allow once, and\n// at start\nb;'), [4]);
  deepEqual(excused('// Why so. tidy: allow once at start\nb;'), [2]);
  deepEqual(excused('/* tidy: allow once at start */\nb;'), [2]);
});

test('a mention is no excuse, and neither is a string', () => {
  deepEqual(excused('// See tidy: allow some reason.\nb;'), []);
  deepEqual(excused("a('// tidy: allow some reason');"), []);
});

test('without a reason it excuses nothing and is a finding itself', () => {
  const lines = (text: string, path = 'src/a.ts') => excuses({ path, text }).map((f) => f.line);
  deepEqual(excused('a; // tidy: allow\nb; // tidy: allow cold'), []);
  deepEqual(lines('a; // tidy: allow\nb; // tidy: allow cold\nc; // tidy: allow a reason'), [1, 2]);
  deepEqual(lines('// tidy: allow', 'docs/a.md'), []);
});
