// The smallest application:
//
//     npx millrace hello.ts
//     curl http://127.0.0.1:9000/hello/you

import { defineApp } from 'millrace';

export default defineApp({
  routes: {
    'GET /': (_request, response) => response.end('hello\n'),
    'GET /hello/:name': (request, response) => response.end(`hello, ${request.param('name')}\n`),
  },
});
