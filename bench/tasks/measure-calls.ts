// Measures calls that are awaited, in the thread that makes them: how long one takes, how many are
// done in a second, what they allocate on the JavaScript heap.

// The global one is looked up at each use.
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

// One call in so many is timed: two looks at the clock are a tenth of the shortest.
const TIMED_EVERY = 8;

/** `caller`: which of those that have a call in flight. */
export type Call = (caller: number) => Promise<unknown>;

export interface CallFigures {
  /** Of one call after the other, in microseconds. */
  readonly medianUs: number;
  readonly p99Us: number;
  readonly callsPerSecond: number;
  readonly heapBytesPerCall: number;
}

/** `calls` in all, `inFlight` at a time. */
export async function measureCalls(
  call: Call,
  calls: number,
  inFlight: number,
): Promise<CallFigures> {
  const took = new Float64Array(Math.ceil(calls / TIMED_EVERY));
  let next = 0;
  const heapBefore = allocatedBytes();
  const begin = performance.now();
  const run = async (_: unknown, caller: number): Promise<void> => {
    while (next < calls) {
      const index = next++;
      if (index % TIMED_EVERY !== 0) {
        await call(caller);
        continue;
      }
      const start = performance.now();
      await call(caller);
      took[index / TIMED_EVERY] = performance.now() - start;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, run));
  const seconds = (performance.now() - begin) / 1000;
  const heapBytes = allocatedBytes() - heapBefore;
  took.sort();
  return {
    medianUs: took[Math.trunc(took.length / 2)]! * 1000,
    p99Us: took[Math.trunc(took.length * 0.99)]! * 1000,
    callsPerSecond: calls / seconds,
    heapBytesPerCall: heapBytes / calls,
  };
}

// Node 26 has `total_allocated_bytes`; its type definitions do not.
function allocatedBytes(): number {
  const statistics = getHeapStatistics() as unknown as { total_allocated_bytes: number };
  return statistics.total_allocated_bytes;
}
