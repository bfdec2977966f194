// The data plane allocates nothing: the constructs that would, each with what replaces it.
//
// A file is checked when its header says "Data plane" and does not say "Control plane". Exempt in
// it are constructors, statements of the module (they run once, at start), and every function with
// a sentence that begins "Control plane" in the comment directly above it. What runs only on the
// way to a crash, or is measured to be free, is excused line by line (see `excuse.ts`).
// Control plane: a developer's tool.

import { excusedLines } from './excuse.ts';
import { closing, type Extent, extentEnd, functionBelow, topLevel } from './extents.ts';
import { type Scan, scan, words } from './scan.ts';
import { type Finding, isEngine, isTest, type Source } from './source.ts';

type Ban = { readonly pattern: RegExp; readonly what: string; readonly instead: string };

const LOOP = 'walk with an indexed `for` loop';
const ERRNO = 'answer a small negative number, or assert';
const LATER = 'answer a state that the tick comes back to';

const BANS: readonly Ban[] = [
  { pattern: /\.\.\./g, what: '`...` makes an array or object', instead: 'name each element' },
  { pattern: /\$\{/g, what: 'a template makes a string', instead: 'use a literal, or write bytes' },
  { pattern: /(?<![.\w$])async(?:\s+[\w$#*[(]|\()/g, what: '`async`', instead: LATER },
  { pattern: /(?<![.\w$])await\b/g, what: '`await`', instead: LATER },
  { pattern: /\bnew\s+Promise\b|\bPromise\.\w/g, what: 'a promise', instead: LATER },
  { pattern: /(?<![.\w$])throw\b(?!\s*:)/g, what: '`throw`', instead: ERRNO },
  {
    // A constant such as `0n` exists already; the result of an operation with one does not.
    pattern:
      /\bBigInt\s*[.(]|(?<=[\w)\]]\s*(?:[-+*/%&|^]|<<|>>)=?\s*)(?:0[xob][\da-f_]+|\d[\d_]*)n\b/gi,
    what: 'a BigInt is made anew by each operation',
    instead: 'use two 32-bit words',
  },
  { pattern: /\.map\s*[(<]/g, what: '`.map` makes an array', instead: LOOP },
  { pattern: /\.filter\s*[(<]/g, what: '`.filter` makes an array', instead: LOOP },
  { pattern: /\.forEach\s*[(<]/g, what: '`.forEach` makes a closure', instead: LOOP },
  {
    pattern: /(?<![.\w$])for\s*(?:await\s*)?\(\s*(?:const|let|var)\b[^;()]*?\sof\s/g,
    what: '`for … of` makes an iterator',
    instead: LOOP,
  },
];

/** Every file of the server says first what it owns, on which thread, in which plane. */
export function header(file: Source): Finding[] {
  if (!isEngine(file.path) || isTest(file.path)) return [];
  if (headerOf(scan(file.text)) !== null) return [];
  return [{ path: file.path, line: 1, message: 'a file opens with a comment on what it owns' }];
}

export function dataPlane(file: Source): Finding[] {
  if (!isEngine(file.path) || isTest(file.path)) return [];
  const scanned = scan(file.text);
  const says = headerOf(scanned) ?? '';
  if (!/\bdata[ -]plane\b/i.test(says) || /\bcontrol[ -]plane\b/i.test(says)) return [];

  const code = without(scanned.code, exempt(scanned));
  const excused = excusedLines(scanned);
  const findings: Finding[] = [];
  for (const { pattern, what, instead } of BANS) {
    for (const match of code.matchAll(pattern)) {
      const line = scanned.lineAt(match.index);
      if (excused.has(line)) continue;
      findings.push({ path: file.path, line, message: `data plane: ${what}; ${instead}` });
    }
  }
  return findings;
}

function headerOf(scanned: Scan): string | null {
  const first = scanned.comments[0];
  if (first === undefined || scanned.code.slice(0, first.start).trim() !== '') return null;
  return words(scanned, first);
}

function exempt(scanned: Scan): Extent[] {
  const { code } = scanned;
  const extents: Extent[] = [];
  for (const match of code.matchAll(/(?<![.\w$])constructor\s*\(/g)) {
    extents.push({ start: match.index, end: extentEnd(code, match.index) });
  }
  for (const comment of scanned.comments) {
    // The sentence, not the words: "called by the control plane too" is data plane.
    if (!/(?:^|[.:;)] )Control plane\b/.test(words(scanned, comment))) continue;
    const below = functionBelow(scanned, comment);
    if (below !== null) extents.push(below);
  }
  for (const statement of topLevel(code)) {
    if (!isCode(code.slice(statement.start, statement.end))) extents.push(statement);
  }
  return extents;
}

const DECLARATION =
  /^(?:export\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:function|class)\b/;
// Up to the value of a constant, past a type that may hold an arrow: `const f: () => void = `.
const CONSTANT = /^(?:export\s+)?(?:const|let)\s[^=]*=(?:>[^=]*=)*\s*(?:async\b\s*)?/;
const METHOD = /=>|\bfunction\b|\)\s*(?::[^={]*)?\{/;

// True when functions are declared here that a tick may reach; false for what runs once at start,
// and for types, which do not run at all.
function isCode(statement: string): boolean {
  if (DECLARATION.test(statement)) return true;
  const constant = CONSTANT.exec(statement);
  if (constant === null) return false;
  const value = statement.slice(constant[0].length);
  if (value.startsWith('{')) return METHOD.test(value);
  if (value.startsWith('(')) return /^[^;{}()]*=>|^\s*:.*=>/s.test(value.slice(closing(value, 0)));
  return /^(?:function\b|[\w$]+\s*=>)/.test(value);
}

function without(code: string, extents: readonly Extent[]): string {
  let rest = code;
  for (const { start, end } of extents) {
    const blank = rest.slice(start, end).replace(/[^\n]/g, ' ');
    rest = rest.slice(0, start) + blank + rest.slice(end);
  }
  return rest;
}
