import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTERS_SIZE } from '../base/counters.ts';
import type { BackendName, ServerOptions } from '../base/options.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { CONNECTION_CTX_SIZE } from '../connection/connection-table.ts';
import { RESPONSE_SPACE_MIN } from '../connection/response-side.ts';
import { delegateLayout, HOLDERS_MAX, unreadSize } from '../delegate/layout.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { ioMemorySize } from '../io/io-options.ts';
import { formatSize, planMemory } from './memory-plan.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const OPTIONS: ServerOptions = {
  port: 0,
  host: '127.0.0.1',
  acceptThreads: 2,
  acceptCapacity: 100_000,
  workerThreads: 3,
  slowDuration: 30,
  drainTimeoutMs: 10_000,
  taskTimeoutMs: 1000,
  taskSize: 2048,
  taskQueue: 0,
  taskQueueFull: 'refuse',
  taskDeaths: 5,
  workerNice: 0,
  workerHeap: 0,
  demoFaults: false,
  workerConcurrency: 4,
  requests: {
    keepAliveTimeoutMs: 1000,
    headerTimeoutMs: 1000,
    bodyTimeoutMs: 1000,
    sendTimeoutMs: 1000,
    handlerTimeoutMs: 1000,
    bodySizeMax: 1000,
    requestsMax: 1000,
  },
  backend: 'auto',
  verbose: false,
};

function plan(
  part: Partial<ServerOptions> = {},
  backend: BackendName = 'io_uring',
): ReturnType<typeof planMemory> {
  return planMemory({ ...OPTIONS, ...part }, backend);
}

// From one connection to the limits of the command line.
const CAPACITIES = [1, 2, 15, 16, 17, 100, 1000, 8192, 8193, 100_000, 1_000_000];

test('pools grow with the capacity up to their caps, and the buffers are a power of two', () => {
  for (const acceptCapacity of CAPACITIES) {
    const { pools } = plan({ acceptCapacity });
    equal(Math.log2(pools.recvBuffers) % 1, 0);
    ok(pools.recvBuffers >= 1024 && pools.recvBuffers <= 4096);
    // Half of them may be held: a burst of dozens for each connection, while there are few.
    ok(pools.recvBuffers / 2 >= Math.min(32 * acceptCapacity, 2048));
    equal(pools.sendBlocks, Math.min(acceptCapacity, 8192));
    equal(pools.recvBlocks, Math.min(acceptCapacity, 8192));
    equal(Math.log2(pools.submissions) % 1, 0);
    ok(pools.completions >= pools.submissions);
  }
});

test('a block holds what its users put into it', () => {
  const { pools } = plan();
  ok(pools.sendBlockSize >= RESPONSE_SPACE_MIN);
  ok(pools.recvBlockSize >= REQUEST_LIMITS.headSizeMax + pools.recvBufferSize);
});

test('the memory that one ring maps stays below 4 GiB, at any capacity', () => {
  for (const acceptCapacity of CAPACITIES) {
    const { pools } = plan({ acceptCapacity });
    const { sendBlocks, sendBlockSize, recvBlocks, recvBlockSize } = pools;
    const blocksSize = sendBlocks * sendBlockSize + recvBlocks * recvBlockSize;
    ok(ioMemorySize({ ...pools, blocksSize }) < 4 * GIB);
  }
});

test('every connection has a row', () => {
  equal(plan().rowsSize, 100_000 * CONNECTION_CTX_SIZE);
  equal(plan({ acceptCapacity: 1 }).rowsSize, CONNECTION_CTX_SIZE);
});

test('however many threads there are, their task holders fit the queue', () => {
  for (const acceptThreads of [1, 2, 3, 4, 5, 16, 100, 1000, 1024]) {
    for (const workerThreads of [0, 1, 4096]) {
      for (const acceptCapacity of CAPACITIES) {
        const { delegate } = plan({ acceptThreads, workerThreads, acceptCapacity });
        const holders = acceptThreads * delegate.holdersPerAcceptThread;
        ok(delegate.holdersPerAcceptThread >= 1);
        ok(holders <= HOLDERS_MAX);
        ok(delegate.holdersPerAcceptThread <= Math.min(acceptCapacity, 4096));
        equal(delegateLayout(delegate).holdersCount, holders);
      }
    }
  }
  equal(plan({ acceptThreads: 1024 }).delegate.holdersPerAcceptThread, HOLDERS_MAX / 1024);
  equal(plan({ acceptThreads: 1 }).delegate.holdersPerAcceptThread, 4096);
  equal(plan({ acceptCapacity: 7 }).delegate.holdersPerAcceptThread, 7);
});

test('the total is the sum of its parts: accept threads, worker threads, what they share', () => {
  const shared = (part: Partial<ServerOptions>): number => {
    const { delegate } = plan(part);
    return delegateLayout(delegate).size + unreadSize(delegate);
  };
  const own = (part: Partial<ServerOptions>): number => plan(part).totalSize - shared(part);
  const one = { acceptThreads: 1, workerThreads: 0 };
  const perAccept = own(one);
  equal(own({ acceptThreads: 5, workerThreads: 0 }), 5 * perAccept);
  const perWorker = own({ acceptThreads: 1, workerThreads: 1 }) - perAccept;
  // A worker has a place for each connection that may be handed off, whichever it comes from.
  const perGuest = CONNECTION_CTX_SIZE + 78;
  const guests = plan(one).guests;
  const inAll = 3 * perAccept + 4 * (perWorker + 2 * guests * perGuest);
  equal(own({ acceptThreads: 3, workerThreads: 4 }), inAll);
  const { guestPools } = plan(one);
  const guestMemory = ioMemorySize({ ...guestPools, blocksSize: blocksSize(guestPools) });
  const thread = perWorker - guestMemory - guests * perGuest;
  ok(thread > COUNTERS_SIZE);

  const { pools, rowsSize } = plan(one);
  const { sendBlocks, sendBlockSize, recvBlocks, recvBlockSize } = pools;
  const large = pools.largeSendBlocks * pools.largeSendBlockSize;
  const blocks = sendBlocks * sendBlockSize + large + recvBlocks * recvBlockSize;
  const mapped = ioMemorySize({ ...pools, blocksSize: blocks });
  equal(mapped > blocks + pools.recvBuffers * pools.recvBufferSize, true);
  const lists = 100_000 * (19 * 4 + 2);
  equal(perAccept, mapped + rowsSize + lists + thread);
});

test('a connection that holds no block costs about 150 bytes', () => {
  const size = (acceptCapacity: number): number =>
    plan({ acceptThreads: 1, acceptCapacity }).totalSize;
  equal((size(1_000_000) - size(100_000)) / 900_000, CONNECTION_CTX_SIZE + 78);
});

test('the descriptors are those of the connections, and some for each thread', () => {
  const descriptors = (part: Partial<ServerOptions>): number => plan(part).descriptors;
  const base = descriptors({ acceptThreads: 1, workerThreads: 0, acceptCapacity: 1 });
  const thread = descriptors({ acceptThreads: 1, workerThreads: 1, acceptCapacity: 1 }) - base;
  ok(thread >= 4);
  equal(descriptors({ acceptThreads: 1, workerThreads: 0, acceptCapacity: 1000 }), base + 999);
  const more = { acceptThreads: 3, workerThreads: 2, acceptCapacity: 10 };
  equal(descriptors(more), base - 1 + 30 + 4 * thread);
});

test('a size for people: mebibytes rounded up, gibibytes from 1024 of them on', () => {
  const sizes = [0, 1, MIB, MIB + 1, 411.5 * MIB, 1023 * MIB, GIB, 1.5 * GIB, 24.04 * GIB];
  deepEqual(sizes.map(formatSize), [
    '0 MiB',
    '1 MiB',
    '1 MiB',
    '2 MiB',
    '412 MiB',
    '1023 MiB',
    '1.0 GiB',
    '1.5 GiB',
    '24.0 GiB',
  ]);
});

test('on epoll each accept thread has a table of all descriptors of the process', () => {
  const [ring, epoll] = [plan(), plan({}, 'epoll')];
  deepEqual(epoll.pools, ring.pools);
  const perThread = (epoll.totalSize - ring.totalSize) / OPTIONS.acceptThreads;
  // At least a row and a pointer for each; at most twice that, because tables double.
  ok(perThread >= ring.descriptors * 64);
  ok(perThread <= ring.descriptors * 2 * 96);
});

test('task holders have the size and the number that were asked for', () => {
  const { delegate } = plan({ taskSize: 4096, taskQueue: 100 });
  deepEqual([delegate.holdersPerAcceptThread, delegate.holderSize], [100, 4096 + 64]);
  equal(plan({ taskQueue: 100, taskQueueFull: 'inline' }).delegate.holdersPerAcceptThread, 101);
  equal(plan({ taskSize: 65 }).delegate.holderSize, 128 + 64);
  // Unasked, they stay within 64 MiB.
  equal(plan({ taskSize: 2 ** 20 }).delegate.holdersPerAcceptThread, 64);
  equal(plan({ taskSize: 2 ** 24, acceptThreads: 1 }).delegate.holdersPerAcceptThread, 4);
});
