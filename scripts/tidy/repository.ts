// What may lie in the repository, and where its documents point.
// Control plane: a developer's tool.

import { posix } from 'node:path';
import { type Finding, linesOf, type Source } from './source.ts';

export const BYTES_MAX = 256 * 1024;

const EXTENSIONS = /\.(?:ts|js|mjs|json|jsonl|md|c|h|lua|sh|ya?ml|svg)$/;
const NAMES = new Set(['LICENSE', 'Dockerfile', 'Makefile']);
// `.gitignore`, `.editorconfig` and the like; `.ci/run` is what a change must pass.
const DOTFILE = /^\.[a-z]+$/;
const PATHS = new Set(['.ci/run']);

/** Sources and documents only: what is built, downloaded or measured has another home. */
export function strays(file: Source): Finding[] {
  const name = posix.basename(file.path);
  const known =
    EXTENSIONS.test(name) || NAMES.has(name) || DOTFILE.test(name) || PATHS.has(file.path);
  if (known) return [];
  const message = 'no kind of file that belongs here: see scripts/tidy/repository.ts';
  return [{ path: file.path, line: 1, message }];
}

export function blobs(file: Source): Finding[] {
  if (posix.basename(file.path) === 'package-lock.json') return [];
  const bytes = Buffer.byteLength(file.text);
  if (bytes <= BYTES_MAX) return [];
  const message = `${Math.ceil(bytes / 1024)} KiB, the most is ${BYTES_MAX / 1024} KiB`;
  return [{ path: file.path, line: 1, message }];
}

// [text](target), ![alt](target "title"), [text](<a target>) and [name]: target. A note is none of
// them: [^1]: words.
const INLINE = /\]\(\s*(?:<([^>]*)>|([^)\s]+))(?:\s+["'(][^\n]*?["')])?\s*\)/g;
const REFERENCE = /^ {0,3}\[(?!\^)[^\]]+\]:\s*(?:<([^>]*)>|(\S+))/g;
const DOCUMENT = /^(?:docs\/.*|[^/]+|.*\/README)\.md$/;
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/|#)/i;

/** Relative links point to files of the repository: in `docs/`, at its top, in each README. */
export function links(files: readonly Source[]): Finding[] {
  const paths = new Set(files.map(({ path }) => path));
  // A folder is a fine target too.
  for (const path of [...paths])
    for (let up = posix.dirname(path); up !== '.'; up = posix.dirname(up)) paths.add(up);
  paths.add('.');

  const findings: Finding[] = [];
  for (const file of files) {
    if (!DOCUMENT.test(file.path)) continue;
    for (const { target, line } of targets(file.text)) {
      if (paths.has(resolve(file.path, target))) continue;
      findings.push({ path: file.path, line, message: `a link to no file: ${target}` });
    }
  }
  return findings;
}

function resolve(from: string, target: string): string {
  const path = decode(target.replace(/[?#].*$/s, ''));
  const base = path.startsWith('/') ? '.' : posix.dirname(from);
  return posix.join(base, path).replace(/(?<=.)\/+$/, '');
}

function decode(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function targets(text: string): { target: string; line: number }[] {
  const found: { target: string; line: number }[] = [];
  let fence: string | null = null;
  for (const [index, raw] of linesOf(text).entries()) {
    const mark = /^\s*(`{3,}|~{3,})/.exec(raw)?.[1];
    if (fence !== null) {
      if (mark?.startsWith(fence)) fence = null;
      continue;
    }
    if (mark !== undefined) {
      fence = mark;
      continue;
    }
    const line = raw.replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, '');
    for (const match of [...line.matchAll(INLINE), ...line.matchAll(REFERENCE)]) {
      const target = match[1] ?? match[2]!;
      if (!ELSEWHERE.test(target)) found.push({ target, line: index + 1 });
    }
  }
  return found;
}
