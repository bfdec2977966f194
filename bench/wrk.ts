// The load: the wrk command of a scenario, and what wrk prints when it is done.

import { startChild } from './child.ts';
import type { Scenario } from './scenarios.ts';

export type WrkResult = {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly durationSeconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly socketErrors: {
    readonly connect: number;
    readonly read: number;
    readonly write: number;
    readonly timeout: number;
  };
  /** What wrk calls so: status 400 and above. */
  readonly non2xx: number;
};

const US_PER_UNIT: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3600e6,
};
const METRIC: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

/** `216.00us`, `1.12ms`, `0.86m` in microseconds. */
export function parseDurationUs(text: string): number {
  const fields = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)$/.exec(text);
  if (fields === null) throw new Error(`wrk: not a duration: "${text}"`);
  return Number(fields[1]) * US_PER_UNIT[fields[2]!]!;
}

/** `636.00`, `146.18k`, `1.85M`. */
export function parseMetric(text: string): number {
  const fields = /^(\d+(?:\.\d+)?)([kMG]?)$/.exec(text);
  if (fields === null) throw new Error(`wrk: not a number: "${text}"`);
  return Number(fields[1]) * METRIC[fields[2]!]!;
}

/** @throws Error when a figure is not there: a benchmark must not go on with a guess. */
export function parseWrk(output: string): WrkResult {
  const requests = Number(find(output, /^\s*(\d+) requests in /m));
  const requestsPerSecond = parseMetric(find(output, /^Requests\/sec:\s+(\S+)$/m));
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    output,
  );
  const non2xx = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  return {
    requests,
    requestsPerSecond,
    // Its own duration is rounded to 10 ms; where nothing was answered there is nothing better.
    durationSeconds:
      requests > 0
        ? requests / requestsPerSecond
        : parseDurationUs(find(output, / requests in ([^,]+),/)) / 1e6,
    p50Us: parseDurationUs(find(output, /^\s*50%\s+(\S+)$/m)),
    p99Us: parseDurationUs(find(output, /^\s*99%\s+(\S+)$/m)),
    socketErrors: {
      connect: Number(errors?.[1] ?? 0),
      read: Number(errors?.[2] ?? 0),
      write: Number(errors?.[3] ?? 0),
      timeout: Number(errors?.[4] ?? 0),
    },
    non2xx: Number(non2xx?.[1] ?? 0),
  };
}

function find(output: string, pattern: RegExp): string {
  const found = pattern.exec(output);
  if (found === null) throw new Error(`wrk: its output lacks ${pattern}:\n${output}`);
  return found[1]!;
}

/** `cpu` undefined: not pinned. */
export type Load = {
  readonly origin: string;
  readonly scenario: Scenario;
  readonly seconds: number;
  readonly cpu: number | undefined;
};

export async function runWrk(load: Load): Promise<WrkResult> {
  const child = startChild(wrkCommand(load), { cpu: load.cpu });
  let output = '';
  child.onLine((line) => {
    output += `${line}\n`;
  });
  const code = await child.ended;
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${child.errorOutput()}`);
  return parseWrk(output);
}

function wrkCommand({ origin, scenario, seconds }: Load): string[] {
  const { connections, fields, script, target } = scenario;
  return [
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    ...fields.flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...(script === undefined ? [] : ['-s', script[0]]),
    origin + target,
    ...(script === undefined ? [] : ['--', String(script[1])]),
  ];
}
