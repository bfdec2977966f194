// A long export in straight-line code: the connection is handed to a worker, whose writes wait for
// the client, and comes back when the export is done.
//
//     npx millrace export.ts
//     curl 'http://127.0.0.1:9000/export?rows=1000000' | tail -1

import { defineApp, handOff } from 'millrace';

function* rows(count: number): Generator<string> {
  for (let row = 1; row <= count; row++) yield `${row},${row * row}\n`;
}

export default defineApp({
  routes: { 'GET /export': handOff('exportRows') },
  connections: {
    exportRows: (connection) => {
      const count = Number(connection.request.query.get('rows') ?? 1000);
      connection.field('Content-Type', 'text/csv');
      let page = 'number,square\n';
      for (const row of rows(count)) {
        page += row;
        if (page.length < 16_384) continue;
        connection.writeSync(page);
        page = '';
      }
      connection.endSync(page);
    },
  },
});
