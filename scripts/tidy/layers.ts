// The folders of `src/` are the layers of the architecture, and dependencies point down only.
//
// An import of a type counts: a layer that needs the types of one above is not below it.
// Control plane: a developer's tool.

import { topLevel } from './extents.ts';
import { type Import, importsOf } from './imports.ts';
import { scan } from './scan.ts';
import { type Finding, isEngine, isScript, isTest, type Source } from './source.ts';

/** From the top. Folders of one row are siblings: neither imports the other. */
const ROWS: readonly (readonly string[])[] = [
  ['cli', 'inject'],
  ['server'],
  ['accept', 'worker'],
  ['connection'],
  ['fetch'],
  ['app'],
  ['delegate'],
  ['loop'],
  ['io'],
  ['http'],
  ['memory'],
  ['kernel'],
  ['base'],
];

/** Where the rows are not the whole story: the only folders that this one imports, and why. */
const NARROWER: Readonly<Record<string, { only: readonly string[]; because: string }>> = {
  http: { only: ['memory', 'base'], because: 'a protocol is bytes in, bytes out' },
  memory: { only: ['base'], because: 'a pool lies over memory it is given' },
  demo: { only: ['app', 'index.ts'], because: "the demo is a user's application" },
};

/** A backend of `Io` has a folder of its own. */
const BACKEND = /^src\/io\/[^/]+\//;

const rowOf = new Map(ROWS.flatMap((row, index) => row.map((folder) => [folder, index] as const)));

/** Imports within `src/` point down, and what `src/` imports stays in `src/`. */
export function layers(file: Source): Finding[] {
  if (!isEngine(file.path)) return [];
  const from = layerOf(file.path);
  // The index re-exports from everywhere; a test beside it stands as high.
  if (from === 'index.ts' || from === 'index.test.ts') return [];
  if (!rowOf.has(from) && from !== 'demo') {
    const message = `\`${from}\` is no layer: name its place in scripts/tidy/layers.ts`;
    return [{ path: file.path, line: 1, message }];
  }
  const findings: Finding[] = [];
  for (const found of importsOf(file)) {
    const message = objection(from, found, isTest(file.path));
    if (message !== null) findings.push({ path: file.path, line: found.line, message });
  }
  return findings;
}

function objection(from: string, { target }: Import, test: boolean): string | null {
  if (target === null) return null;
  if (!target.startsWith('src/')) {
    // Tests share helpers in `test/`; a JSON file, as package.json, is data.
    if (test || !isScript(target)) return null;
    return `src/ imports only from src/, not \`${target}\``;
  }
  const to = layerOf(target);
  if (to === from) return null;
  if (BACKEND.test(target)) return 'nothing above `io` knows its backends: see src/io/open-io.ts';
  const narrower = NARROWER[from];
  if (narrower !== undefined && (from === 'demo' || !test)) {
    if (narrower.only.includes(to)) return null;
    const names = narrower.only.join(' and ');
    return `\`${from}\` imports only ${names}, not \`${to}\`: ${narrower.because}`;
  }
  const row = rowOf.get(from);
  const below = rowOf.get(to);
  if (row === undefined || below === undefined) return `\`${to}\` is below no layer`;
  if (below > row) return null;
  if (below === row) return `\`${from}\` and \`${to}\` are siblings: neither imports the other`;
  return `\`${from}\` is below \`${to}\`: dependencies point down only`;
}

// `src/http/parser.ts` -> `http`; a file directly in `src/` is named by itself.
function layerOf(path: string): string {
  return path.split('/')[1]!;
}

const REEXPORT = /^(?:import\b(?!\s*[.(])|export\s+(?:type\s+)?[{*])/;

/** `src/index.ts` exports public names and holds no logic. */
export function indexOnly(file: Source): Finding[] {
  if (file.path !== 'src/index.ts') return [];
  const scanned = scan(file.text);
  const findings: Finding[] = [];
  for (const { start, end } of topLevel(scanned.code)) {
    // `export {…} from 'x';` ends twice, once at its brace: the rest of it names a module.
    const statement = scanned.code.slice(start, end);
    if (REEXPORT.test(statement) || /^(?:from\b.*;|;)$/s.test(statement)) continue;
    const line = scanned.lineAt(start);
    findings.push({ path: file.path, line, message: 'the index only imports and exports names' });
  }
  return findings;
}

/** Every call into the kernel goes through one folder, where its cost and its hazards are known. */
export function ffi(file: Source): Finding[] {
  if (!isScript(file.path) || file.path.startsWith('src/kernel/')) return [];
  const message = '`node:ffi` is imported only in src/kernel/';
  return importsOf(file)
    .filter(({ specifier }) => specifier === 'node:ffi')
    .map(({ line }) => ({ path: file.path, line, message }));
}
