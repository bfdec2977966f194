// What a thread holds that belongs to the process: memory it mapped, descriptors it opened for
// itself. When a thread dies they stay, and nobody knows of them any more; so a thread writes them
// down in shared memory, and whoever finds it dead releases them.
//
// Connections are not written down here: their rows are in shared memory already.
// Control plane. Owner of the memory: the thread, and after its death whoever releases it.

import { assert } from '../base/assert.ts';
import { bind } from './ffi.ts';

const ENTRIES = 64;
/** Bytes of the shared memory. */
export const HOLDINGS_SIZE: number = ENTRIES * 2 * BigInt64Array.BYTES_PER_ELEMENT;

// Entries {size, address} of a mapping, {-size, address} of one that is a part of a descriptor's,
// or {DESCRIPTOR, number}; {0, 0} is free.
const DESCRIPTOR = -1n;

const close = bind('close', ['int32'], 'int32');
const munmap = bind('munmap', ['pointer', 'uint64'], 'int32');

// In the memory of this thread, until it is told where to write them down: modules map some as they
// are loaded. The main thread is never told, and opens a ring for every thread as a trial.
let holdings: BigInt64Array = new BigInt64Array(ENTRIES * 2);

/** What this thread holds is written down in `memory`, from here on and what it has already. */
export function keepHoldings(memory: SharedArrayBuffer): void {
  const kept = new BigInt64Array(memory);
  const own = holdings;
  holdings = kept;
  each(own, (_at, size, value) => note(size, value));
}

export function noteMapping(address: bigint, size: number): void {
  note(BigInt(size), address);
}

export function forgetMapping(address: bigint, size: number): void {
  forget(BigInt(size), address);
  forget(BigInt(-size), address);
}

/** Memory of a descriptor, as a ring's: while it is mapped, closing the descriptor ends nothing. */
export function noteDescriptorMapping(address: bigint, size: number): void {
  note(BigInt(-size), address);
}

export function noteDescriptor(fd: number): void {
  note(DESCRIPTOR, BigInt(fd));
}

export function forgetDescriptor(fd: number): void {
  forget(DESCRIPTOR, BigInt(fd));
}

/**
 * Releases what a dead thread held: descriptors first, with the memory that is theirs, so that no
 * ring writes to memory that is gone; the other memory when `whenClosed` says that the kernel is
 * done with them. Answers when that is.
 */
export async function releaseHoldings(
  memory: SharedArrayBuffer,
  whenClosed: () => Promise<void>,
): Promise<void> {
  const entries = new BigInt64Array(memory);
  each(entries, (at, size, value) => {
    if (size > 0n) return;
    if (size === DESCRIPTOR) close(Number(value));
    else munmap(value, -size);
    entries[at] = 0n;
  });
  await whenClosed();
  each(entries, (at, size, value) => {
    munmap(value, size);
    entries[at] = 0n;
  });
}

/** How many mappings and descriptors are written down. */
export function countHoldings(memory: SharedArrayBuffer): number {
  let count = 0;
  each(new BigInt64Array(memory), () => count++);
  return count;
}

function note(size: bigint, value: bigint): void {
  let at = 0;
  while (at < holdings.length && holdings[at] !== 0n) at += 2;
  if (at === holdings.length) grow();
  holdings[at + 1] = value;
  holdings[at] = size;
}

function grow(): void {
  assert(!isShared(holdings), 'a thread holds no more than can be written down');
  const larger = new BigInt64Array(2 * holdings.length);
  larger.set(holdings);
  holdings = larger;
}

function isShared(entries: BigInt64Array): boolean {
  return entries.buffer instanceof SharedArrayBuffer;
}

function forget(size: bigint, value: bigint): void {
  for (let at = 0; at < holdings.length; at += 2) {
    if (holdings[at] !== size || holdings[at + 1] !== value) continue;
    holdings[at] = 0n;
    return;
  }
}

function each(
  entries: BigInt64Array,
  visit: (at: number, size: bigint, value: bigint) => void,
): void {
  for (let at = 0; at < entries.length; at += 2) {
    if (entries[at] !== 0n) visit(at, entries[at]!, entries[at + 1]!);
  }
}
