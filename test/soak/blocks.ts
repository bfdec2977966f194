// The content of large transfers: blocks of 64 KiB that are all different, so that one that is
// lost, repeated or moved changes the hash.

import { createHash } from 'node:crypto';

export const BLOCK_SIZE = 65_536;

const PATTERN = Buffer.alloc(BLOCK_SIZE);
for (let index = 0; index < BLOCK_SIZE; index++)
  PATTERN[index] = (index * 31 + (index >> 8)) & 0xff;

export function block(index: number): Buffer {
  const bytes = Buffer.from(PATTERN);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(~index >>> 0, BLOCK_SIZE - 4);
  return bytes;
}

export function hashOfBlocks(count: number): string {
  const hash = createHash('sha256');
  for (let index = 0; index < count; index++) hash.update(block(index));
  return hash.digest('hex');
}
