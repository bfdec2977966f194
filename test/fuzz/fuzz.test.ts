import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { prng } from '../support/prng.ts';
import { Fuzzer, FuzzFailure, reference } from './checks.ts';
import { CORPUS } from './corpus.ts';

const COUNT = 8000;
const SEED = 20_261_123;

test('the requests of the corpus, and what is made of them, mean what the grammar says', () => {
  const fuzzer = new Fuzzer();
  const random = prng(SEED);
  for (const stream of CORPUS) fuzzer.checkStream(stream, random);
  for (let seed = SEED; seed < SEED + COUNT; seed++) fuzzer.check(seed);
  const { streams, requests, rejected, bodies } = fuzzer.tally;
  equal(streams, COUNT + CORPUS.length);
  // That streams of each kind were made.
  ok(requests > streams / 2, `${requests} requests`);
  ok(rejected > streams / 4 && rejected < streams, `${rejected} rejected`);
  ok(bodies > streams / 10, `${bodies} bodies`);
});

test('a reference that disagrees is found, and how to see it again is said', () => {
  // It takes no request that asks to be the last one.
  const other = new Fuzzer((stream) => {
    const parsed = reference(stream);
    return parsed.end === 'closed' ? { ...parsed, end: 'rejected' } : parsed;
  });
  throws(
    () => {
      for (let seed = 0; seed < 200; seed++) other.check(seed);
    },
    (error) =>
      error instanceof FuzzFailure && /^--seed \d+ --count 1\ninput: "/.test(error.message),
  );
});
