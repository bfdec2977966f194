import { equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bind } from './ffi.ts';
import { descriptorLimit } from './limits.ts';

const RLIMIT_NOFILE = 7;
const getrlimit = bind('getrlimit', ['int32', 'buffer'], 'int32');
const setrlimit = bind('setrlimit', ['int32', 'buffer'], 'int32');

test('the descriptor limit is the one that a child inherits', () => {
  const limit = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  if (limit === 'unlimited') ok(descriptorLimit() > 2 ** 31);
  else equal(descriptorLimit(), Number(limit));
});

test('a limit set by whoever started the process is seen', () => {
  const url = new URL('./limits.ts', import.meta.url).href;
  const script = `
    import { descriptorLimit } from ${JSON.stringify(url)};
    console.log(descriptorLimit());`;
  const flags = '--disable-warning=ExperimentalWarning --input-type=module';
  const command = `ulimit -n 321; exec "$0" ${flags} -e "$1"`;
  const output = execFileSync('/bin/sh', ['-c', command, process.execPath, script], {
    encoding: 'utf8',
  });
  equal(output, '321\n');
});

test('it is the soft limit, which counts, and not the hard one', (context) => {
  const limits = Buffer.alloc(16);
  equal(getrlimit(RLIMIT_NOFILE, limits), 0);
  const lowered = Buffer.from(limits);
  lowered.writeBigUInt64LE(limits.readBigUInt64LE(8) - 3n, 0);
  equal(setrlimit(RLIMIT_NOFILE, lowered), 0);
  context.after(() => setrlimit(RLIMIT_NOFILE, limits));
  equal(descriptorLimit(), Number(limits.readBigUInt64LE(8)) - 3);
});
