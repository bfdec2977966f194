// An application of Hono with what applications of it use most: middleware of its own and others',
// routes in routes, bodies of every kind, streams, and `Request` and `Response` of the standard.

import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import { poweredBy } from 'hono/powered-by';
import { prettyJSON } from 'hono/pretty-json';
import { secureHeaders } from 'hono/secure-headers';
import { streamSSE, streamText } from 'hono/streaming';

const app = new Hono();
app.use(poweredBy());
app.use('/private/*', basicAuth({ username: 'a', password: 'b' }));
app.use('/etag', etag());
app.use('/cors', cors());
app.use('/secure', secureHeaders());
app.use('/after/*', async (c, next) => {
  await next();
  c.header('X-After', 'yes');
});
app.notFound((c) => c.text(`nothing at ${c.req.path}`, 404));
app.onError((error, c) => c.text(error.message, 500));

app.get('/', (c) => c.text('Hono'));
app.get('/url', (c) => c.json({ url: c.req.url, method: c.req.method, q: c.req.queries('q') }));
app.get('/private/page', (c) => c.text('private'));
app.get('/etag', (c) => c.text('the same every time'));
app.get('/cors', (c) => c.text('cors'));
app.get('/secure', (c) => c.html('<p>secure'));
app.get('/after/response', () => new Response('of the standard', { status: 201 }));
app.get('/headers', (c) => c.json(c.req.header()));
app.get('/cookies', (c) => {
  c.header('Set-Cookie', 'a=1', { append: true });
  c.header('Set-Cookie', 'b=2; Path=/', { append: true });
  return c.text('cookies');
});
app.get('/redirect', (c) => c.redirect('/'));
app.get('/json', prettyJSON(), (c) => c.json({ list: [1, 2, 3] }));
app.get('/static-json', () => Response.json({ a: 1 }, { status: 202, headers: { 'X-A': 'b' } }));
app.get('/empty', (c) => c.body(null, 204));
app.get('/bytes', (c) => c.body(Uint8Array.of(1, 2, 255), 200, { 'Content-Type': 'image/x' }));
app.get('/error', () => {
  throw new Error('a mistake');
});
app.get('/no-response', () => 'text' as unknown as Response);
app.get('/stream', (c) =>
  streamText(c, async (stream) => {
    for (const piece of ['one', 'two', 'three']) await stream.write(piece);
  }),
);
app.get('/events', (c) =>
  streamSSE(c, async (stream) => {
    for (const id of ['1', '2']) await stream.writeSSE({ data: 'tick', event: 'time', id });
  }),
);
app.post('/text', async (c) => c.text(await c.req.text()));
app.post('/json', async (c) => c.json(await c.req.json()));
app.post('/form', async (c) => c.json(await c.req.parseBody()));
app.post('/buffer', async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)));
app.post('/blob', async (c) => c.text(await (await c.req.blob()).text()));
app.post('/limited', bodyLimit({ maxSize: 10 }), async (c) => c.text(await c.req.text()));
app.post('/through', (c) => new Response(c.req.raw.body, { headers: { 'Content-Type': 'x/y' } }));
app.post('/clone', async (c) => {
  const copy = c.req.raw.clone();
  return c.text((await copy.text()) + (await c.req.text()));
});
app.post('/request', async (c) => {
  const request = new Request('http://other/path', c.req.raw);
  const wrapped = new Request(request);
  const { method, url } = wrapped;
  const is = c.req.raw instanceof Request && wrapped instanceof Request;
  const headers = c.req.raw.headers instanceof Headers;
  return c.json({ is, headers, method, url, type: wrapped.headers.get('content-type') });
});
app.get('/response', async (c) => {
  const response = new Response('text', { headers: { 'X-One': '1' } });
  const copy = response.clone();
  response.headers.set('X-Two', '2');
  const is = response instanceof Response && Response.error() instanceof Response;
  return c.json({
    is,
    text: await copy.text(),
    type: copy.headers.get('content-type'),
    fields: [...response.headers],
    used: copy.bodyUsed,
    status: [response.ok, response.status, response.statusText, response.type],
  });
});
app.route(
  '/books',
  new Hono()
    .get('/', (c) => c.text('books'))
    .get('/:id', (c) => c.text(`book ${c.req.param('id')}`))
    .all('/:id/pages', (c) => c.text(c.req.method)),
);
app.mount('/mounted', (request) => new Response(`mounted ${new URL(request.url).pathname}`));

export default app;
