// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings here are source text.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { scan, words } from './scan.ts';

// What is left of a line of code, with runs of blanks as one.
function left(text: string): string {
  const { code } = scan(text);
  equal(code.length, text.length);
  return code.replace(/ +/g, ' ').trim();
}

test('comments and the inside of strings are blanked, and their quotes stay', () => {
  equal(left("a('throw'); // await"), "a(' ');");
  equal(left('a("it\\"s", /* ... */ b);'), 'a(" ", b);');
  equal(left("const url = 'http://host'; b();"), "const url = ' '; b();");
});

test('a template keeps the code of its substitutions, at any depth', () => {
  equal(left('`await ${a({ b: `throw ${c}` })} for`;'), '` ${a({ b: ` ${c}` })} `;');
  equal(left('`\\${no}` + d;'), '` ` + d;');
});

test('a slash divides after a value and opens a regular expression elsewhere', () => {
  equal(left('a / b; // c'), 'a / b;');
  equal(left("x = (a) / 2 + f('/');"), "x = (a) / 2 + f('/');".replace("'/'", "' '"));
  equal(left("if (/['/]throw/.test(a)) b('x');"), "if (/ /.test(a)) b(' ');");
  equal(left("return /'/; d('throw');"), "return / /; d(' ');");
  equal(left("a in /'/; d('throw');"), "a in / /; d(' ');");
  equal(left('a(/ b);'), 'a(/ b);');
  equal(left("within / 2; d('/');"), "within / 2; d(' ');");
});

test('the line of an offset counts line feeds inside comments and templates', () => {
  const scanned = scan('/* one\ntwo */\n`\n\n${a}`;\nlast');
  equal(scanned.lineAt(0), 1);
  equal(scanned.lineAt(scanned.code.indexOf('a}')), 5);
  equal(scanned.lineAt(scanned.code.indexOf('last')), 6);
});

test('line comments directly below each other are one comment, a trailing one is its own', () => {
  const scanned = scan('// one\n// two\na(); // three\n// four\n\n/** five\n * six */');
  deepEqual(
    scanned.comments.map((comment) => words(scanned, comment)),
    ['one two', 'three', 'four', 'five six'],
  );
  deepEqual(
    scanned.comments.map((comment) => comment.ownLine),
    [true, false, true, true],
  );
});

test('a first line that names an interpreter is neither code nor comment', () => {
  const scanned = scan("#!/usr/bin/env node's\nlet a;");
  equal(scanned.code.trim(), 'let a;');
  equal(scanned.comments.length, 0);
});
