// A JSON API on a database, which all threads of the server share:
//
//     npx millrace json-api.ts
//     curl -d '{"title":"Adam Bede"}' http://127.0.0.1:9000/books
//     curl http://127.0.0.1:9000/books/1

import { DatabaseSync } from 'node:sqlite';
import { defineApp } from 'millrace';

// Each thread loads this module, and has a connection to the same file.
const database = new DatabaseSync(process.env.BOOKS ?? 'books.db', { timeout: 1000 });
database.exec('PRAGMA journal_mode = WAL');
database.exec('CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY, title TEXT NOT NULL)');
const list = database.prepare('SELECT id, title FROM books ORDER BY id');
const find = database.prepare('SELECT id, title FROM books WHERE id = ?');
const insert = database.prepare('INSERT INTO books (title) VALUES (?) RETURNING id, title');
const remove = database.prepare('DELETE FROM books WHERE id = ?');

function titleOf(body: unknown): string | undefined {
  const { title } = (body ?? {}) as { title?: unknown };
  return typeof title === 'string' && title !== '' ? title : undefined;
}

export default defineApp({
  routes: {
    'GET /books': (_request, response) => response.json(list.all()),
    'POST /books': async (request, response) => {
      const title = titleOf(await request.json());
      if (title === undefined) return response.json({ error: 'a book has a title' }, 422);
      const book = insert.get(title);
      response.field('Location', `/books/${book!.id}`).json(book, 201);
    },
    'GET /books/:id': (request, response) => {
      const book = find.get(request.param('id'));
      if (book === undefined) response.json({ error: 'there is no such book' }, 404);
      else response.json(book);
    },
    'DELETE /books/:id': (request, response) => {
      const { changes } = remove.run(request.param('id'));
      response.end(undefined, changes === 0 ? 404 : 204);
    },
  },
  fallback: (request, response) => response.json({ error: `nothing at ${request.path}` }, 404),
});
