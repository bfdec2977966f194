// An application of itty-router, which shares no code with Hono.

import { AutoRouter, cors, error, html, status, withContent } from 'itty-router';

const { preflight, corsify } = cors();
const router = AutoRouter({ before: [preflight], finally: [corsify] });

router
  .get('/hello/:name', ({ name }) => `Hello, ${name}!`)
  .get('/json', () => [1, 2, 3])
  .get('/promise', () => Promise.resolve('later'))
  .get('/html', () => html('<p>itty'))
  .get('/query', ({ query }) => query)
  .get('/teapot', () => error(418, 'short and stout'))
  .get('/none', () => status(204))
  .get('/broken', () => {
    throw new Error('a mistake');
  })
  .get('/fields', (request: Request) => Object.fromEntries(request.headers))
  .post('/content', withContent, ({ content }) => content);

export default { ...router };
