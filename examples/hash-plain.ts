// `hash.ts` on Node's own server, to compare:
//
//     node hash-plain.ts

import { createServer } from 'node:http';
import { slowHash } from './slow-hash.ts';

const server = createServer(async (request, response) => {
  if (request.url !== '/hash') {
    response.end('fast\n');
    return;
  }
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  response.end(`${slowHash(Buffer.concat(pieces))}\n`);
});
server.listen(Number(process.env.PORT ?? 9000), '127.0.0.1');
