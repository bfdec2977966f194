// What the soak tests ask: a quick answer, a large one, and the hash of a large body.

import { createHash } from 'node:crypto';
import { defineApp } from '../../src/index.ts';
import { block } from './blocks.ts';

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /blocks': async ({ target }, response) => {
      const count = Number(new URL(target, 'http://localhost').searchParams.get('count'));
      for (let index = 0; index < count; index++) await response.write(block(index));
      response.end();
    },
    'POST /hash': async (request, response) => {
      const hash = createHash('sha256');
      for await (const piece of request.body) hash.update(piece);
      response.end(hash.digest('hex'));
    },
  },
});
