// Equal blocks of one stretch of memory, counted by a `Pool`. Data plane.
//
// Under VERIFY a released block is overwritten, so that whoever kept a view of it reads nonsense.

import { VERIFY } from '../base/assert.ts';
import { NONE, Pool } from './pool.ts';

const POISON = 0xdb;

export class BlockPool {
  readonly blockSize: number;
  readonly pool: Pool;
  readonly #bytes: Uint8Array;
  readonly #base: number;

  /** Lays `count` blocks of `blockSize` bytes over `bytes`, from `base` on. */
  constructor(name: string, bytes: Uint8Array, base: number, count: number, blockSize: number) {
    this.pool = new Pool(name, count);
    this.blockSize = blockSize;
    this.#bytes = bytes;
    this.#base = base;
  }

  /** Answers a block, or NONE when the pool is dry. */
  acquire(): number {
    return this.pool.acquire();
  }

  release(block: number): void {
    if (VERIFY && block !== NONE) {
      const offset = this.offset(block);
      this.#bytes.fill(POISON, offset, offset + this.blockSize);
    }
    this.pool.release(block);
  }

  /** Where a block begins, as an offset into the bytes it was laid over. */
  offset(block: number): number {
    return this.#base + block * this.blockSize;
  }
}
