// The rules, in the order of `docs/style.md`, and what they say about a set of files.
// Control plane: a developer's tool.

import { cycles } from './cycles.ts';
import { dataPlane, header } from './data-plane.ts';
import { excuses } from './excuse.ts';
import { ffi, indexOnly, layers } from './layers.ts';
import { blobs, links, strays } from './repository.ts';
import type { FileRule, Finding, Source, TreeRule } from './source.ts';
import { columns, leftovers, length, sleeps, unchecked } from './text.ts';

const FILE_RULES: readonly FileRule[] = [
  layers,
  indexOnly,
  ffi,
  header,
  dataPlane,
  length,
  columns,
  leftovers,
  unchecked,
  sleeps,
  excuses,
  strays,
  blobs,
];

const TREE_RULES: readonly TreeRule[] = [cycles, links];

/** All findings, by path and line. */
export function check(files: readonly Source[]): Finding[] {
  const findings = files.flatMap((file) => FILE_RULES.flatMap((rule) => rule(file)));
  for (const rule of TREE_RULES) findings.push(...rule(files));
  return findings.sort((a, b) => compare(a.path, b.path) || a.line - b.line);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
