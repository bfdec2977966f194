import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { GcCounts } from './gc-trace.ts';
import type { Run } from './measure.ts';
import { formatTable, isFaulty, median, ratio, reportScenario } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { WrkResult } from './wrk.ts';

const [KEEP_ALIVE, PIPELINED] = SCENARIOS;

type Figures = { cpuUs: number; wrk?: Partial<WrkResult>; gc?: GcCounts; scenario?: string };

// 1000 requests within a second of a core, unless told otherwise.
function run(server: string, round: number, { cpuUs, wrk, gc, scenario }: Figures): Run {
  return {
    round,
    scenario: scenario ?? KEEP_ALIVE!.name,
    server,
    cpu: { runNs: cpuUs * 1e3 * 1000, waitNs: 0, source: 'schedstat' },
    gc,
    wrk: {
      requests: 1000,
      requestsPerSecond: 1e6 / cpuUs,
      durationSeconds: (cpuUs * 1000) / 1e6,
      p50Us: 200,
      p99Us: 900,
      socketErrors: { connect: 0, read: 0, write: 0, timeout: 0 },
      non2xx: 0,
      ...wrk,
    },
  };
}

test('median', () => {
  equal(median([3, 1, 2]), 2);
  equal(median([4, 1, 2, 3]), 2.5);
  equal(median([7]), 7);
  ok(Number.isNaN(median([])));
});

test('a ratio is the median of the rounds’ ratios, over the rounds that hold both', () => {
  const ours = [1, 2, 3, 4].map((round) => run('millrace', round, { cpuUs: 10 * round }));
  const others = [2, 3, 4].map((round) => run('epoll', round, { cpuUs: round === 4 ? 10 : 20 }));
  equal(ratio(ours, others), 1.5);
  ok(Number.isNaN(ratio(ours, [])));
});

test('a table: figures, references, garbage over all rounds', () => {
  const report = reportScenario(KEEP_ALIVE!, [
    run('millrace', 1, { cpuUs: 10, gc: { young: 1, major: 0, allocatedBytes: 5000 } }),
    run('millrace', 2, { cpuUs: 12, gc: { young: 0, major: 1, allocatedBytes: 3000 } }),
    run('epoll', 1, { cpuUs: 8 }),
    run('epoll', 2, { cpuUs: 8 }),
    run('epoll', 1, { cpuUs: 1, scenario: PIPELINED!.name }),
  ]);
  const [title, head, millrace, epoll, ...remarks] = report.split('\n');
  match(title!, /^keep-alive: 64 connections/);
  deepEqual(head!.split(/ {2,}/).slice(0, 5), [
    'server',
    'µs CPU',
    '(min-max)',
    'x epoll',
    'requests/s',
  ]);
  match(millrace!, /^millrace +11\.0 +\(10\.0-12\.0\) +1\.38 +91667 +200 +900 +4\.00 +1\/1$/);
  match(epoll!, /^epoll +8\.00 +\(8\.00-8\.00\) +1\.00 +125000 +200 +900 +- +-$/);
  deepEqual(remarks, []);
});

test('without the C responder the ratios are to node:http', () => {
  const scenario = SCENARIOS.find(({ name }) => name === '1m')!;
  const report = reportScenario(scenario, [
    run('millrace', 1, { cpuUs: 30, scenario: scenario.name }),
    run('node-http', 1, { cpuUs: 20, scenario: scenario.name }),
  ]);
  match(report, /^server +µs CPU +\(min-max\) +x node-http +requests\/s/m);
  match(report, /^millrace +30\.0 +\S+ +1\.50 /m);
});

test('latencies that wrk cannot know are not printed', () => {
  const report = reportScenario(PIPELINED!, [
    run('epoll', 1, { cpuUs: 1, scenario: PIPELINED!.name }),
  ]);
  match(report, /^epoll .* 1000000 +- +- +- +-$/m);
});

test('errors are loud and make the run faulty', () => {
  const socketErrors = { connect: 0, read: 3, write: 0, timeout: 0 };
  const faulty = run('epoll', 2, { cpuUs: 8, wrk: { socketErrors, non2xx: 4 } });
  ok(isFaulty(faulty));
  ok(isFaulty(run('epoll', 1, { cpuUs: 8, wrk: { requests: 0 } })));
  equal(isFaulty(run('epoll', 1, { cpuUs: 8 })), false);
  match(
    reportScenario(KEEP_ALIVE!, [run('epoll', 1, { cpuUs: 8 }), faulty]),
    /^!!! ERRORS, epoll, round 2: .*read 3, .*status 400 and above: 4 \(of 1000 requests\)$/m,
  );
});

test('a server that waited for the load is named', () => {
  const idle = run('epoll', 1, { cpuUs: 8, wrk: { durationSeconds: 0.01 } });
  match(reportScenario(KEEP_ALIVE!, [idle]), /^! epoll was not the bottleneck: busy 80 %/m);
  doesNotMatch(reportScenario(KEEP_ALIVE!, [run('epoll', 1, { cpuUs: 8 })]), /bottleneck/);
});

test('columns are aligned', () => {
  deepEqual(
    formatTable([
      ['server', 'µs'],
      ['a', '10.5'],
    ]),
    ['server    µs', 'a       10.5'],
  );
});
