// From runs to tables. Times and rates are medians over the rounds. Ratios are medians of those
// within a round, because two servers of one round saw the same machine. Garbage is the sum over
// the rounds, because one run may hold no collection at all.

import type { Run } from './measure.ts';
import type { Scenario } from './scenarios.ts';
import { BASELINE, EPOLL, NODE_HTTP } from './servers.ts';

/** The servers that others are set in relation to. */
const REFERENCES: readonly string[] = [EPOLL, NODE_HTTP, BASELINE];

/** Below this share of its core a server was waiting for something else. */
const BOTTLENECK_MIN = 0.95;

export const LEGEND = [
  'µs CPU: CPU time of the whole server process per request, median (min-max) of the rounds.',
  'x NAME: that figure divided by the one of NAME in the same round, median.',
  'heap B: bytes of JavaScript heap allocated per request, estimated from --trace-gc lines: off by',
  '  at most one young generation per thread and run; 0 means that not one collection ran.',
  'GC: collections of the young generation / of the whole heap, over all rounds.',
  'Not the bottleneck: requests/s show the load, and µs CPU hold wake-ups a busy server is spared.',
];

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function cpuUsPerRequest(run: Run): number {
  return run.cpu.runNs / 1e3 / run.wrk.requests;
}

/** Median over the rounds that hold both; NaN when there is none. */
export function ratio(runs: readonly Run[], reference: readonly Run[]): number {
  const ratios: number[] = [];
  for (const run of runs) {
    const other = reference.find(({ round }) => round === run.round);
    if (other !== undefined) ratios.push(cpuUsPerRequest(run) / cpuUsPerRequest(other));
  }
  return median(ratios);
}

/** The table of one scenario and the remarks on it. `runs` may hold other scenarios too. */
export function reportScenario(scenario: Scenario, runs: readonly Run[]): string {
  const byServer = Map.groupBy(
    runs.filter((run) => run.scenario === scenario.name),
    (run) => run.server,
  );
  const references = REFERENCES.filter((name) => byServer.has(name));
  const head = ['server', 'µs CPU', '(min-max)', ...references.map((name) => `x ${name}`)];
  head.push('requests/s', 'p50 µs', 'p99 µs', 'heap B', 'GC');
  const rows = [head];
  const remarks: string[] = [];
  for (const [server, serverRuns] of byServer) {
    rows.push(tableRow(scenario, server, serverRuns, references, byServer));
    remarks.push(...errorRemarks(server, serverRuns), ...bottleneckRemarks(server, serverRuns));
  }
  return [`${scenario.name}: ${scenario.what}`, ...formatTable(rows), ...remarks].join('\n');
}

function tableRow(
  scenario: Scenario,
  server: string,
  runs: readonly Run[],
  references: readonly string[],
  byServer: ReadonlyMap<string, readonly Run[]>,
): string[] {
  const cpu = runs.map(cpuUsPerRequest);
  const latency = (of: (run: Run) => number) =>
    scenario.latency ? median(runs.map(of)).toFixed(0) : '-';
  return [
    server,
    figure(median(cpu)),
    `(${figure(Math.min(...cpu))}-${figure(Math.max(...cpu))})`,
    ...references.map((name) => ratio(runs, byServer.get(name)!).toFixed(2)),
    median(runs.map(({ wrk }) => wrk.requestsPerSecond)).toFixed(0),
    latency(({ wrk }) => wrk.p50Us),
    latency(({ wrk }) => wrk.p99Us),
    ...garbage(runs),
  ];
}

function garbage(runs: readonly Run[]): [heapBytes: string, collections: string] {
  let young = 0;
  let major = 0;
  let bytes = 0;
  let requests = 0;
  for (const { gc, wrk } of runs) {
    if (gc === undefined) return ['-', '-'];
    young += gc.young;
    major += gc.major;
    bytes += gc.allocatedBytes;
    requests += wrk.requests;
  }
  return [figure(bytes / requests), `${young}/${major}`];
}

// Three digits or so: more is noise.
function figure(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** True when a run's figures are worthless: socket errors, error statuses, or no answer at all. */
export function isFaulty({ wrk }: Run): boolean {
  const { connect, read, write, timeout } = wrk.socketErrors;
  return connect + read + write + timeout + wrk.non2xx > 0 || wrk.requests === 0;
}

function errorRemarks(server: string, runs: readonly Run[]): string[] {
  return runs.filter(isFaulty).map(({ round, wrk }) => {
    const { connect, read, write, timeout } = wrk.socketErrors;
    return (
      `!!! ERRORS, ${server}, round ${round}: sockets: connect ${connect}, read ${read}, ` +
      `write ${write}, timeout ${timeout}; status 400 and above: ${wrk.non2xx} ` +
      `(of ${wrk.requests} requests)`
    );
  });
}

function bottleneckRemarks(server: string, runs: readonly Run[]): string[] {
  const busy = median(runs.map(({ cpu, wrk }) => cpu.runNs / 1e9 / wrk.durationSeconds));
  if (busy >= BOTTLENECK_MIN) return [];
  const waiting = median(runs.map(({ cpu, wrk }) => cpu.waitNs / 1e9 / wrk.durationSeconds));
  return [
    `! ${server} was not the bottleneck: busy ${percent(busy)} of the time, ` +
      `kept waiting for its CPU ${percent(waiting)}, else idle`,
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** Columns aligned: the first to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  );
}
