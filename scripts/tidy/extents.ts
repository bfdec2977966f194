// Where a function or a statement ends, by matching brackets in scanned code.
//
// Enough of a grammar for formatted TypeScript with semicolons, which is all that is checked here.
// Control plane: a developer's tool.

import type { Comment, Scan } from './scan.ts';

/** From `start` up to, and without, `end`. */
export type Extent = { readonly start: number; readonly end: number };

// A type goes on after its closing brace: a return type, a member of a union, an array of it.
const GOES_ON = /^(?:[ \t]*[{>)\],.=?]|\s*[|&]|\[)/;

/** The end of the statement, declaration or member that starts at `start`. */
export function extentEnd(code: string, start: number): number {
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    const char = code[at]!;
    if (char === '(' || char === '[' || char === '{') depth++;
    if (char === ')' || char === ']' || char === '}') depth--;
    if (depth < 0) return at;
    if (depth > 0) continue;
    if (char === ';') return at + 1;
    if (char === '}' && !GOES_ON.test(code.slice(at + 1, at + 80))) return at + 1;
  }
  return code.length;
}

/** The statements at the top of a file, in order. */
export function topLevel(code: string): Extent[] {
  const extents: Extent[] = [];
  let at = 0;
  while (at < code.length) {
    const start = at + code.slice(at).search(/\S/);
    if (start < at) break;
    const end = Math.max(extentEnd(code, start), start + 1);
    extents.push({ start, end });
    at = end;
  }
  return extents;
}

const MODIFIERS =
  /^(?:(?:export|default|abstract|async|static|private|protected|override|readonly|get|set)\s+)*/;
// A declaration, or the name of a member: `name(`, `#name<T>(`, `*[Symbol.iterator](`, `name =`.
const FUNCTION_HEAD = /^(?:(?:function|class|const|let)\b|[*#]*[\w$]+\s*[(<=:?]|\*?\[)/;
const STATEMENT_HEAD = /^(?:if|for|while|do|switch|try|return|throw|await|assert)\b/;

/** The function, method or class that stands directly below a comment, or null. */
export function functionBelow(scanned: Scan, comment: Comment): Extent | null {
  const { code } = scanned;
  if (!comment.ownLine) return null;
  const gap = /^[ \t]*\n?[ \t]*/.exec(code.slice(comment.end))![0].length;
  const start = comment.end + gap;
  const head = code.slice(start, start + 200).replace(MODIFIERS, '');
  if (!FUNCTION_HEAD.test(head) || STATEMENT_HEAD.test(head)) return null;
  const end = extentEnd(code, start);
  const holdsCode = /\{|=>/.test(code.slice(start, end));
  return holdsCode ? { start, end } : null;
}

/** The offset behind the bracket that closes the one at `open`. */
export function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if ('([{'.includes(code[at]!)) depth++;
    if (')]}'.includes(code[at]!) && --depth === 0) return at + 1;
  }
  return code.length;
}
