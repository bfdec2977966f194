// A mistake in a user's application that is found at the start: its error, and exit code 1.

import { deepEqual, match } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { runProgram } from '../support/server-process.ts';

const SMALL = ['-A', '1', '-C', '100'];

function appFile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.ts');
  writeFileSync(path, text);
  return path;
}

describe('a module that cannot be used ends the start with its error, exit 1', () => {
  const cases: [name: string, text: string, pattern: RegExp][] = [
    ['throws', "throw new Error('a mistake in a module');", /a mistake in a module/],
    ['does not parse', 'const = 1;', /SyntaxError/],
    ['imports what is not there', "import './not-there.ts';", /not-there/],
    ['exports nothing', 'export {};', /no default export/],
    ['names no task', taskless(), /no task "missing"/],
    ['has no method', routed('/text'), /"\/text"/],
    ['has an unknown method', routed('BREW /text'), /BREW/],
    ['has a wildcard in a segment', routed('GET /text*'), /^millrace: .*"GET \/text\*".*wildcard/],
    ['names two parameters alike', routed('GET /:a/:a'), /^millrace: .*"GET \/:a\/:a".*one name/],
  ];
  for (const [name, text, pattern] of cases) {
    test(`it ${name}`, async (t) => {
      const args = [appFile(t, text), ...SMALL, '-w', '1', '-p', '0'];
      const { code, stdout, stderr } = await runProgram(t, args);
      deepEqual([code, stdout], [1, '']);
      match(stderr, pattern);
      match(stderr, /^millrace: /);
    });
  }

  function taskless(): string {
    return "export default { routes: { 'GET /': { task: 'missing' } } };";
  }

  function routed(key: string): string {
    return `export default { routes: { '${key}': (_request, response) => response.end() } };`;
  }
});

test('a module that awaits what never comes is named, exit 1', async (t) => {
  const path = appFile(t, 'await new Promise(() => {}); export default { routes: {} };');
  const { code, stdout, stderr } = await runProgram(t, [path, ...SMALL, '-w', '1', '-p', '0']);
  deepEqual([code, stdout], [1, '']);
  // Node warns of it before, of a module of Millrace's.
  match(stderr, /\nmillrace: .*a top-level await of file:.*app\.ts waits for what never comes\n$/);
});
