// The command line of the benchmark. Which servers there are depends on it (`--baseline`), so their
// names are checked by `run.ts`.

import { parseArgs } from 'node:util';
import type { RunSize } from './measure.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const DEFAULTS = SCENARIOS.filter(({ byDefault }) => byDefault);

export const HELP = `Compares HTTP servers on this machine: CPU time, garbage, latency.

  npm run bench -- [options]

  --rounds N        rounds; in each, every server runs once per scenario (default 5)
  --seconds N       whole seconds of a measured run (default 3)
  --requests N      instead of --seconds: as many whole seconds (60 at most) as N requests
                    take at the rate of the warm-up; makes the garbage of servers comparable
  --only LIST       scenarios, comma-separated:
                    ${names(SCENARIOS)}
                    (default ${names(DEFAULTS)})
  --all             every scenario
  --servers LIST    servers, comma-separated: millrace, millrace-epoll, baseline, epoll,
                    node-http, nginx; each runs in the scenarios it can answer
  --baseline DIR    another checkout of Millrace to compare with, as server "baseline"
  --json FILE       also writes every run to FILE
  --help            this text

Needs wrk, taskset, cc and, for files, nginx; says what it goes without. Exit code: 0 all is
measured; 1 a server failed or answered wrongly; 64 wrong usage; 69 no load generator.`;

export type Options = {
  readonly help: boolean;
  readonly rounds: number;
  readonly size: RunSize;
  readonly scenarios: readonly Scenario[];
  /** Undefined: every server there is. */
  readonly servers: readonly string[] | undefined;
  readonly baseline: string | undefined;
  readonly json: string | undefined;
};

/** @throws Error with a sentence for the user. */
export function parseOptions(commandLine: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...commandLine],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string' },
      requests: { type: 'string' },
      only: { type: 'string' },
      all: { type: 'boolean', default: false },
      servers: { type: 'string' },
      baseline: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.seconds !== undefined && values.requests !== undefined) {
    throw new Error('--seconds and --requests exclude each other');
  }
  if (values.all && values.only !== undefined)
    throw new Error('--all and --only exclude each other');
  return {
    help: values.help,
    rounds: positive('--rounds', values.rounds),
    size:
      values.requests === undefined
        ? { seconds: positive('--seconds', values.seconds ?? '3') }
        : { requests: positive('--requests', values.requests) },
    scenarios: chooseScenarios(values.all, values.only),
    servers: values.servers?.split(','),
    baseline: values.baseline,
    json: values.json,
  };
}

function chooseScenarios(all: boolean, only: string | undefined): readonly Scenario[] {
  if (only !== undefined) return select('--only', only, SCENARIOS);
  return all ? SCENARIOS : DEFAULTS;
}

function names(scenarios: readonly Scenario[]): string {
  return scenarios.map(({ name }) => name).join(', ');
}

/** The entries that a comma-separated list names, in the order of the table. */
export function select<T extends { readonly name: string }>(
  option: string,
  list: string,
  table: readonly T[],
): T[] {
  const names = list.split(',');
  for (const name of names) {
    if (table.some((entry) => entry.name === name)) continue;
    const known = table.map((entry) => entry.name).join(', ');
    throw new Error(`${option}: there is no "${name}", only ${known}`);
  }
  return table.filter((entry) => names.includes(entry.name));
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new Error(`${option}: "${text}" is not a whole number from 1`);
  }
  return value;
}
