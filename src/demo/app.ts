// The built-in demo, the smallest proof of the mixed model: one route answers in the accept thread,
// the other blocks a worker while the accept thread serves on.

import { defineApp, delegate } from '../app/app.ts';

export default defineApp({
  routes: {
    'GET /test/fast': (_request, response) => response.end(),
    'GET /test/slow': delegate('slow'),
  },
  tasks: {
    slow: (task) => sleepSync(task.server.options.slowDuration),
  },
});

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));

// Blocks the thread, as heavy work would.
function sleepSync(ms: number): void {
  Atomics.wait(NEVER_NOTIFIED, 0, 0, ms);
}
