// The bytes that are sent are the expected responses, in order, and everything comes back: for
// whatever order operations complete in, and however the streams are cut.

import { test } from 'node:test';
import { RandomRun } from '../../test/support/unit-random-peers.ts';

const RUNS = 2000;
// Any will do: MILLRACE_SEED=<the seed of a failure> runs that one alone.
const SEED = process.env.MILLRACE_SEED;

test('connections keep their promises in 2,000 random sequences of events', async () => {
  const first = SEED === undefined ? 1 : Number(SEED);
  const end = SEED === undefined ? first + RUNS : first + 1;
  for (let seed = first; seed < end; seed++) {
    try {
      await new RandomRun(seed).run();
    } catch (error) {
      throw new Error(`the run with MILLRACE_SEED=${seed} failed`, { cause: error });
    }
  }
});
