// The one way to overrule a rule at one line: a comment that says why.
//
//     const text = `${a}`; // tidy: allow only when a peer is refused
//
//     // tidy: allow the message is built when the thread is lost already,
//     // and a sentence may take two lines
//     const text = `${a}`;
//
// Control plane: a developer's tool.

import { type Comment, type Scan, scan, words } from './scan.ts';
import { type Finding, isScript, type Source } from './source.ts';

// It begins a line or a sentence of the comment, and its reason lasts to the end of the comment.
const EXCUSE = /(?:^|\n)\s*(?:\/\/+|\/\*+|\*+|.*[.:;])\s*tidy: allow\b([\s\S]*)$/;
// One word is a label, not a reason.
const REASON = /\S+\s+\S+/;

/** The lines that a comment excuses. A comment without a reason excuses nothing. */
export function excusedLines(scanned: Scan): Set<number> {
  const lines = new Set<number>();
  for (const comment of scanned.comments) {
    const reason = reasonOf(scanned, comment);
    if (reason === null || !REASON.test(reason)) continue;
    lines.add(scanned.lineAt(comment.end) + (comment.ownLine ? 1 : 0));
  }
  return lines;
}

/** An excuse that gives no reason is a finding of its own. */
export function excuses(file: Source): Finding[] {
  if (!isScript(file.path)) return [];
  const scanned = scan(file.text);
  const findings: Finding[] = [];
  for (const comment of scanned.comments) {
    const reason = reasonOf(scanned, comment);
    if (reason === null || REASON.test(reason)) continue;
    const line = scanned.lineAt(comment.start);
    findings.push({ path: file.path, line, message: '`tidy: allow` says why, in some words' });
  }
  return findings;
}

// Empty when the excuse gives none, null when the comment is no excuse.
function reasonOf(scanned: Scan, comment: Comment): string | null {
  const found = EXCUSE.exec(scanned.text.slice(comment.start, comment.end));
  if (found === null) return null;
  return words(scanned, { ...comment, start: comment.end - found[1]!.length });
}
