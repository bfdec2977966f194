// The yardstick most readers know: `node:http` in one thread, with the least work its API allows
// for an empty 200. Its Date and keep-alive fields are as they come, because its users get those.
//
//     node bench/node-http.ts PORT         0 takes a free port; the ready line names it

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => {
  response.statusCode = request.url === '/test/fast' ? 200 : 404;
  response.end();
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', 4096, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`node-http listening on http://127.0.0.1:${port}\n`);
});
