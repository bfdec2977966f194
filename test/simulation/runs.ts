// Many runs in a row, and the report of one that failed: its seed, how to see it again, and the
// last of its events, for which it is run a second time.

import type { Canary } from './canaries.ts';
import type { Trace } from './kernel.ts';
import { type Outcome, Simulation } from './simulation.ts';

const EVENTS_SHOWN = 60;

export interface RunsOptions {
  readonly canary?: Canary | undefined;
  readonly canaryName?: string | undefined;
  /** Is told of every event of every run. */
  readonly onEvent?: Trace | undefined;
}

export interface Failure {
  readonly seed: number;
  readonly error: Error;
  /** For people: what, where, and how to run it again. */
  readonly report: string;
}

export interface RunsResult {
  readonly failure: Failure | undefined;
  readonly totals: Outcome;
}

/** Runs the seeds from `seed` on, up to the first that fails. */
export async function runSeeds(
  seed: number,
  runs: number,
  options: RunsOptions = {},
): Promise<RunsResult> {
  const totals = {
    operations: 0,
    steps: 0,
    requests: 0,
    connections: 0,
    deaths: 0,
    late: 0,
    cancelled: 0,
    handedOff: 0,
    lost: 0,
  };
  for (let index = 0; index < runs; index++) {
    options.onEvent?.(`seed ${seed + index}`);
    try {
      const outcome = await run(seed + index, options, options.onEvent);
      for (const name of Object.keys(totals) as (keyof Outcome)[]) totals[name] += outcome[name];
    } catch (error) {
      return { failure: await describe(seed + index, error as Error, options), totals };
    }
  }
  return { failure: undefined, totals };
}

function run(seed: number, { canary }: RunsOptions, trace: Trace | undefined): Promise<Outcome> {
  return new Simulation({
    seed,
    ...(canary === undefined ? {} : { canary }),
    ...(trace === undefined ? {} : { trace }),
  }).run();
}

async function describe(seed: number, error: Error, options: RunsOptions): Promise<Failure> {
  const events: string[] = [];
  try {
    await run(seed, options, (event) => {
      events.push(event);
      if (events.length > 10 * EVENTS_SHOWN) events.splice(1, 9 * EVENTS_SHOWN);
    });
    events.push('this run, with its events recorded, did not fail: it is not deterministic');
  } catch {
    // It was to fail again.
  }
  const canary = options.canaryName === undefined ? '' : ` --canary ${options.canaryName}`;
  const report = [
    events[0],
    ...events.slice(1).slice(-EVENTS_SHOWN),
    `the run with seed ${seed} failed: ${error.message}`,
    error.stack?.split('\n').slice(1, 12).join('\n') ?? '',
    `npm run simulate -- --seed ${seed} --runs 1${canary} --verbose`,
  ].join('\n');
  return { seed, error, report };
}
