// What a simulated server is started with, drawn for each run: few threads with little memory, so
// that everything runs out now and then.

import type { ServerOptions } from '../../src/base/options.ts';
import type { PoolSizes } from '../../src/base/thread-plan.ts';
import { RESPONSE_SPACE_MIN } from '../../src/connection/response-side.ts';
import { REQUEST_LIMITS } from '../../src/http/request-limits.ts';
import { completeOptions } from '../../src/server/serve-options.ts';
import type { Random } from './random.ts';
import { BODY_LIMIT, type Offer } from './requests.ts';

export const DRAIN_TIMEOUT_MS = 10_000;

export function drawOptions(random: Random, likes: Offer['likes']): ServerOptions {
  return completeOptions({
    port: 0,
    acceptThreads: random.between(1, 3),
    acceptCapacity: random.between(1, 6),
    workerThreads: random.between(0, 3),
    slowDuration: 0,
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
    workerConcurrency: random.pick([1, 2, 3]),
    taskTimeoutMs: random.pick(likes === 'tasks' ? [100, 50] : [86_400_000, 100, 50]),
    requests: {
      keepAliveTimeoutMs: random.pick([1000, 5000, 75_000]),
      headerTimeoutMs: random.pick([1000, 20_000]),
      bodyTimeoutMs: random.pick([1000, 20_000]),
      sendTimeoutMs: random.pick([1000, 20_000]),
      // Handlers take whatever virtual time the run needs.
      handlerTimeoutMs: 1_000_000_000,
      bodySizeMax: BODY_LIMIT,
    },
  });
}

/** Of an accept thread. */
export function acceptPools(random: Random, acceptCapacity: number): PoolSizes {
  const recvBufferSize = random.pick([16, 64, 512]);
  return {
    submissions: 64,
    completions: 256,
    recvBuffers: random.pick([4, 8, 32, 64]),
    recvBufferSize,
    sendBlocks: Math.max(1, acceptCapacity - random.below(2) * random.below(2)),
    sendBlockSize: 2 * RESPONSE_SPACE_MIN,
    largeSendBlocks: random.between(1, 2),
    largeSendBlockSize: 65_536,
    recvBlocks: Math.max(1, acceptCapacity - random.below(2) * random.below(2)),
    recvBlockSize: REQUEST_LIMITS.headSizeMax + recvBufferSize,
  };
}

/** Of a worker, for the connections that it adopts. */
export function guestPools(random: Random): PoolSizes {
  const recvBufferSize = random.pick([64, 512, 512]);
  return {
    submissions: 8,
    completions: 16,
    recvBuffers: random.pick([8, 32, 64]),
    recvBufferSize,
    sendBlocks: random.between(1, 6),
    sendBlockSize: 2 * RESPONSE_SPACE_MIN,
    largeSendBlocks: random.between(1, 2),
    largeSendBlockSize: 65_536,
    recvBlocks: random.between(1, 6),
    recvBlockSize: REQUEST_LIMITS.headSizeMax + recvBufferSize,
  };
}
