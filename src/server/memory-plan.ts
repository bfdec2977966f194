// The memory plan: every size of the server, derived from its options, one line for each holder.
// Control plane. Mapped memory is committed by the kernel page by page as it is first touched, so
// the plan is the most the engine will ever use for connections, not what it uses at start.

import { COUNTERS_SIZE } from '../base/counters.ts';
import type { BackendName, ServerOptions } from '../base/options.ts';
import type { PoolSizes } from '../base/thread-plan.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { CONNECTION_CTX_SIZE } from '../connection/connection-table.ts';
import { RESPONSE_SPACE_MIN } from '../connection/response-side.ts';
import type { DelegateOptions } from '../delegate/layout.ts';
import { delegateLayout, HOLDERS_MAX, holderSizeFor, unreadSize } from '../delegate/layout.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { ioMemorySize } from '../io/io-options.ts';
import { backendSize } from '../io/open-io.ts';

/** A typical request of a browser fits. */
const RECV_BUFFER_SIZE = 8192;
/** Larger ones leave the cache before the kernel reads them. */
const LARGE_SEND_BLOCK_SIZE = 128 * 1024;
/** Task holders of an accept thread, where there are so few threads that all fit the queue. */
const HOLDERS_PER_ACCEPT_THREAD_MAX = 4096;
/** Connections of an accept thread that are with workers, and the blocks they take along. */
const HAND_OFFS_PER_ACCEPT_THREAD_MAX = 1024;
/** The task holders of an accept thread together take no more, unless their number was given. */
const HOLDERS_SIZE_MAX = 64 * 1024 * 1024;
/** A thread of Node's, measured: its heap, stacks and code. */
const THREAD_SIZE = 6 * 1024 * 1024;
/**
 * Per connection beside its row, in words: pool 2, timer wheel 4, send queue, deferred and starved
 * lists 3; the queue of its exchanges 3, the place and the task of one 4, deadlines 3; and 2 bytes.
 */
const CONNECTION_LISTS_SIZE = 19 * 4 + 2;
/** Descriptors beside the connections: standard streams, Node's own, and some to spare. */
const DESCRIPTORS_RESERVED = 64;
/** Descriptors of a thread: ring, or epoll and a timer; eventfd, listener, Node's loop. */
const DESCRIPTORS_PER_THREAD = 12;

/** Of the connections that a worker has adopted: few at a time take or send much. */
const GUEST_POOLS: PoolSizes = {
  submissions: 64,
  completions: 256,
  recvBuffers: 512,
  recvBufferSize: RECV_BUFFER_SIZE,
  sendBlocks: 256,
  sendBlockSize: 2 * RESPONSE_SPACE_MIN,
  largeSendBlocks: 8,
  largeSendBlockSize: LARGE_SEND_BLOCK_SIZE,
  recvBlocks: 256,
  recvBlockSize: REQUEST_LIMITS.headSizeMax + RECV_BUFFER_SIZE,
};

export interface MemoryPlan {
  readonly pools: PoolSizes;
  /** Of a worker, for the connections that it adopts, and the most of these. */
  readonly guestPools: PoolSizes;
  readonly guests: number;
  readonly delegate: DelegateOptions;
  /** Bytes of the connections' rows, for one accept thread. */
  readonly rowsSize: number;
  /** Bytes of everything, all threads together. */
  readonly totalSize: number;
  /** Descriptors that are open when every accept thread is at its capacity. */
  readonly descriptors: number;
}

/** `backend`: the one that runs. It changes the size of all, and of no pool. */
export function planMemory(options: ServerOptions, backend: BackendName): MemoryPlan {
  const { acceptThreads, acceptCapacity, workerThreads } = options;
  const pools: PoolSizes = {
    // Two submissions for each connection that was served in a tick; more cost one more call.
    submissions: 1024,
    // A tick takes 256; the rest waits here, and beyond it in the kernel.
    completions: 4096,
    // A window of 256 for the completions of a tick; the others are there to be held for
    // connections that are not ready for what they were sent: a receive that repeats may bring
    // dozens at once, unasked.
    recvBuffers: Math.min(4096, powerOfTwo(Math.max(1024, 64 * acceptCapacity))),
    recvBufferSize: RECV_BUFFER_SIZE,
    // Held while responses are not taken by their peers: a bounded number of slow readers.
    sendBlocks: Math.min(acceptCapacity, 8192),
    sendBlockSize: 2 * RESPONSE_SPACE_MIN,
    // For long bodies, as long as there are any: the number that is sent at once, mostly.
    largeSendBlocks: Math.min(acceptCapacity, 128),
    largeSendBlockSize: LARGE_SEND_BLOCK_SIZE,
    // Held while a request has arrived in part: a bounded number of slow writers.
    recvBlocks: Math.min(acceptCapacity, 8192),
    recvBlockSize: REQUEST_LIMITS.headSizeMax + RECV_BUFFER_SIZE,
  };
  const handOffs = Math.min(acceptCapacity, HAND_OFFS_PER_ACCEPT_THREAD_MAX);
  const delegate = planDelegation(options, handOffs, pools.recvBlockSize);
  const rowsSize = acceptCapacity * CONNECTION_CTX_SIZE;
  const descriptors =
    acceptThreads * acceptCapacity +
    (acceptThreads + workerThreads) * DESCRIPTORS_PER_THREAD +
    DESCRIPTORS_RESERVED;
  const acceptThreadSize =
    ioMemorySize({ ...pools, blocksSize: blocksSize(pools) }) +
    backendSize(backend, descriptors, acceptCapacity) +
    rowsSize +
    acceptCapacity * CONNECTION_LISTS_SIZE +
    THREAD_SIZE +
    COUNTERS_SIZE;
  // Wherever they come from, and all to the same worker.
  const guests = acceptThreads * handOffs;
  const workerThreadSize =
    ioMemorySize({ ...GUEST_POOLS, blocksSize: blocksSize(GUEST_POOLS) }) +
    guests * (CONNECTION_CTX_SIZE + CONNECTION_LISTS_SIZE) +
    THREAD_SIZE +
    COUNTERS_SIZE;
  return {
    pools,
    guestPools: GUEST_POOLS,
    guests,
    delegate,
    rowsSize,
    totalSize:
      acceptThreads * acceptThreadSize +
      workerThreads * workerThreadSize +
      delegateLayout(delegate).size +
      unreadSize(delegate),
    descriptors,
  };
}

function planDelegation(
  options: ServerOptions,
  handOffs: number,
  recvBlockSize: number,
): DelegateOptions {
  const { acceptThreads, acceptCapacity, workerThreads, taskSize, taskQueueFull } = options;
  const holderSize = holderSizeFor(taskSize);
  // A task in flight for each connection is what most applications have at most.
  const queue =
    options.taskQueue ||
    Math.min(
      acceptCapacity,
      HOLDERS_PER_ACCEPT_THREAD_MAX,
      Math.ceil(HOLDERS_SIZE_MAX / holderSize),
    );
  // One more for the task that runs in the accept thread because the queue is full.
  const wanted = taskQueueFull === 'inline' ? queue + 1 : queue;
  const holders = Math.min(wanted, Math.floor(HOLDERS_MAX / acceptThreads));
  return {
    acceptThreads,
    workerThreads,
    holdersPerAcceptThread: holders,
    holderSize,
    handOffsPerAcceptThread: workerThreads === 0 ? 0 : handOffs,
    // What a worker may have received of a connection that it returns: a head in part, and two
    // receives.
    unreadBlockSize: recvBlockSize + 2 * RECV_BUFFER_SIZE,
  };
}

/** `bytes` for people, such as "412 MiB". */
export function formatSize(bytes: number): string {
  const mebibytes = Math.ceil(bytes / 1024 / 1024);
  return mebibytes < 1024 ? `${mebibytes} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
