import { equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { addressOf, bind, currentUvLoop, viewMemory } from './ffi.ts';
import { mapMemory, unmapMemory } from './mapping.ts';

const CALLS = 100_000;
const MEASUREMENTS = 8;

// Bytes allocated for each call. To ask for the statistics counts as up to a page of its own, so
// what two questions with nothing between them differ by is subtracted. The least of some
// measurements: the first ones pay for the compiler, and what each call allocates is in all of
// them.
function bytesPerCall(call: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MEASUREMENTS; round++) {
    const first = getHeapStatistics().total_allocated_bytes;
    const before = getHeapStatistics().total_allocated_bytes;
    for (let index = 0; index < CALLS; index++) call();
    const after = getHeapStatistics().total_allocated_bytes;
    least = Math.min(least, Math.abs(after - before - (before - first)) / CALLS);
  }
  return least;
}

test('a call with a signature of pointers only allocates nothing, with two and with six', () => {
  const timespec = mapMemory(16);
  const clockGettime = bind('clock_gettime', ['pointer', 'pointer'], 'int32');
  const two = bytesPerCall(() => clockGettime(1n, timespec.address));
  ok(two < 2, `${two} bytes for a call with two pointers`);
  const getppid = 110n;
  const six: 'pointer'[] = ['pointer', 'pointer', 'pointer', 'pointer', 'pointer', 'pointer'];
  const syscall = bind('syscall', six, 'int32');
  const perCall = bytesPerCall(() => syscall(getppid, 0n, 0n, 0n, 0n, 0n));
  ok(perCall < 2, `${perCall} bytes for a call with six pointers`);
  unmapMemory(timespec);
});

test('the measurement sees a BigInt that a call answers', () => {
  const strchr = bind('strchr', ['pointer', 'pointer'], 'pointer');
  const text = mapMemory(16);
  ok(bytesPerCall(() => strchr(text.address, 0n)) >= 8);
  unmapMemory(text);
});

test('bound functions live on after garbage collections', () => {
  const script = `
    import { bind } from ${JSON.stringify(new URL('./ffi.ts', import.meta.url).href)};
    const functions = Array.from({ length: 50 }, () => bind('abs', ['int32'], 'int32'));
    for (let round = 0; round < 10; round++) {
      globalThis.gc();
      Array.from({ length: 10_000 }, (_, index) => ({ index }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(functions.reduce((sum, abs, index) => sum + abs(-1 - index), 0));`;
  const flags = ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const output = execFileSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' });
  equal(output, '1275\n');
});

test('one symbol may be bound with several signatures', () => {
  const pointers = bind('labs', ['pointer', 'pointer'], 'int32');
  const integers = bind('labs', ['int64'], 'int32');
  equal(pointers(21n, 0n), 21);
  equal(integers(-21n), 21);
});

test('the address of a buffer is where its bytes are', () => {
  const bytes = Buffer.from('abc');
  const address = addressOf(bytes);
  const strncmp = bind('strncmp', ['pointer', 'buffer', 'uint64'], 'int32');
  equal(strncmp(address, Buffer.from('abc'), 3n), 0);
  bytes[0] = 0x78;
  equal(Buffer.from(viewMemory(address, 3)).toString(), 'xbc');
});

test('the loop of a thread has one address, which is not null', () => {
  ok(currentUvLoop() > 0n);
  equal(currentUvLoop(), currentUvLoop());
});
