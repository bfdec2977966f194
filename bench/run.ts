// `npm run bench`: compares Millrace with a C responder, node:http and nginx on this machine.
//
// The server has one CPU, the load another. Rounds are interleaved: in each, every server runs once
// per scenario, freshly started, in an order that rotates from round to round, so that a machine
// that gets slower or faster favours none. The remarks under a table say what not to conclude.

import { writeFileSync } from 'node:fs';
import { endChildrenWithProcess } from './child.ts';
import {
  allowedCpus,
  CC,
  hasTool,
  machineLine,
  missingLine,
  NGINX_TOOL,
  TASKSET,
  type Tool,
  WRK,
} from './machine.ts';
import { measure, type Pins, type Run } from './measure.ts';
import { HELP, type Options, parseOptions, select } from './options.ts';
import { cpuUsPerRequest, isFaulty, LEGEND, reportScenario } from './report.ts';
import {
  BASELINE,
  compileResponder,
  EPOLL,
  NGINX,
  type ServerRow,
  serverTable,
} from './servers.ts';

// Exit codes of sysexits.h.
const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;

async function main(): Promise<number> {
  let options: Options;
  let servers: ServerRow[];
  try {
    options = parseOptions(process.argv.slice(2));
    servers = chooseServers(options);
  } catch (error) {
    say(`bench: ${message(error)}`);
    return EX_USAGE;
  }
  if (options.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const hasWrk = findTool(WRK);
  const hasTaskset = findTool(TASKSET);
  const missing = servers.filter(({ name }) => !hasToolsOf(name));
  if (!hasWrk) return EX_UNAVAILABLE;
  if (servers.some(isResponder) && !missing.some(isResponder) && !compileOrSay()) {
    missing.push(...servers.filter(isResponder));
  }
  servers = servers.filter((server) => !missing.includes(server));

  const cpus = allowedCpus();
  const pins = choosePins(cpus, hasTaskset);
  endChildrenWithProcess();
  const machine = machineLine(cpus.length);
  const plan = planLine(options, pins);
  const { runs, failed } = await runRounds(options, servers, pins);
  process.stdout.write(`${machine}\n${plan}\n`);
  for (const scenario of options.scenarios) {
    if (runs.some((run) => run.scenario === scenario.name)) {
      process.stdout.write(`\n${reportScenario(scenario, runs)}\n`);
    }
  }
  if (runs.length > 0) process.stdout.write(`\n${LEGEND.join('\n')}\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine, plan, runs }, null, 2)}\n`);
  }
  return failed || runs.length === 0 || runs.some(isFaulty) ? 1 : 0;
}

// Those that can answer any of the scenarios.
function chooseServers({ scenarios, servers, baseline }: Options): ServerRow[] {
  const table = serverTable(baseline);
  if (servers?.includes(BASELINE) && baseline === undefined) {
    throw new Error('--servers: "baseline" needs --baseline DIR');
  }
  const chosen = servers === undefined ? table : select('--servers', servers.join(','), table);
  for (const { name, servers: able } of scenarios) {
    if (chosen.some((server) => able.includes(server.name))) continue;
    throw new Error(`--servers: none of them can answer "${name}", only ${able.join(', ')}`);
  }
  return chosen.filter(({ name }) => scenarios.some((scenario) => scenario.servers.includes(name)));
}

function isResponder({ name }: ServerRow): boolean {
  return name === EPOLL;
}

function hasToolsOf(server: string): boolean {
  if (server === EPOLL) return findTool(CC);
  return server !== NGINX || findTool(NGINX_TOOL);
}

function findTool(tool: Tool): boolean {
  const found = hasTool(tool);
  if (!found) say(missingLine(tool));
  return found;
}

function compileOrSay(): boolean {
  try {
    compileResponder();
    return true;
  } catch (error) {
    say(`bench: the C responder does not compile and is left out: ${message(error)}`);
    return false;
  }
}

function choosePins(cpus: readonly number[], hasTaskset: boolean): Pins {
  if (cpus.length < 2) {
    say('bench: fewer than 2 CPUs: pinning is impossible and the results are not comparable');
  }
  if (cpus.length < 2 || !hasTaskset) return { server: undefined, load: undefined };
  return { server: cpus[0], load: cpus[1] };
}

function planLine({ rounds, size }: Options, { server, load }: Pins): string {
  const length = 'seconds' in size ? `${size.seconds} s` : `about ${size.requests} requests`;
  const place =
    server === undefined ? 'not pinned' : `server on CPU ${server}, load on CPU ${load}`;
  return `${rounds} rounds of ${length} after 1 s of warm-up; ${place}; one wrk thread`;
}

// A server that fails once is left out of that scenario from then on: one line, not one per run.
async function runRounds(options: Options, servers: readonly ServerRow[], pins: Pins) {
  const runs: Run[] = [];
  const failures = new Set<string>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const scenario of options.scenarios) {
      const able = servers.filter(({ name }) => scenario.servers.includes(name));
      for (const server of rotated(able, round - 1)) {
        const failure = `${server.name} failed in ${scenario.name}`;
        if (failures.has(failure)) continue;
        try {
          const run = await measure({ round, scenario, server, size: options.size, pins });
          runs.push(run);
          const cost = cpuUsPerRequest(run).toFixed(2);
          say(`round ${round}, ${scenario.name}, ${server.name}: ${cost} µs CPU per request`);
        } catch (error) {
          failures.add(failure);
          say(`bench: ${failure} and is left out there: ${message(error)}`);
        }
      }
    }
  }
  runs.sort((a, b) => position(servers, a) - position(servers, b) || a.round - b.round);
  return { runs, failed: failures.size > 0 };
}

function position(servers: readonly ServerRow[], run: Run): number {
  return servers.findIndex(({ name }) => name === run.server);
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Progress and complaints go to stderr, the report alone to stdout.
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.exitCode = await main();
