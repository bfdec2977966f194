// The memory of the connections of a thread, laid out at start: their rows, the blocks in which
// responses are written, and the blocks that keep requests which have arrived in part.
//
//     blocks  [ send block 0 | 1 | ... ][ receive block 0 | 1 | ... ]     in the memory of the `Io`
//
// Control plane. Owner: one thread.

import { assert } from '../base/assert.ts';
import type { Io } from '../io/io.ts';
import { BlockPool } from '../memory/block-pool.ts';
import { ConnectionTable } from './connection-table.ts';

export interface BlockSizes {
  readonly sendBlocks: number;
  readonly sendBlockSize: number;
  readonly recvBlocks: number;
  readonly recvBlockSize: number;
}

export interface ConnectionMemoryOptions extends BlockSizes {
  /** The most connections at once. */
  readonly capacity: number;
  /** Rows of `capacity` connections: see `ConnectionTable`. */
  readonly rows: SharedArrayBuffer;
}

/** Bytes of all blocks together: what the `Io` is asked for. */
export function blocksSize(sizes: BlockSizes): number {
  return sizes.sendBlocks * sizes.sendBlockSize + sizes.recvBlocks * sizes.recvBlockSize;
}

export class ConnectionMemory {
  readonly table: ConnectionTable;
  readonly sendBlocks: BlockPool;
  readonly recvBlocks: BlockPool;
  readonly #io: Io;

  constructor(io: Io, options: ConnectionMemoryOptions) {
    const { bytes, blocksOffset } = io.memory;
    const { sendBlocks, sendBlockSize, recvBlocks, recvBlockSize } = options;
    const recvOffset = blocksOffset + sendBlocks * sendBlockSize;
    assert(blocksOffset + blocksSize(options) <= bytes.length, 'the blocks have their memory');
    this.#io = io;
    this.table = new ConnectionTable(options.rows, options.capacity);
    this.sendBlocks = new BlockPool('send blocks', bytes, blocksOffset, sendBlocks, sendBlockSize);
    this.recvBlocks = new BlockPool('receive blocks', bytes, recvOffset, recvBlocks, recvBlockSize);
  }

  /** Asserts that every slot, block and buffer is back. */
  assertAllFree(): void {
    this.table.pool.assertAllFree();
    this.sendBlocks.pool.assertAllFree();
    this.recvBlocks.pool.assertAllFree();
    assert(this.#io.buffersUsed === 0, 'every receive buffer is back');
  }
}
