import { equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { NONE } from '../memory/pool.ts';
import { SendBlocks } from './send-blocks.ts';

const SIZES = { sendBlocks: 3, sendBlockSize: 64, largeSendBlocks: 1, largeSendBlockSize: 512 };

test('a long body gets a large block, and a small one when there is none left', () => {
  const blocks = new SendBlocks(new Uint8Array(3 * 64 + 512), 0, SIZES);
  const large = blocks.acquire(65);
  equal(blocks.size(large), 512);
  const second = blocks.acquire(65);
  equal(blocks.size(second), 64);
  equal(blocks.size(blocks.acquire(64)), 64);
  blocks.release(large);
  equal(blocks.size(blocks.acquire(512)), 512);
  equal(blocks.used, 3);
});

test('what fits into a small block takes no large one, even when the small ones are dry', () => {
  const blocks = new SendBlocks(new Uint8Array(3 * 64 + 512), 0, SIZES);
  const offsets = new Set<number>();
  for (let count = 0; count < 3; count++) {
    const block = blocks.acquire(1);
    notEqual(block, NONE);
    offsets.add(blocks.offset(block));
  }
  equal(offsets.size, 3);
  equal(blocks.acquire(1), NONE);
  notEqual(blocks.acquire(100), NONE);
});
