// An application of Hono, as it would run on any server for the Fetch standard:
//
//     npx millrace hono.ts
//     curl http://127.0.0.1:9000/books

import { Hono } from 'hono';
import { logger } from 'hono/logger';
import { streamText } from 'hono/streaming';

interface Book {
  readonly title: string;
}

const books: ReadonlyMap<string, Book> = new Map([['1', { title: 'The Mill on the Floss' }]]);
const app = new Hono();

if (process.env.HONO_LOG !== undefined) app.use(logger());
app.get('/', (c) => c.text('Hono on Millrace\n'));
app.get('/books', (c) => c.json(Object.fromEntries(books)));
app.get('/books/:id', (c) => {
  const book = books.get(c.req.param('id'));
  return book === undefined ? c.json({ error: 'there is no such book' }, 404) : c.json(book);
});
// Not kept: every accept thread runs a copy of this module, so what they share is in a database.
app.post('/books', async (c) => {
  const { title } = await c.req.json<Book>();
  return c.json({ title }, 201, { Location: '/books/2' });
});
app.get('/count', (c) =>
  streamText(c, async (stream) => {
    for (let count = 1; count <= 3; count++) {
      await stream.writeln(String(count));
      await stream.sleep(10);
    }
  }),
);

export default app;
