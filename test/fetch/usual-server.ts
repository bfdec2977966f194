// `node usual-server.ts MODULE`: a fetch application on the server that is usual for it on Node.

import { pathToFileURL } from 'node:url';
import { serve } from '@hono/node-server';

const { default: app } = await import(pathToFileURL(process.argv[2]!).href);
serve({ fetch: (request) => app.fetch(request), port: 0, hostname: '127.0.0.1' }, ({ port }) => {
  process.stdout.write(`the usual server is ready on http://127.0.0.1:${port}\n`);
});
