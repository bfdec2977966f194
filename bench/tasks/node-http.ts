// `node:http` with piscina, for the mixed load: /test/fast answers at once, /test/cpu burns 50 ms
// in a worker.
//
//     node bench/tasks/node-http.ts WORKERS

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';

const workers = Number(process.argv[2]);
const pool = new Piscina({
  filename: fileURLToPath(new URL('./work.ts', import.meta.url)),
  minThreads: workers,
  maxThreads: workers,
});

const server = createServer((request, response) => {
  if (request.url === '/test/cpu') {
    void pool.run(50, { name: 'burn' }).then(() => response.end());
  } else response.end();
});

server.listen(0, '127.0.0.1', 4096, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`ready on http://127.0.0.1:${port}\n`);
});
