import { equal } from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { privateDirectory } from './compile-cache.ts';

test('the cache is in a directory that nobody else can write to, or nowhere', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.after(() => rmSync(parent, { recursive: true }));
  const path = privateDirectory(parent);
  equal(path, join(parent, `millrace-cache-${process.getuid!()}`));
  equal(statSync(path).mode & 0o777, 0o700);
  equal(privateDirectory(parent), path);
  chmodSync(path, 0o777);
  equal(privateDirectory(parent), '');
  rmSync(path, { recursive: true });
  symlinkSync(tmpdir(), path);
  equal(privateDirectory(parent), '');
  rmSync(path);
  writeFileSync(path, '');
  equal(privateDirectory(parent), '');
  equal(privateDirectory('/proc'), '');
});
