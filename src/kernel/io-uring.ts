// io_uring(7) as the kernel defines it: constants and layouts from <linux/io_uring.h>, the three
// system calls, and a ring mapped into memory. Numbers 425 to 427 are the same on every
// architecture.
//
// Control plane: setup and registration. Data plane: `enter`.

import { assert } from '../base/assert.ts';
import { SystemError } from './errno.ts';
import { bind, errno } from './ffi.ts';
import { forgetDescriptor, noteDescriptor } from './holdings.ts';
import type { Mapping } from './mapping.ts';
import { mapDescriptor, unmapMemory } from './mapping.ts';
import { closeDescriptor } from './sockets.ts';

// Opcodes, enum io_uring_op.
export const IORING_OP_POLL_ADD = 6;
export const IORING_OP_TIMEOUT = 11;
export const IORING_OP_TIMEOUT_REMOVE = 12;
export const IORING_OP_ACCEPT = 13;
export const IORING_OP_ASYNC_CANCEL = 14;
export const IORING_OP_CLOSE = 19;
export const IORING_OP_SEND = 26;
export const IORING_OP_RECV = 27;

/** Submission flag: take a buffer from the group named in the entry. */
export const IOSQE_BUFFER_SELECT = 1 << 5;
/** In `len` of a poll: stay armed after each event (5.13). */
export const IORING_POLL_ADD_MULTI = 1 << 0;
/** In `timeout_flags`: move the timeout that `addr` names (5.11). */
export const IORING_TIMEOUT_UPDATE = 1 << 1;
/** In `ioprio` of a recv: do not try first, wait for readiness (5.19). */
export const IORING_RECVSEND_POLL_FIRST = 1 << 0;
/** In `ioprio` of a recv: stay armed after each completion (6.0). */
export const IORING_RECV_MULTISHOT = 1 << 1;
/** Completion flag: the upper 16 bits name the buffer that was taken. */
export const IORING_CQE_F_BUFFER = 1 << 0;
/** Completion flag: the operation stays armed. */
export const IORING_CQE_F_MORE = 1 << 1;
export const IORING_CQE_BUFFER_SHIFT = 16;

const IORING_ENTER_GETEVENTS = 1n << 0n;
const IORING_OFF_SQES = 0x1000_0000n;
const IORING_REGISTER_PBUF_RING = 22;

// Setup flags, the oldest first. A ring of larger completions than submissions (5.5); a bad entry
// does not stop the rest of its batch (5.18); a single issuer (6.0), which the next one needs; the
// process is told to reap by its own call only (6.1); no indirection array (6.6).
const SETUP_FLAGS = {
  IORING_SETUP_CQSIZE: 1 << 3,
  IORING_SETUP_SUBMIT_ALL: 1 << 7,
  IORING_SETUP_SINGLE_ISSUER: 1 << 12,
  IORING_SETUP_DEFER_TASKRUN: 1 << 13,
  IORING_SETUP_NO_SQARRAY: 1 << 16,
};
const SETUP_ALL = Object.values(SETUP_FLAGS).reduce((all, flag) => all | flag, 0);

// struct io_uring_params is 120 bytes: sq_off begins at 40, cq_off at 80.
const PARAMS_SIZE = 120;
const PARAMS = {
  cqEntries: 4,
  flags: 8,
  sqTail: 44,
  sqFlags: 56,
  cqHead: 80,
  cqTail: 84,
  cqes: 100,
};

/** Words of a submission queue entry (64 bytes), as indices into an Int32Array. */
export const SQE_WORDS = 16;
/** Words of a completion queue entry (16 bytes): user_data, user_data, res, flags. */
export const CQE_WORDS = 4;

const setup = bind('syscall', ['int64', 'uint32', 'buffer'], 'int32');
const register = bind('syscall', ['int64', 'int32', 'uint32', 'buffer', 'uint32'], 'int32');
const enterCall = bind(
  'syscall',
  ['pointer', 'pointer', 'pointer', 'pointer', 'pointer', 'pointer'],
  'int32',
);
const SYS_IO_URING_SETUP = 425n;
const SYS_IO_URING_ENTER = 426n;
const SYS_IO_URING_REGISTER = 427n;

/** A ring in memory. Indices are word indices into `words`. */
export interface Ring {
  readonly fd: number;
  readonly fdPointer: bigint;
  readonly words: Int32Array;
  readonly sqTail: number;
  readonly cqHead: number;
  readonly cqTail: number;
  readonly cqes: number;
  readonly cqMask: number;
  readonly sqes: Int32Array;
  readonly sqEntries: number;
  readonly mappings: readonly Mapping[];
  /** BigInts 0 to `sqEntries`, so that `enter` passes a count without making one. */
  readonly counts: readonly bigint[];
}

/** Sets a ring up. @throws SystemError, with EPERM where seccomp or a sysctl forbids io_uring. */
export function openRing(sqEntries: number, cqEntries: number): Ring {
  assert((sqEntries & (sqEntries - 1)) === 0, 'the submission queue has a power of two of entries');
  const { fd, params } = setUp(sqEntries, cqEntries, SETUP_ALL);
  if (fd === -1) throw new SystemError('io_uring_setup', errno());
  noteDescriptor(fd);
  const cqCount = params.readUInt32LE(PARAMS.cqEntries);
  const cqesOffset = params.readUInt32LE(PARAMS.cqes);
  const rings = mapDescriptor(fd, cqesOffset + cqCount * CQE_WORDS * 4, 0n);
  const sqes = mapDescriptor(fd, sqEntries * SQE_WORDS * 4, IORING_OFF_SQES);
  return {
    fd,
    fdPointer: BigInt(fd),
    words: new Int32Array(rings.buffer, 0, rings.size >> 2),
    sqTail: params.readUInt32LE(PARAMS.sqTail) >> 2,
    cqHead: params.readUInt32LE(PARAMS.cqHead) >> 2,
    cqTail: params.readUInt32LE(PARAMS.cqTail) >> 2,
    cqes: cqesOffset >> 2,
    cqMask: cqCount - 1,
    sqes: new Int32Array(sqes.buffer),
    sqEntries,
    mappings: [rings, sqes],
    counts: Array.from({ length: sqEntries + 1 }, (_, count) => BigInt(count)),
  };
}

function setUp(
  sqEntries: number,
  cqEntries: number,
  flags: number,
): { fd: number; params: Buffer } {
  const params = Buffer.alloc(PARAMS_SIZE);
  params.writeUInt32LE(cqEntries, PARAMS.cqEntries);
  params.writeUInt32LE(flags, PARAMS.flags);
  return { fd: setup(SYS_IO_URING_SETUP, sqEntries, params), params };
}

/** The first setup flag that the kernel does not know, or undefined when it knows all. */
export function missingSetupFlag(isAccepted = acceptsSetup): string | undefined {
  let flags = 0;
  for (const [name, flag] of Object.entries(SETUP_FLAGS)) {
    flags |= flag;
    if (!isAccepted(flags)) return name;
  }
  return undefined;
}

function acceptsSetup(flags: number): boolean {
  const { fd } = setUp(2, 4, flags);
  if (fd !== -1) closeDescriptor(fd);
  return fd !== -1;
}

/**
 * Submits `count` entries, reaps what is ready and, with `wait`, sleeps until there is a
 * completion. Answers how many were taken, or -1 with errno. A null signal mask and no
 * IORING_ENTER_EXT_ARG: the kernel never reads a seventh argument.
 */
export function enter(ring: Ring, count: number, wait: boolean): number {
  return enterCall(
    SYS_IO_URING_ENTER,
    ring.fdPointer,
    ring.counts[count]!,
    wait ? 1n : 0n,
    IORING_ENTER_GETEVENTS,
    0n,
  );
}

/** Registers a ring of provided buffers at `address` as group 0 (5.19). */
export function registerBufferRing(ring: Ring, address: bigint, entries: number): void {
  // struct io_uring_buf_reg: ring_addr u64, ring_entries u32, bgid u16, flags u16, resv u64[3].
  const registration = Buffer.alloc(40);
  registration.writeBigUInt64LE(address, 0);
  registration.writeUInt32LE(entries, 8);
  const result = register(
    SYS_IO_URING_REGISTER,
    ring.fd,
    IORING_REGISTER_PBUF_RING,
    registration,
    1,
  );
  if (result === -1) throw new SystemError('io_uring_register(PBUF_RING)', errno());
}

/** Closes a ring. The kernel ends what is in flight; memory it was given must outlive this call. */
export function closeRing(ring: Ring): void {
  for (const mapping of ring.mappings) unmapMemory(mapping);
  forgetDescriptor(ring.fd);
  closeDescriptor(ring.fd);
}
