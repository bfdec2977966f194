// Heavy work in worker threads, while the accept threads serve on. `hash-plain.ts` is the same on
// Node's own server: there one such request holds up all others.
//
//     npx millrace hash.ts
//     curl --data-binary @file http://127.0.0.1:9000/hash
//     curl http://127.0.0.1:9000/fast

import type { Task } from 'millrace';
import { defineApp } from 'millrace';
import { slowHash } from './slow-hash.ts';

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast\n'),
    'POST /hash': async (request, response) => {
      response.end(`${await request.delegate('hash', await request.bytes())}\n`);
    },
  },
  tasks: {
    // The bytes lie in shared memory; the text that it returns goes back as JSON.
    hash: (task: Task<Uint8Array>) => slowHash(task.inputBytes),
  },
});
