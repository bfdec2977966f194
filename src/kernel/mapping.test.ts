import { equal, ok, throws } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bind, errno } from './ffi.ts';
import type { Mapping } from './mapping.ts';
import { mapDescriptor, mapMemory, unmapMemory } from './mapping.ts';

const MIB = 1 << 20;
const ENOMEM = 12;

// mincore(2): is there memory at an address?
const mincore = bind('mincore', ['pointer', 'uint64', 'buffer'], 'int32');
const strlen = bind('strlen', ['pointer', 'pointer'], 'int32');

function isMapped(address: bigint, size: number): boolean {
  const result = mincore(address, BigInt(size), Buffer.alloc(Math.ceil(size / 4096)));
  if (result === -1) equal(errno(), ENOMEM);
  return result === 0;
}

test('mapped memory is zeroed, writable, and where its address says', () => {
  const mapping = mapMemory(MIB);
  const bytes = new Uint8Array(mapping.buffer);
  equal(bytes.length, MIB);
  equal(
    bytes.findIndex((byte) => byte !== 0),
    -1,
  );
  bytes.set(Buffer.from('hello'), 100);
  equal(strlen(mapping.address + 100n, 0n), 5);
  unmapMemory(mapping);
});

test('the halves of the address make the address', () => {
  const mappings = Array.from({ length: 64 }, () => mapMemory(MIB));
  for (const { address, addressLow, addressHigh } of mappings) {
    equal((BigInt(addressHigh >>> 0) << 32n) | BigInt(addressLow >>> 0), address);
    equal(addressLow, addressLow | 0);
    equal(addressHigh, addressHigh | 0);
  }
  for (const mapping of mappings) unmapMemory(mapping);
});

test('no mapping crosses a 4 GiB boundary, however large', () => {
  // The kernel puts them side by side: of 12 GiB in pieces of 1.5, some would cross. None is
  // touched.
  const mappings = Array.from({ length: 8 }, () => mapMemory(1536 * MIB));
  for (const { address, size } of mappings) {
    equal(address >> 32n, (address + BigInt(size) - 1n) >> 32n);
  }
  for (const mapping of mappings) unmapMemory(mapping);
});

test('memory that was unmapped, or tried and rejected, is gone', () => {
  const kept: Mapping[] = [];
  const before = mappedKiB();
  for (let round = 0; round < 8; round++) kept.push(mapMemory(1536 * MIB));
  const { address, size } = kept[0]!;
  equal(isMapped(address, 4096), true);
  for (const mapping of kept) unmapMemory(mapping);
  equal(isMapped(address, 4096), false);
  equal(isMapped(address + BigInt(size) - 4096n, 4096), false);
  // Less than one of the pieces, for what Node's own threads mapped meanwhile.
  ok(mappedKiB() - before < (size / 1024) * 0.9);
});

test('a size that cannot be is asserted, and a descriptor that cannot is a system error', () => {
  throws(() => mapMemory(0), /has a size/);
  throws(() => mapMemory(2 ** 32), /smaller than 4 GiB/);
  throws(() => mapDescriptor(1_000_000, 4096, 0n), { name: 'SystemError', code: 'EBADF' });
});

function mappedKiB(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/VmSize:\s+(\d+) kB/.exec(status)![1]);
}
