// Rules that need no more than the words of a file: its width, its length, its leftovers.
// Control plane: a developer's tool.

import { excusedLines } from './excuse.ts';
import { importsOf } from './imports.ts';
import { type Scan, scan } from './scan.ts';
import { type Finding, isTest, linesOf, type Source } from './source.ts';

export const COLUMNS_MAX = 100;
export const LINES_MAX = 400;

/** Two files fit beside each other. An address is not broken, so a line with one may be longer. */
export function columns(file: Source): Finding[] {
  if (!/\.(?:ts|c|h|js|sh)$/.test(file.path)) return [];
  const findings: Finding[] = [];
  for (const [index, line] of linesOf(file.text).entries()) {
    const count = [...line].length;
    if (count <= COLUMNS_MAX || /https?:\/\//.test(line)) continue;
    const message = `${count} columns, the most is ${COLUMNS_MAX}`;
    findings.push({ path: file.path, line: index + 1, message });
  }
  return findings;
}

export function length(file: Source): Finding[] {
  if (!file.path.startsWith('src/') || isTest(file.path)) return [];
  const count = linesOf(file.text).length;
  if (count <= LINES_MAX) return [];
  const message = `${count} lines: more than ${LINES_MAX} usually hold two ideas`;
  return [{ path: file.path, line: LINES_MAX + 1, message }];
}

const LEFTOVER = new RegExp(`\\b(?:${'FIX'}ME|${'X'}XX)\\b`, 'g');

/** What was to be done later is done, or is an issue. */
export function leftovers(file: Source): Finding[] {
  if (!/\.(?:[cm]?[jt]s|c|h|sh|lua|ya?ml)$/.test(file.path)) return [];
  const scanned = scan(file.text);
  // Only shell, Lua and YAML have comments that the scanner does not know.
  const knows = /\.(?:[cm]?[jt]s|c|h)$/.test(file.path);
  const text = knows ? onlyComments(scanned) : file.text;
  return [...text.matchAll(LEFTOVER)].map((match) => ({
    path: file.path,
    line: scanned.lineAt(match.index),
    message: `${match[0]}: do it, or open an issue`,
  }));
}

const ANY = /:\s*any\b|\b(?:as|satisfies)\s+any\b|[<|&,]\s*any\b(?=\s*[>|&[,])|[|&]\s*any\b/g;
const SILENCED = /@ts-(?:ignore|expect-error|nocheck)\b/g;

/** The compiler is overruled only with a reason on the same line. */
export function unchecked(file: Source): Finding[] {
  if (!/\.ts$/.test(file.path)) return [];
  const scanned = scan(file.text);
  const comments = onlyComments(scanned);
  const findings: Finding[] = [];
  const report = (what: string, offset: number) => {
    const message = `${what} needs its reason in a comment on the same line`;
    findings.push({ path: file.path, line: scanned.lineAt(offset), message });
  };
  for (const match of scanned.code.matchAll(ANY)) {
    if (!isReason(restOfLine(comments, match.index))) report('`any`', match.index);
  }
  for (const match of comments.matchAll(SILENCED)) {
    // A comment that only mentions the directive does not begin with it, and silences nothing.
    const before = comments.slice(comments.lastIndexOf('\n', match.index) + 1, match.index);
    if (!/^\s*(?:\/\/+|\/\*+|\*)\s*$/.test(before)) continue;
    const after = restOfLine(comments, match.index + match[0].length);
    if (!isReason(after)) report(`\`${match[0]}\``, match.index);
  }
  return findings;
}

/** A test that waits for a time to pass is slow when it passes and wrong on a slow machine. */
export function sleeps(file: Source): Finding[] {
  if (!file.path.endsWith('.test.ts')) return [];
  const scanned = scan(file.text);
  const lines = new Set<number>();
  // `socket.setTimeout(` is an option of the socket, it does not wait.
  for (const match of scanned.code.matchAll(/(?:(?<![.\w$])|\bglobalThis\.)setTimeout\s*\(/g))
    lines.add(scanned.lineAt(match.index));
  for (const { specifier, line } of importsOf(file))
    if (/^(?:node:)?timers\/promises$/.test(specifier)) lines.add(line);

  const excused = excusedLines(scanned);
  const message = 'a test does not sleep: inject the clock, or wait for the event itself';
  return [...lines]
    .filter((line) => !excused.has(line))
    .map((line) => ({ path: file.path, line, message }));
}

// The text with everything but its comments blanked.
function onlyComments(scanned: Scan): string {
  let out = '';
  let at = 0;
  for (const { start, end } of scanned.comments) {
    out += scanned.text.slice(at, start).replace(/[^\n]/g, ' ') + scanned.text.slice(start, end);
    at = end;
  }
  return out + scanned.text.slice(at).replace(/[^\n]/g, ' ');
}

function restOfLine(text: string, offset: number): string {
  const end = text.indexOf('\n', offset);
  return text.slice(offset, end === -1 ? text.length : end);
}

// Two words at least: one is a label.
function isReason(text: string): boolean {
  return /[a-z]+\W+[a-z]+/i.test(text);
}
