import { deepEqual, equal, rejects } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { SILENCE_MS_MAX, streamPieces } from './stream-pieces.ts';

interface Bench {
  readonly source: ReadableStreamDefaultController<Uint8Array>;
  readonly pieces: AsyncGenerator<Uint8Array, void>;
  readonly client: AbortController;
  pass(ms: number): void;
}

function open(t: TestContext): Bench {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const client = new AbortController();
  let source: Bench['source'];
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      source = controller;
    },
  });
  const pieces = streamPieces(stream.getReader(), [], client.signal);
  return { source: source!, pieces, client, pass: (ms) => t.mock.timers.tick(ms) };
}

const PIECE = Uint8Array.of(1);
const GONE = { name: 'ExchangeError', status: 0 };

test('what was read already comes first', async () => {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let piece = 0; piece < 4; piece++) controller.enqueue(Uint8Array.of(piece));
      controller.close();
    },
  });
  const reader = stream.getReader();
  const { signal } = new AbortController();
  const pieces = streamPieces(reader, [reader.read(), reader.read()], signal);
  const all: number[] = [];
  for await (const piece of pieces) all.push(piece[0]!);
  deepEqual(all, [0, 1, 2, 3]);
});

test('a client that has not ended its side is waited for', async (t) => {
  const { source, pieces, pass } = open(t);
  const next = pieces.next();
  pass(SILENCE_MS_MAX * 100);
  source.enqueue(PIECE);
  deepEqual(await next, { done: false, value: PIECE });
});

test('behind the end of its side each piece has its time', async (t) => {
  const { source, pieces, client, pass } = open(t);
  let next = pieces.next();
  pass(SILENCE_MS_MAX * 100);
  client.abort();
  for (let piece = 0; piece < 3; piece++) {
    pass(SILENCE_MS_MAX - 1);
    source.enqueue(PIECE);
    equal((await next).done, false);
    // The client takes it, in its own time.
    pass(SILENCE_MS_MAX * 100);
    next = pieces.next();
  }
  pass(SILENCE_MS_MAX);
  await rejects(next, GONE);
});

test('the time begins with the wait when the side had ended before', async (t) => {
  const { pieces, client, pass } = open(t);
  client.abort();
  pass(SILENCE_MS_MAX * 100);
  const next = pieces.next();
  pass(SILENCE_MS_MAX);
  await rejects(next, GONE);
});
