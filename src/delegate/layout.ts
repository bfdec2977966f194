// The one SharedArrayBuffer between accept threads and worker threads: what lies where in it.
//
// Owner: the main thread creates it before any thread starts; every thread computes the same
// layout from the same options. Control plane. Offsets are in 32-bit words, everything begins on a
// cache line of its own, so that threads which write different things do not slow each other down.
//
//     head | tail | sleeping workers | sleeping accept threads
//     completion stack of accept thread 0 | ... 1 | ...
//     links of the stacks, one word for each holder
//     cells of the task queue
//     holder 0 | holder 1 | ...       accept thread k owns holders k*share .. (k+1)*share - 1
//
// Threads are numbered accept threads first: accept thread k is thread k, worker j is thread
// acceptThreads + j. These numbers name the owner in a holder's state word.
//
// When a thread dies (worker.terminate can strike between any two instructions), nobody waits for
// it: there are no locks, and all it leaves behind can be found and repaired, by the main thread
// unless another one is named:
//
//     a worker died                       what is left              the repair
//     before `head` moved                 nothing                   none
//     after it, before RUNNING            QUEUED, position < head   queued again
//     while the task ran                  RUNNING(it)               status 500, DONE(it), pushed
//     after it, before its push           DONE(it), not in a stack  ORPHANED, see below
//     after it claimed an accept thread   a wake-up nobody got      wake every accept thread
//     after it was claimed as a sleeper   a wake-up nobody got      wake every worker
//
//     an accept thread died               what is left              the repair
//     after `tail` moved, before its cell a hole in the queue       filled, all workers woken
//     at any other time                   BUILDING, QUEUED, its own freed; descriptors of queued
//                                         RUNNING                   connections are closed
//     while workers ran its tasks         RUNNING(them)             cancelled; its replacement
//                                                                   inherits them
//     with completions it had taken       DONE, in no stack         ORPHANED, as below
//
// The replacement of an accept thread inherits every holder that is not free, and drops what comes
// back in them.
//
// `repairDeadWorker` (`dead-thread.ts`) does what stands in the last column for a worker. Only an
// accept thread can tell a holder that is done and was not published from one that lies in its
// stack. So the main thread makes every DONE holder of the dead worker ORPHANED, adds to `deaths`
// beside the stack, and wakes the accept thread. That looks for orphans, takes the stack, and what
// was an orphan before and is not in what it took was lost. As the state word tells an orphan, the
// worker's number may be given away at once.

import { assert } from '../base/assert.ts';
import { NONE } from '../memory/pool.ts';

export type DelegateOptions = {
  acceptThreads: number;
  /** 0: the accept threads run their tasks themselves. */
  workerThreads: number;
  /** How many tasks of one accept thread can be in flight. */
  holdersPerAcceptThread: number;
  /** Bytes of one holder, its header included; a multiple of a cache line. */
  holderSize?: number;
  /** How many connections of one accept thread can be with workers at a time. */
  handOffsPerAcceptThread?: number;
  /** Bytes of a block in which the unread bytes of such a connection travel. */
  unreadBlockSize?: number;
  /** The queue's first position: tests start it where positions wrap. */
  queueStart?: number;
};

/** Plain data, so that it travels in `workerData`; the buffers are shared, not copied. */
export type DelegateMemory = {
  buffer: SharedArrayBuffer;
  /** The blocks of `hand-off-records.ts`: a stretch for each accept thread. */
  unread: SharedArrayBuffer;
  options: Required<DelegateOptions>;
};

export type DelegateLayout = {
  head: number;
  tail: number;
  workerSleepers: number;
  acceptSleepers: number;
  completions: number;
  links: number;
  cells: number;
  /** The number of cells is 2 to this power. */
  cellsShift: number;
  holders: number;
  holdersCount: number;
  holderWords: number;
  /** Size of the whole buffer in bytes. */
  size: number;
};

/** Words of a cache line. */
export const LINE_WORDS = 16;
/** A cell of the queue holds a lap tag and, in its low bits, a holder. */
export const HOLDER_BITS = 14;
export const HOLDERS_MAX = 1 << HOLDER_BITS;
const HOLDER_MASK = HOLDERS_MAX - 1;
const LAP_MASK = 2 ** (32 - HOLDER_BITS) - 1;

export const HOLDER_SIZE_DEFAULT = 2048;
const HOLDER_SIZE_MAX = 2 ** 25;
const LINE_SIZE = LINE_WORDS * 4;

/** Where everything lies; also the memory plan's source for the size. Control plane. */
export function delegateLayout(options: DelegateOptions): DelegateLayout {
  const { acceptThreads, workerThreads, holdersPerAcceptThread } = options;
  const holderSize = options.holderSize ?? HOLDER_SIZE_DEFAULT;
  const holdersCount = acceptThreads * holdersPerAcceptThread;
  assert(Number.isInteger(acceptThreads) && acceptThreads > 0, 'there is an accept thread');
  assert(Number.isInteger(workerThreads) && workerThreads >= 0, 'worker threads are counted');
  assert(Number.isInteger(holdersCount) && holdersCount > 0, 'every accept thread has a holder');
  assert(holdersCount <= HOLDERS_MAX, 'a holder index fits a cell of the task queue');
  assert(holderSize % LINE_SIZE === 0, 'a holder is a number of whole cache lines');
  assert(holderSize >= 2 * LINE_SIZE, 'a holder has a payload besides its header');
  assert(holderSize <= HOLDER_SIZE_MAX, 'a holder is not larger than its limit');

  // More cells than holders: one to spare for each thread that may die, see `TaskQueue.fillHoles`.
  const cellsShift = Math.ceil(Math.log2(holdersCount + acceptThreads + workerThreads));
  const tail = LINE_WORDS;
  const workerSleepers = tail + LINE_WORDS;
  const acceptSleepers = workerSleepers + wholeLines(Math.ceil(workerThreads / 32));
  const completions = acceptSleepers + wholeLines(Math.ceil(acceptThreads / 32));
  const links = completions + acceptThreads * LINE_WORDS;
  const cells = links + wholeLines(holdersCount);
  const holders = cells + wholeLines(2 ** cellsShift);
  const holderWords = holderSize / 4;
  const size = (holders + holdersCount * holderWords) * 4;
  return {
    head: 0,
    tail,
    workerSleepers,
    acceptSleepers,
    completions,
    links,
    cells,
    cellsShift,
    holders,
    holdersCount,
    holderWords,
    size,
  };
}

/** Creates the shared memory, ready for use: no task, every holder free. Control plane. */
export function createDelegateMemory(options: DelegateOptions): DelegateMemory {
  const layout = delegateLayout(options);
  const buffer = new SharedArrayBuffer(layout.size);
  const words = new Int32Array(buffer);
  const queueStart = (options.queueStart ?? 0) | 0;
  words[layout.head] = queueStart;
  words[layout.tail] = queueStart;
  // Each cell looks as if the lap before had just been taken from it.
  const cellsCount = 1 << layout.cellsShift;
  for (let i = 0; i < cellsCount; i++) {
    const before = (queueStart + i - cellsCount) | 0;
    words[layout.cells + (before & (cellsCount - 1))] = cellOf(before, layout.cellsShift, 0);
  }
  for (let thread = 0; thread < options.acceptThreads; thread++) {
    words[layout.completions + thread * LINE_WORDS] = NONE;
  }
  const holderSize = options.holderSize ?? HOLDER_SIZE_DEFAULT;
  const handOffsPerAcceptThread = options.handOffsPerAcceptThread ?? 0;
  const unreadBlockSize = options.unreadBlockSize ?? 0;
  const all = { ...options, holderSize, queueStart, handOffsPerAcceptThread, unreadBlockSize };
  return { buffer, unread: new SharedArrayBuffer(unreadSize(options)), options: all };
}

/** Bytes of the blocks of `DelegateMemory.unread`. Committed as they are first touched. */
export function unreadSize(options: DelegateOptions): number {
  const { acceptThreads, handOffsPerAcceptThread = 0, unreadBlockSize = 0 } = options;
  return acceptThreads * handOffsPerAcceptThread * unreadBlockSize;
}

/** The lap of a position: how often the queue went round before it, as far as a cell can say. */
export function lapOf(position: number, cellsShift: number): number {
  return (position >>> cellsShift) & LAP_MASK;
}

/** What the cell of `position` holds once `holder` is published there. */
export function cellOf(position: number, cellsShift: number, holder: number): number {
  return (lapOf(position, cellsShift) << HOLDER_BITS) | holder;
}

export function cellLap(cell: number): number {
  return cell >>> HOLDER_BITS;
}

export function cellHolder(cell: number): number {
  return cell & HOLDER_MASK;
}

/** Bytes of a holder whose payload has at least `payloadSize` bytes. Control plane. */
export function holderSizeFor(payloadSize: number): number {
  return wholeLines(payloadSize / 4) * 4 + LINE_SIZE;
}

// At least one line, so that a part that is empty still begins on a line of its own.
function wholeLines(words: number): number {
  return Math.max(1, Math.ceil(words / LINE_WORDS)) * LINE_WORDS;
}
