import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import {
  allowedCpus,
  hasTool,
  machineLine,
  missingLine,
  parseCpuList,
  toolPath,
  WRK,
} from './machine.ts';

test('the kernel’s CPU lists', () => {
  deepEqual(parseCpuList('0'), [0]);
  deepEqual(parseCpuList('0-1\n'), [0, 1]);
  deepEqual(parseCpuList('0-3,8,10-11'), [0, 1, 2, 3, 8, 10, 11]);
  deepEqual(parseCpuList(''), []);
});

test('this machine has a CPU and a line', () => {
  ok(allowedCpus().length > 0);
  match(machineLine(1), /^Linux \S+ \S+, .+, 1 CPU, Node v\d+/);
});

test('a tool is looked for, and its absence is one plain line', () => {
  equal(hasTool({ name: 'no-such-tool', purpose: '', debianPackage: '' }), false);
  equal(hasTool({ name: 'env', purpose: '', debianPackage: 'coreutils' }), true);
  const elsewhere = { name: 'machine.ts', purpose: '', debianPackage: '' };
  equal(toolPath({ ...elsewhere, folder: import.meta.dirname }), undefined, 'not executable');
  const node = { ...elsewhere, name: basename(process.execPath) };
  equal(toolPath({ ...node, name: 'no-such-tool', folder: '/' }), undefined);
  const saved = process.env.PATH;
  process.env.PATH = '';
  try {
    equal(toolPath(node), undefined);
    equal(toolPath({ ...node, folder: dirname(process.execPath) }), process.execPath);
  } finally {
    process.env.PATH = saved;
  }
  match(missingLine(WRK), /^bench: wrk is missing: it makes the load.*\(Debian package: wrk\)$/);
});
