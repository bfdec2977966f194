import { equal } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FileWatch, isSource, projectFolder } from './file-watch.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-files-'));
after(() => rmSync(root, { recursive: true }));

test('a project is the folder of its package, or of the file alone', () => {
  const deep = join(root, 'package/src/deep');
  mkdirSync(deep, { recursive: true });
  equal(projectFolder(join(deep, 'app.ts')), deep);
  writeFileSync(join(root, 'package/package.json'), '{}');
  equal(projectFolder(join(deep, 'app.ts')), join(root, 'package'));
});

test('sources that are written, made and removed are told of', async () => {
  const folder = join(root, 'watched');
  mkdirSync(join(folder, 'lib'), { recursive: true });
  let changed = Promise.withResolvers<void>();
  const watch = new FileWatch(folder, () => changed.resolve());
  const change = async (act: () => void): Promise<void> => {
    changed = Promise.withResolvers<void>();
    act();
    await changed.promise;
  };
  await change(() => writeFileSync(join(folder, 'app.ts'), ''));
  await change(() => writeFileSync(join(folder, 'lib/part.mjs'), ''));
  await change(() => {
    mkdirSync(join(folder, 'new'));
    writeFileSync(join(folder, 'new.ts'), '');
  });
  await change(() => writeFileSync(join(folder, 'new/inside.ts'), ''));
  await change(() => rmSync(join(folder, 'new'), { recursive: true }));
  watch.close();
});

test('sources are what programs are written in, outside of hidden folders and dependencies', () => {
  for (const name of ['a.ts', 'a.mjs', 'a.cts', 'a.tsx', 'a.json']) equal(isSource(name), true);
  for (const name of ['a.sqlite', 'a.ts~', 'a.log', 'node_modules', '.a.ts', 'ts']) {
    equal(isSource(name), false);
  }
});
