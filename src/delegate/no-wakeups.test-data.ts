// Of threads that sleep in no test.

import type { Wakeups } from './sleepers.ts';

/** For tests whose threads do not sleep. */
export const NO_WAKEUPS: Wakeups = { wakeAcceptThread: () => {}, wakeWorker: () => {} };
