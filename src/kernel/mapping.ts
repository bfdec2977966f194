// Anonymous memory from mmap(2): the only kind the kernel is given, because the JavaScript heap may
// move or release what lies on it. Control plane: mapped at start, unmapped after the ring is
// closed.

import { assert } from '../base/assert.ts';
import { checked, SystemError } from './errno.ts';
import { bind, errno, viewMemory } from './ffi.ts';
import { forgetMapping, noteDescriptorMapping, noteMapping } from './holdings.ts';

const mmap = bind('mmap', ['pointer', 'uint64', 'int32', 'int32', 'int32', 'int64'], 'pointer');
const munmap = bind('munmap', ['pointer', 'uint64'], 'int32');

const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const MAP_POPULATE = 0x8000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const FOUR_GIB = 1n << 32n;

/**
 * Mapped memory. `addressLow` and `addressHigh` are the halves of its address: a mapping never
 * crosses a 4 GiB boundary, so the address of any byte in it is `{addressHigh, addressLow +
 * offset}` without a carry, which keeps BigInt off the data plane.
 */
export interface Mapping {
  readonly address: bigint;
  readonly addressLow: number;
  readonly addressHigh: number;
  readonly size: number;
  readonly buffer: ArrayBuffer;
}

/** Maps zeroed memory; pages are committed by the kernel when first touched. */
export function mapMemory(size: number): Mapping {
  assert(size > 0, 'a mapping has a size');
  assert(size < 2 ** 32, 'a mapping is smaller than 4 GiB');
  const rejected: Mapping[] = [];
  for (;;) {
    const mapping = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0n);
    noteMapping(mapping.address, size);
    const last = mapping.address + BigInt(size) - 1n;
    if (mapping.address / FOUR_GIB === last / FOUR_GIB) {
      for (const other of rejected) unmapMemory(other);
      return mapping;
    }
    // Keep it while trying again, or the kernel would answer the same place.
    rejected.push(mapping);
    assert(rejected.length < 64, 'memory without a 4 GiB boundary is found');
  }
}

/** Maps a part of what `fd` offers, as io_uring does with its rings. */
export function mapDescriptor(fd: number, size: number, offset: bigint): Mapping {
  const mapping = map(size, MAP_SHARED | MAP_POPULATE, fd, offset);
  noteDescriptorMapping(mapping.address, size);
  return mapping;
}

function map(size: number, flags: number, fd: number, offset: bigint): Mapping {
  const address = mmap(null, BigInt(size), PROT_READ_WRITE, flags, fd, offset);
  if (address === MAP_FAILED) throw new SystemError('mmap', errno());
  return {
    address,
    addressLow: Number(address & 0xffff_ffffn) | 0,
    addressHigh: Number(address >> 32n) | 0,
    size,
    buffer: viewMemory(address, size),
  };
}

/** The caller guarantees that neither the kernel nor a view uses the memory any more. */
export function unmapMemory(mapping: Mapping): void {
  forgetMapping(mapping.address, mapping.size);
  checked('munmap', munmap(mapping.address, BigInt(mapping.size)));
}
