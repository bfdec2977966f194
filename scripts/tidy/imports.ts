// What a file imports: statements, re-exports, dynamic imports and imports of types alike.
// Control plane: a developer's tool.

import { posix } from 'node:path';
import { scan } from './scan.ts';
import type { Source } from './source.ts';

export type Import = {
  /** As written: `../base/assert.ts`, `node:ffi`. */
  readonly specifier: string;
  /** From the root of the repository when the specifier is relative, else null. */
  readonly target: string | null;
  readonly line: number;
};

// `from` takes no parenthesis, so that `Array.from('x')` is not an import.
const IMPORT =
  /(?<![.\w$])(?:from\s*|import\s*\(?\s*|require\s*\(\s*)(['"])|\bgetBuiltinModule\s*\(\s*(['"])/g;

export function importsOf(file: Source): Import[] {
  const scanned = scan(file.text);
  const imports: Import[] = [];
  for (const match of scanned.code.matchAll(IMPORT)) {
    const start = match.index + match[0].length;
    const end = file.text.indexOf(match[1] ?? match[2]!, start);
    const specifier = file.text.slice(start, end);
    const relative = specifier.startsWith('.');
    const target = relative ? posix.join(posix.dirname(file.path), specifier) : null;
    imports.push({ specifier, target, line: scanned.lineAt(match.index) });
  }
  return imports;
}
