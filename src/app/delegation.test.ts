// What does not compile is an error here unless the line above says so: tsc runs this test.

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from '../delegate/task.ts';
import { defineApp } from './app.ts';
import { delegate } from './delegation.ts';

const tasks = {
  slow: (task: Task) => task.target.length,
  add: (task: Task<{ a: number; b: number }>) => task.input.a + task.input.b,
  bytes: (task: Task<Uint8Array>) => task.inputBytes,
  buffer: () => Buffer.from('text'),
  later: async (task: Task<string>) => [task.input],
};

test('names, inputs and results of tasks are checked where they are delegated', () => {
  const app = defineApp({
    routes: {
      'GET /1': delegate('slow'),
      'GET /2': delegate('add', { input: ({ target }) => ({ a: target.length, b: 2 }) }),
      'GET /3': delegate('add', {
        input: () => ({ a: 1, b: 2 }),
        respond: (sum: number, response) => response.end(sum.toFixed()),
      }),
      'GET /4': async (request, response) => {
        const sum: number = await request.delegate('add', { a: 1, b: 2 });
        const bytes: Uint8Array = await request.delegate('bytes', new Uint8Array(sum));
        const [text]: string[] = await request.delegate('later', 'text');
        const size: number = await request.delegate('slow');
        await request.delegate('nothing');
        await request.delegate('slow', undefined, {});
        const into = new Uint8Array(2);
        await request.delegate('bytes', into, { into });
        const own: Uint8Array<ArrayBuffer> = await request.delegate('bytes', into);
        const buffer: Buffer = await request.delegate('bytes', into, { into: Buffer.alloc(2) });
        // @ts-expect-error a Buffer arrives as a Uint8Array
        const noBuffer: Buffer = await request.delegate('buffer');
        response.end(`${bytes.length} ${text} ${size} ${own} ${buffer} ${noBuffer}`);
      },
      'GET /5': (_request, response) => response.end(),
      'GET /respond': delegate('slow', {
        respond: (size: number, response) => response.end(size.toFixed()),
      }),
      // @ts-expect-error it wants an input
      'GET /without': delegate('add', { respond: (_sum: number, response) => response.end() }),
      // @ts-expect-error there is no such task
      'GET /6': delegate('fast'),
      // @ts-expect-error its input lacks a part
      'GET /7': delegate('add', { input: () => ({ a: 1 }) }),
      // @ts-expect-error it wants an input
      'GET /8': delegate('add'),
      // @ts-expect-error it wants no input
      'GET /9': delegate('slow', { input: () => 1 }),
      // @ts-expect-error its result is a number
      'GET /10': delegate('add', {
        input: () => ({ a: 1, b: 2 }),
        respond: (sum: string, response) => response.end(sum),
      }),
      'GET /11': async (request, response) => {
        // @ts-expect-error there is no such task
        await request.delegate('fast');
        // @ts-expect-error its input lacks a part
        await request.delegate('add', { a: 1 });
        // @ts-expect-error it wants an input
        await request.delegate('add');
        // @ts-expect-error it wants no input
        await request.delegate('slow', 1);
        // @ts-expect-error bytes come in an array of bytes
        await request.delegate('bytes', new Uint8Array(2), { into: [] });
        response.end();
      },
    },
    tasks: { ...tasks, plain: (task) => task.target.length, nothing: () => {} },
  });
  deepEqual(Object.keys(app.tasks!), [
    'slow',
    'add',
    'bytes',
    'buffer',
    'later',
    'plain',
    'nothing',
  ]);
});
