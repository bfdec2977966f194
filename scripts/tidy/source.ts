// What every rule takes and gives: files with their text, findings with their place.
//
// Rules are pure functions, and only `scripts/tidy.ts` reads the disk: a test is a few literals.
// Control plane: a developer's tool, it runs in no server.

/** One file of the repository. `path` is relative to its root, with forward slashes. */
export type Source = { readonly path: string; readonly text: string };

export type Finding = { readonly path: string; readonly line: number; readonly message: string };

export type FileRule = (file: Source) => Finding[];

/** A rule that needs the whole repository: a cycle, a link to another file. */
export type TreeRule = (files: readonly Source[]) => Finding[];

/** TypeScript or JavaScript: what `scan` reads with its full grammar. */
export function isScript(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}

export function isTest(path: string): boolean {
  return /\.(test|fuzz)\.ts$/.test(path);
}

/** TypeScript of the server itself, tests included. */
export function isEngine(path: string): boolean {
  return path.startsWith('src/') && path.endsWith('.ts');
}

/** The lines of a text, without an empty one after the last line feed. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
