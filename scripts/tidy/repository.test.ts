import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_MAX, blobs, links, strays } from './repository.ts';

test('kinds of files that belong here are known', () => {
  const stray = (path: string) => strays({ path, text: '' }).length === 1;
  const fine = ['src/a.ts', 'bench/a.lua', 'LICENSE', '.gitignore', '.ci/run', 'docs/a.svg'];
  deepEqual(fine.filter(stray), []);
  const strange = ['core', 'a.log', 'bench/a.o', 'a.ts.orig', 'ci/run', 'src/a.node', 'a.tgz'];
  deepEqual(strange.filter(stray), strange);
});

test('a file has at most 256 KiB, counted in bytes', () => {
  const found = (path: string, text: string) => blobs({ path, text }).length;
  equal(found('a.json', 'x'.repeat(BYTES_MAX)), 0);
  equal(found('a.json', 'x'.repeat(BYTES_MAX + 1)), 1);
  equal(found('a.json', 'é'.repeat(BYTES_MAX / 2 + 1)), 1);
  equal(found('package-lock.json', 'x'.repeat(BYTES_MAX + 1)), 0);
});

function broken(path: string, text: string): number[] {
  const others = ['docs/a.md', 'docs/b c.md', 'src/io/io.ts'].map((other) => ({
    path: other,
    text: '',
  }));
  return links([{ path, text }, ...others]).map(({ line }) => line);
}

test('a relative link to a file or a folder of the repository is fine', () => {
  const fine = [
    '[a](docs/a.md) ![b](<docs/b c.md> "b") [b](docs/b%20c.md)',
    '[a](docs/a.md#part) [a](./docs/) [a](src/io) [a](/src/io/io.ts)',
    '[a][name] and [b](https://example.org/a.md) [c](#part) [d](mailto:a@example.org)',
    '[name]: docs/a.md',
    '[^1]: words.md',
  ];
  deepEqual(broken('README.md', fine.join('\n')), []);
  deepEqual(broken('docs/decisions/1.md', '[a](../a.md) [b](../../src/io/io.ts)'), []);
});

test('a link to no file is a finding', () => {
  const text = '[a](docs/gone.md)\n[b](docs/a.md) ![c](gone.svg)\n\n[name]: gone.md "title"';
  deepEqual(broken('README.md', text), [1, 2, 4]);
  deepEqual(broken('docs/c.md', '[a](docs/a.md) [up](../../outside.md)'), [1, 1]);
  deepEqual(broken('bench/README.md', '[a](gone.md)'), [1]);
  deepEqual(broken('bench/notes.md', '[a](gone.md)'), []);
});

test('code in a document holds no links', () => {
  const text = '`[a](gone.md)` ``b `[c](gone.md)` ``\n```md\n[d](gone.md)\n```\n[e](gone.md)';
  deepEqual(broken('README.md', text), [5]);
});
