import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { CANARIES } from './canaries.ts';
import { runSeeds } from './runs.ts';

const RUNS = 500;
const CANARY_RUNS = 500;
const FIXED_SEED = 20_260_101;

/** A seed from the commit, so that each commit tries others and a failure comes again. */
function commitSeed(): number {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { stdio: 'pipe' });
    return Number.parseInt(commit.toString().slice(0, 7), 16);
  } catch {
    return FIXED_SEED;
  }
}

test(`the server keeps its promises in ${RUNS} simulated runs`, async (context) => {
  const seed = commitSeed();
  context.diagnostic(`npm run simulate -- --seed ${seed} --runs ${RUNS}`);
  const { failure, totals } = await runSeeds(seed, RUNS);
  equal(failure?.report, undefined);
  // The runs do something: they are not all refused, reset or idle.
  ok(totals.requests > RUNS);
  ok(totals.connections > RUNS);
  ok(totals.deaths > 0);
  ok(totals.late > 0);
  ok(totals.cancelled > 0);
  ok(totals.handedOff > RUNS / 2);
  ok(totals.lost > 0);
});

test('the same seed is the same run, event for event', async () => {
  const record = async (): Promise<string[]> => {
    const events: string[] = [];
    await runSeeds(7, 5, { onEvent: (event) => events.push(event) });
    return events;
  };
  const first = await record();
  ok(first.length > 100);
  deepEqual(await record(), first);
});

test('a turn that does not end is a failure with its seed', async () => {
  const canary = CANARIES['keeps-buffers']!;
  let message = '';
  for (let seed = 1; seed <= CANARY_RUNS && message !== 'the run does not end'; seed++) {
    message = (await runSeeds(seed, 1, { canary })).failure?.error.message ?? '';
  }
  equal(message, 'the run does not end');
});

for (const [name, canary] of Object.entries(CANARIES)) {
  test(`a bug on purpose is caught: ${name}`, async () => {
    const { failure } = await runSeeds(1, CANARY_RUNS, { canary, canaryName: name });
    notEqual(failure, undefined);
    const { seed, report } = failure!;
    ok(report.includes(`npm run simulate -- --seed ${seed} --runs 1 --canary ${name}`));
    equal(report.includes('not deterministic'), false);
    equal((await runSeeds(seed, 1, { canary })).failure?.error.message, failure!.error.message);
    // It is the canary that fails, and nothing else.
    equal((await runSeeds(seed, 1)).failure, undefined);
  });
}
