import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf } from './imports.ts';

const importsIn = (text: string) => importsOf({ path: 'src/io/a.ts', text });

test('every form of import is found, with its line', () => {
  const text = [
    "import 'node:fs';",
    "import type { A } from './b.ts';",
    "import {\n  B,\n} from '../base/c.ts';",
    "export * from './d.ts';",
    "const e = await import('./e.ts');",
    'type F = import("./f.ts").F;',
    "process.getBuiltinModule('node:ffi');",
  ].join('\n');
  deepEqual(
    importsIn(text).map(({ specifier, target, line }) => [specifier, target, line]),
    [
      ['node:fs', null, 1],
      ['./b.ts', 'src/io/b.ts', 2],
      ['../base/c.ts', 'src/base/c.ts', 5],
      ['./d.ts', 'src/io/d.ts', 6],
      ['./e.ts', 'src/io/e.ts', 7],
      ['./f.ts', 'src/io/f.ts', 8],
      ['node:ffi', null, 9],
    ],
  );
});

test('what only looks like an import is none', () => {
  deepEqual(importsIn("// import './a.ts'\nf(\"import './a.ts'\");"), []);
  deepEqual(importsIn("Uint8Array.from('ab'); import.meta.resolve('./x.ts');"), []);
});
