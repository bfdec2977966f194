// The application of the benchmark of fetch applications, for Millrace and for the server of Hono.

import { Hono } from 'hono';

const app = new Hono();
app.get('/text', (c) => c.text('hello'));
app.get('/json/:id', async (c) => {
  await undefined;
  return c.json({ id: c.req.param('id'), agent: c.req.header('user-agent') ?? null });
});
app.post('/echo', async (c) => c.json(await c.req.json()));

export default app;
