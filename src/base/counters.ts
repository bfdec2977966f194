// What a thread counts, in shared memory: the thread alone writes, any thread may read. Numbers are
// doubles in a Float64Array, so that counting neither allocates nor wraps around. Data plane.

/** The place of each counter in the counters of a thread. */
export const Counter = {
  ticks: 0,
  completions: 1,
  /** Completions of an older generation of their slot: dropped. */
  completionsStale: 2,
  sleeps: 3,
  /** Ticks that left work to the next one because a budget was exhausted. */
  budgetsExhausted: 4,
  connectionsAccepted: 5,
  connectionsOpen: 6,
  connectionsOpenMax: 7,
  /** Times the capacity was reached, and new connections waited in the backlog. */
  capacityReached: 8,
  /** Accepts that failed, for want of descriptors or memory mostly. */
  acceptsFailed: 9,
  requests: 10,
  responses2xx: 11,
  responses3xx: 12,
  responses4xx: 13,
  responses5xx: 14,
  /** Handlers that threw, were rejected, or returned without ending their response. */
  handlersFailed: 15,
  tasksDelegated: 16,
  tasksCompleted: 17,
  /** Requests refused because every task holder of the thread was taken. */
  taskHoldersDry: 18,
  /** Tasks that a worker ran, and those of them that failed; 0 in an accept thread. */
  tasksRun: 19,
  tasksFailed: 20,
  /** Receives that found no buffer, and were submitted again. */
  recvBuffersDry: 21,
  /** Connections closed because too many receive buffers were held: see `RecvSide.hold`. */
  recvBuffersHeldMax: 22,
  recvBlocksDry: 23,
  sendBlocksDry: 24,
  /** Times a connection was suspended until its responses were taken. */
  suspended: 25,
  // Connections that ended, by the reason: see `connection/close-reason.ts`.
  closedServed: 26,
  closedByPeer: 27,
  closedByReset: 28,
  closedBadRequest: 29,
  closedIdle: 30,
  closedNoMemory: 31,
  closedDraining: 32,
  closedHeaderTimeout: 33,
  closedBodyTimeout: 34,
  closedSendTimeout: 35,
  closedHandlerFailed: 36,
  /** Requests refused because handlers had copied too much of others. */
  requestMemoryFull: 37,
  /** Requests refused because their task had ended too many workers. */
  tasksRefused: 38,
  /** Tasks whose result was not there at their deadline: 504. */
  tasksLate: 39,
  /** Tasks that were taken back before a worker began them: nobody waited any more. */
  tasksCancelled: 40,
  /** Connections handed to workers; those of them that came back to be served on. */
  handedOff: 41,
  handedBack: 42,
  /** Requests refused because too many connections were with workers. */
  handOffsRefused: 43,
  /** Connections that no worker took before their deadline: 504. */
  handOffsLate: 44,
  /** Guests of a worker; 0 in an accept thread. */
  adopted: 45,
  /** The worker that had the connection died. */
  closedThreadDied: 46,
  closedHandlerTimeout: 47,
  /** Tasks that the accept thread ran itself because its task holders were taken. */
  tasksRunInline: 48,
  /** Connections of HTTP that went over to a protocol of the application. */
  upgraded: 49,
  /** Connections with a response to come that the end of a drain did not wait for. */
  drainCutOff: 50,
} as const;

export const COUNTERS = Object.keys(Counter).length;
export const COUNTERS_SIZE = COUNTERS * Float64Array.BYTES_PER_ELEMENT;

/** The counters of one thread. */
export type Counters = Float64Array;

export function count(counters: Counters, index: number): void {
  counters[index]! += 1;
}

/** Counts one more of what is there now, and the most there ever were. */
export function countUp(counters: Counters, now: number, most: number): void {
  counters[now]! += 1;
  if (counters[now]! > counters[most]!) counters[most] = counters[now]!;
}

/** By name, for people. Control plane. */
export function readCounters(counters: Counters): Record<string, number> {
  return Object.fromEntries(
    Object.entries(Counter).map(([name, index]) => [name, counters[index]!]),
  );
}
