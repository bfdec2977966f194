// The memory of the connections of a thread, laid out at start: their rows, the blocks in which
// responses are written, and the blocks that keep requests which have arrived in part.
//
//     blocks  [ send blocks, small | large ][ receive blocks ]     in the memory of the `Io`
//
// Control plane. Owner: one thread.

import { assert } from '../base/assert.ts';
import type { Io } from '../io/io.ts';
import { BlockPool } from '../memory/block-pool.ts';
import { ConnectionTable } from './connection-table.ts';
import type { SendBlockSizes } from './send-blocks.ts';
import { SendBlocks, sendBlocksSize } from './send-blocks.ts';

export interface BlockSizes extends SendBlockSizes {
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
  return sendBlocksSize(sizes) + sizes.recvBlocks * sizes.recvBlockSize;
}

export class ConnectionMemory {
  readonly table: ConnectionTable;
  readonly sendBlocks: SendBlocks;
  readonly recvBlocks: BlockPool;
  readonly #io: Io;

  constructor(io: Io, options: ConnectionMemoryOptions) {
    const { bytes, blocksOffset } = io.memory;
    const { recvBlocks, recvBlockSize } = options;
    const recvOffset = blocksOffset + sendBlocksSize(options);
    assert(blocksOffset + blocksSize(options) <= bytes.length, 'the blocks have their memory');
    this.#io = io;
    this.table = new ConnectionTable(options.rows, options.capacity);
    this.sendBlocks = new SendBlocks(bytes, blocksOffset, options);
    this.recvBlocks = new BlockPool('receive blocks', bytes, recvOffset, recvBlocks, recvBlockSize);
  }

  /** True exactly when a quarter of each pool is free. */
  get hasRoom(): boolean {
    const { pool } = this.recvBlocks;
    const io = this.#io;
    return (
      4 * pool.free >= pool.capacity &&
      4 * (io.bufferCount - io.buffersUsed) >= io.bufferCount &&
      this.sendBlocks.hasRoom
    );
  }

  /** Asserts that every slot, block and buffer is back. */
  assertAllFree(): void {
    this.table.pool.assertAllFree();
    this.sendBlocks.assertAllFree();
    this.recvBlocks.pool.assertAllFree();
    assert(this.#io.buffersUsed === 0, 'every receive buffer is back');
  }
}
