// `node scripts/tidy.ts`: what formatter, linter and compiler cannot know about this repository.
//
// Prints `path:line: message` for each finding and exits with 1, or with 0 when there is none. The
// rules are in `scripts/tidy/`; here is all that touches the disk. Control plane.

import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './tidy/rules.ts';
import type { Source } from './tidy/source.ts';

/** The files that are tracked, or would be by `git add .`, below `root`. */
export function readRepository(root: string): Source[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const output = execFileSync('git', list, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  const paths = [...new Set(output.split('\0'))].filter((path) => path !== '').sort();
  return paths.flatMap((path) => {
    const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
    // Deleted but still in the index, or a symbolic link: there is no text to read.
    if (!stat?.isFile()) return [];
    return [{ path, text: readFileSync(join(root, path), 'utf8') }];
  });
}

if (import.meta.main) {
  const files = readRepository(process.cwd());
  const findings = check(files);
  for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`);
  if (findings.length === 0) console.log(`tidy: ${files.length} files, no findings`);
  else process.exitCode = 1;
}
