// Hono's own server for Node, with the application of `hono-app.ts`.
//
//     node bench/hono-node-server.ts PORT         0 takes a free port; the ready line names it

import { serve } from '@hono/node-server';
import app from './hono-app.ts';

serve({ fetch: app.fetch, port: Number(process.argv[2] ?? 0), hostname: '127.0.0.1' }, (info) => {
  process.stdout.write(`hono-node-server listening on http://127.0.0.1:${info.port}\n`);
});
