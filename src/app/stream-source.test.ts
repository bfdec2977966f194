import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RESPONSE_SINK } from '../../test/support/unit-response-sink.ts';
import { BoundResponse } from './bound-response.ts';
import type { Pieces } from './stream-source.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const GONE = new Error('the peer has gone');

/** A response whose pieces are taken at once, and counted. */
function takingResponse(): { response: BoundResponse; taken: string[] } {
  const taken: string[] = [];
  const response = new BoundResponse({
    ...RESPONSE_SINK,
    onResponse: () => {
      for (let { piece } = response; piece !== undefined; { piece } = response) {
        taken.push(Buffer.from(piece).toString());
        response.take(piece.length);
      }
    },
  });
  response.bind();
  return { response, taken };
}

function usedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

for (const [kind, isAsync] of [
  ['an iterable', false],
  ['an async iterable', true],
] as const) {
  test(`a stream from ${kind} keeps nothing of the pieces that were taken`, async () => {
    const count = 50_000;
    const { response, taken } = takingResponse();
    let grown = 0;
    function* pieces(): Generator<string> {
      // What is compiled, and what is made once, is there before it counts.
      for (let index = 0; index < 5000; index++) yield 'x';
      const before = usedHeap();
      for (let index = 0; index < count; index++) {
        taken.length = 0;
        yield 'x';
      }
      grown = usedHeap() - before;
    }
    async function* asyncPieces(): AsyncGenerator<string> {
      yield* pieces();
    }
    await response.stream(isAsync ? asyncPieces() : pieces());
    equal(response.ended, true);
    ok(grown < 32 * count, `${grown / count} bytes a piece are kept`);
  });
}

test('a stream ends when its peer has gone, also while its source waits', async () => {
  for (const rejectsLater of [false, true]) {
    const { response, taken } = takingResponse();
    const next = Promise.withResolvers<string>();
    const source = {
      cancelled: 0,
      count: 0,
      [Symbol.asyncIterator]() {
        return this;
      },
      async next(): Promise<IteratorResult<string>> {
        return { done: false, value: this.count++ === 0 ? 'first' : await next.promise };
      },
      async return(): Promise<IteratorResult<string>> {
        this.cancelled++;
        return { done: true, value: undefined };
      },
    };
    const streamed = response.stream(source);
    await new Promise((resolve) => setImmediate(resolve));
    deepEqual([taken, source.count], [['first'], 2]);
    response.fail(GONE);
    await rejects(streamed, GONE);
    equal(source.cancelled, 1);
    // Nobody waits for it any more: neither is it sent, nor is its failure an unhandled one.
    if (rejectsLater) next.reject(new Error('too late'));
    else next.resolve('too late');
    await new Promise((resolve) => setImmediate(resolve));
    deepEqual(taken, ['first']);
  }
});

test('a stream of a response that has failed already does not wait for its source', async () => {
  const { response } = takingResponse();
  response.fail(GONE);
  const waits: Pieces['next'] = () => new Promise(() => {});
  await rejects(response.stream({ [Symbol.asyncIterator]: () => ({ next: waits }) }), GONE);
});
