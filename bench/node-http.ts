// The yardstick most readers know: `node:http` in one thread, with the least work its API allows
// for each answer. Its Date and keep-alive fields are as they come, because its users get those.
//
//     node bench/node-http.ts PORT         0 takes a free port; the ready line names it

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  BROWSER_TARGET,
  EMPTY_PATH,
  JSON_PATH,
  LARGE_PATH,
  LARGE_SIZE,
  SMALL_PATH,
  SMALL_SIZE,
  UPLOAD_PATH,
  UPLOAD_SIZE,
  USER,
} from './targets.ts';

const small = Buffer.alloc(SMALL_SIZE);
const large = Buffer.alloc(LARGE_SIZE);

const server = createServer((request, response) => {
  switch (request.url) {
    case EMPTY_PATH:
    case BROWSER_TARGET:
      response.end();
      break;
    case JSON_PATH:
      void answerLater(response);
      break;
    case SMALL_PATH:
      response.end(small);
      break;
    case LARGE_PATH:
      response.end(large);
      break;
    case UPLOAD_PATH:
      takeUpload(request, response);
      break;
    default:
      response.statusCode = 404;
      response.end();
  }
});

async function answerLater(response: ServerResponse): Promise<void> {
  const body = JSON.stringify(await USER);
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Content-Length', body.length);
  response.end(body);
}

function takeUpload(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    response.statusCode = Buffer.concat(pieces).length === UPLOAD_SIZE ? 200 : 400;
    response.end();
  });
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', 4096, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`node-http listening on http://127.0.0.1:${port}\n`);
});
