// `npm run fuzz -- --seconds N [--seed S]`: streams of requests, valid and not, against the parser
// and the decoder, for a time. A failure prints the seed that makes it again with `--count 1`.

import { parseArgs } from 'node:util';
import { Fuzzer, FuzzFailure } from './checks.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    count: { type: 'string', default: 'Infinity' },
  },
});
const seconds = Number(values.seconds);
const count = Number(values.count);
const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!(seconds > 0) || !(count > 0) || !Number.isInteger(first)) {
  console.error('usage: npm run fuzz -- [--seconds N] [--seed S] [--count N]');
  process.exit(2);
}

const fuzzer = new Fuzzer();
const end = performance.now() + seconds * 1000;
let seed = first;
console.log(`fuzz: from seed ${first}`);
try {
  for (; seed - first < count && performance.now() < end; seed++) fuzzer.check(seed);
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
const { streams, requests, rejected, bodies } = fuzzer.tally;
console.log(
  `fuzz: ${streams} streams, ${rejected} rejected; ${requests} requests, ${bodies} bodies`,
);
