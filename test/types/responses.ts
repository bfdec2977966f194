// What must not compile of a response: `npm run check` compiles this file, nobody runs it.

import { Readable } from 'node:stream';
import type { Handler } from '../../src/index.ts';

export const streams: Handler = async (request, response) => {
  await response.stream(['a', Buffer.from('b')]);
  await response.stream(new Set(['a']));
  await response.stream(request.body);
  await response.stream(Readable.from(['a']));
  await response.stream(new ReadableStream<string>());
  // @ts-expect-error a text is no stream of its characters
  await response.stream('text');
  // @ts-expect-error bytes are no stream of numbers
  await response.stream(Buffer.from('bytes'));
};
