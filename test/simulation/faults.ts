// What may go wrong in a simulated run: a probability for each fault, drawn for each run. In every
// run a random half of them is on ("swarm" testing): faults that hide each other meet runs in which
// only one of them happens, and a fault that is rare in the mean is frequent in some runs.

import type { Random } from './random.ts';

/** By name: the highest probability of a fault each time that it could happen. */
export const FAULTS = {
  /** A receive brings fewer bytes than there are. */
  shortRecv: 0.9,
  /** A send takes fewer bytes than it could. */
  shortSend: 0.5,
  /** A receive that repeats ends although nothing is wrong. */
  recvEnds: 0.5,
  /** A receive answers ENOBUFS although there is a buffer. */
  noBuffers: 0.3,
  /** An accept answers EMFILE, ENFILE, ENOBUFS or ENOMEM. */
  acceptFails: 0.3,
  /** An accept answers ECONNABORTED, and its connection is gone. */
  acceptAborted: 0.2,
  /** An operation that could complete when it is submitted completes later, after others. */
  lateCompletion: 0.9,
  /** An operation that was cancelled completes with its result nevertheless. */
  lateCancel: 0.9,
  /** A completion of a connection that is gone comes again, when its slot has another one. */
  staleCompletion: 0.5,
  /** A thread whose sleep has ended goes on later, after others. */
  lateWakeup: 0.9,
  /** A worker that could go on does so much later: its tasks take long. */
  slowWorkers: 0.9,
  /** A thread wakes without a completion, as by a signal; or an eventfd is written for nothing. */
  spuriousWakeup: 0.2,
  /** The clock jumps forward, by up to minutes. */
  clockJump: 0.02,
  /** Node has a timer of its own that is due soon. */
  nodeTimer: 0.3,
  /** A worker dies between two steps, asleep or awake. */
  workerDies: 0.02,
  /** A worker dies in the middle of a task. */
  taskDies: 0.2,
  /** A worker dies after it has claimed an accept thread that sleeps, and before it woke it. */
  wakeDies: 0.1,
  /** A worker dies before or after it has adopted a connection, and has not served it. */
  adoptDies: 0.1,
  /** A worker dies while it receives or sends for a connection, or its handler waits for that. */
  servesDies: 0.03,
  /** A worker dies before or after it has given a connection back. */
  returnDies: 0.1,
  /** A peer resets its connection, at any moment. */
  peerResets: 0.02,
  /** The bytes that a reset overtakes are lost. */
  resetLosesBytes: 1,
} as const;

export type FaultName = keyof typeof FAULTS;
export type Faults = Readonly<Record<FaultName, number>>;

const NAMES = Object.keys(FAULTS) as FaultName[];

export const NO_FAULTS: Faults = Object.fromEntries(NAMES.map((name) => [name, 0])) as Faults;

/** Half of the faults, each with a probability up to its highest one. */
export function drawFaults(random: Random): Faults {
  const faults: Record<FaultName, number> = { ...NO_FAULTS };
  for (const name of NAMES) {
    if (random.chance(0.5)) faults[name] = (FAULTS[name] * random.between(1, 16)) / 16;
  }
  return faults;
}
