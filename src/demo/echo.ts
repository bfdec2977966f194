// Answers every request with its own body: for conformance tests, and an example of a stream in
// both directions.

import { defineApp } from '../app/app.ts';

/** A body that breaks off before so many bytes gets an error, and not half an answer. */
const HELD_BACK_SIZE = 65_536;

export default defineApp({
  routes: {},
  fallback: async (request, response) => {
    const heldBack: Uint8Array[] = [];
    let size = 0;
    for await (const piece of request.body) {
      size += piece.length;
      if (size <= HELD_BACK_SIZE) heldBack.push(piece);
      else {
        for (const held of heldBack.splice(0)) await response.write(held);
        await response.write(piece);
      }
    }
    response.end(size <= HELD_BACK_SIZE ? Buffer.concat(heldBack) : undefined);
  },
});
