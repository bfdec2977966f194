// The sizes of an `Io`, and where the parts of its memory lie. Control plane.
//
//     [ entries of the buffer ring | a timespec ][ receive buffers ][ blocks, the caller's ]
//
// Each part begins on a page.

import { BUFFER_RING_ENTRY_SIZE } from '../memory/buffer-ring.ts';

const PAGE = 4096;
/** Bytes of a struct timespec, which follows the entries of the buffer ring. */
export const TIMESPEC_SIZE = 16;

export interface IoOptions {
  /** Entries of the submission queue, a power of two: submissions beyond it cost one more call. */
  readonly submissions: number;
  /** Entries of the completion queue: completions beyond it wait in the kernel. */
  readonly completions: number;
  /** Receive buffers, a power of two. */
  readonly recvBuffers: number;
  readonly recvBufferSize: number;
  /** Bytes of memory the caller wants for itself. */
  readonly blocksSize: number;
}

/** Of a thread without connections: its wake-ups, its timer and the watch on Node's loop. */
export const SMALL_IO: IoOptions = {
  submissions: 8,
  completions: 16,
  recvBuffers: 1,
  recvBufferSize: 4096,
  blocksSize: 4096,
};

/** How many bytes an `Io` with these options maps, its rings apart. */
export function ioMemorySize(options: IoOptions): number {
  return blocksOffset(options) + options.blocksSize;
}

export function buffersOffset(options: IoOptions): number {
  return roundUp(options.recvBuffers * BUFFER_RING_ENTRY_SIZE + TIMESPEC_SIZE);
}

export function blocksOffset(options: IoOptions): number {
  return buffersOffset(options) + roundUp(options.recvBuffers * options.recvBufferSize);
}

function roundUp(size: number): number {
  return Math.ceil(size / PAGE) * PAGE;
}
