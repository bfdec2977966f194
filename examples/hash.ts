// Heavy work in worker threads, while the accept threads serve on. `hash-plain.ts` is the same on
// Node's own server: there one such request holds up all others.
//
//     npx millrace hash.ts --task-size 1048576
//     curl --data-binary @file http://127.0.0.1:9000/hash
//     curl http://127.0.0.1:9000/fast
//
// A file has to fit --task-size, which is 2048 bytes unless it is said: what does not is a 413.

import type { Task } from 'millrace';
import { defineApp, TaskError } from 'millrace';
import { slowHash } from './slow-hash.ts';

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast\n'),
    'POST /hash': async (request, response) => {
      const bytes = await request.bytes();
      try {
        response.end(`${await request.delegate('hash', bytes)}\n`);
      } catch (error) {
        if (!(error instanceof TaskError) || error.code !== 'too-large') throw error;
        response.end('the file is too large\n', 413);
      }
    },
  },
  tasks: {
    // The bytes lie in shared memory; the text that it returns goes back as JSON.
    hash: (task: Task<Uint8Array>) => slowHash(task.inputBytes),
  },
});
