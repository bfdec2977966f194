// The API reference as Markdown, from the declarations that the compiler makes of the index and of
// what it exports: docstrings stay in them. Control plane: a developer's tool.

/** The text of a declaration file, by its path relative to that of the index. */
export type ReadDeclarations = (path: string) => string;

interface Name {
  readonly name: string;
  readonly path: string;
}

const INTRODUCTION = `# API reference

Made by \`npm run api\` from the docstrings of the public names; \`npm run check\` finds out when
it is not current. [README](../README.md) shows how the parts work together, and
[limits](limits.md) what they are bounded by.
`;

/** @throws Error for a name without a declaration or a docstring. */
export function apiReference(index: string, read: ReadDeclarations): string {
  const names = exportsOf(index).sort((a, b) => (a.name < b.name ? -1 : 1));
  const sections = names.map(({ name, path }) => {
    const { doc, code } = declarationOf(name, read(path));
    return `## ${name}\n\n${doc}\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
  });
  return [INTRODUCTION, ...sections].join('\n');
}

/** The names that the index exports, and where from. */
export function exportsOf(index: string): Name[] {
  const lines = index.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/(.*)\.ts';$/gm);
  return [...lines].flatMap(([, names, path]) =>
    names!.match(/\w+/g)!.map((name) => ({ name, path: `${path}.d.ts` })),
  );
}

/** The docstring of a name as text, and its declaration, docstrings of its members included. */
export function declarationOf(name: string, text: string): { doc: string; code: string } {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) =>
    new RegExp(
      `^export (?:declare )?(?:abstract )?(?:class|function|interface|type|const) ${name}\\b`,
    ).test(line),
  );
  if (begin < 0) throw new Error(`${name} is exported, and declared nowhere`);
  const doc = docAbove(lines, begin);
  if (doc === '') throw new Error(`${name} is exported, and has no docstring`);
  const length = lines.slice(begin).findIndex((line) => /^\}|^\S.*;$/.test(line));
  const code = lines.slice(begin, begin + length + 1).filter((line) => !PRIVATE.test(line));
  return { doc, code: code.join('\n').replace(/^export (?:declare )?/, '') };
}

const PRIVATE = /^ {4}(?:#|private )/;

function docAbove(lines: readonly string[], at: number): string {
  if (lines[at - 1]?.trim().endsWith('*/') !== true) return '';
  let first = at - 1;
  while (!lines[first]!.trim().startsWith('/**')) first--;
  return lines
    .slice(first, at)
    .map((line) => line.replace(/^ ?\/?\*{1,2}\/? ?/, '').replace(/ ?\*\/$/, ''))
    .join('\n')
    .replace(/@throws (\S+)/g, 'Throws `$1`')
    .trim();
}
