// What the tests of delegation give for the eventfds of threads. Control plane.

import type { Wakeups } from './sleepers.ts';

/** For tests whose threads do not sleep. */
export const NO_WAKEUPS: Wakeups = { wakeAcceptThread: () => {}, wakeWorker: () => {} };
