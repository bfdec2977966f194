// `npm run simulate`: runs of the simulation, one for each seed. See `docs/simulation.md`.

import { parseArgs } from 'node:util';
import { CANARIES } from './canaries.ts';
import { runSeeds } from './runs.ts';

const HELP = `npm run simulate -- [--seed N] [--runs M] [--canary NAME] [--verbose]

--seed N        the seed of the first run; random if it is left out
--runs M        how many runs, with the seeds N, N + 1, ...; 1000 if it is left out
--canary NAME   with a bug on purpose: ${Object.keys(CANARIES).join(', ')}
--verbose       with every event of every run
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: '1000' },
    canary: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const runs = Number(values.runs);
const canary = values.canary === undefined ? undefined : CANARIES[values.canary];

if (values.help) process.stdout.write(HELP);
else if (!Number.isInteger(seed) || !(runs > 0) || (values.canary !== undefined && !canary)) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const begin = performance.now();
  const { failure, totals } = await runSeeds(seed, runs, {
    canary,
    canaryName: values.canary,
    onEvent: values.verbose ? (event) => process.stdout.write(`${event}\n`) : undefined,
  });
  if (failure !== undefined) {
    process.stderr.write(`${failure.report}\n`);
    process.exitCode = 1;
  } else {
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    process.stdout.write(
      `${runs} runs from seed ${seed} in ${seconds} s: ${totals.connections} connections, ` +
        `${totals.requests} requests, ${totals.operations} operations, ${totals.steps} steps, ` +
        `${totals.deaths} workers died, ${totals.late} tasks late, ` +
        `${totals.cancelled} cancelled, ${totals.handedOff} connections handed off, ` +
        `${totals.lost} of them lost with their worker. All passed.\n`,
    );
  }
}
