// The pools of the workers that the tests of this folder are about: of a few connections.

import type { PoolSizes } from '../base/thread-plan.ts';

export const POOLS: PoolSizes = {
  submissions: 8,
  completions: 16,
  recvBuffers: 8,
  recvBufferSize: 4096,
  sendBlocks: 4,
  sendBlockSize: 16_384,
  largeSendBlocks: 1,
  largeSendBlockSize: 65_536,
  recvBlocks: 4,
  recvBlockSize: 20_480,
};
