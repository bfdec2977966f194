// One measured run: a fresh server, a warm-up, then the load with everything counted around it.

import { setImmediate } from 'node:timers/promises';
import { checkAnswer } from './check-answer.ts';
import { type CpuTime, cpuBetween, sampleCpu } from './cpu-time.ts';
import type { GcCounts } from './gc-trace.ts';
import type { Scenario } from './scenarios.ts';
import { type ServerRow, startServer } from './servers.ts';
import { runWrk, type WrkResult } from './wrk.ts';

const WARM_UP_SECONDS = 1;
const SECONDS_MAX = 60;

export type Pins = { readonly server: number | undefined; readonly load: number | undefined };

/** How long a run takes: a time, or the whole seconds that so many requests take. */
export type RunSize = { readonly seconds: number } | { readonly requests: number };

export type Run = {
  readonly round: number;
  readonly scenario: string;
  readonly server: string;
  readonly wrk: WrkResult;
  readonly cpu: CpuTime;
  /** Undefined for a server without a JavaScript heap. */
  readonly gc: GcCounts | undefined;
};

export type RunPlan = {
  readonly round: number;
  readonly scenario: Scenario;
  readonly server: ServerRow;
  readonly size: RunSize;
  readonly pins: Pins;
};

/** @throws Error when the server does not start, answer or stay, or wrk fails. */
export async function measure({ round, scenario, server, size, pins }: RunPlan): Promise<Run> {
  const running = await startServer(server, pins.server);
  try {
    await checkAnswer(running.origin, scenario);
    const load = { origin: running.origin, scenario, cpu: pins.load };
    const warmUp = await runWrk({ ...load, seconds: WARM_UP_SECONDS });
    const seconds = secondsOf(size, warmUp.requestsPerSecond);

    running.checkRuns();
    running.gc.restart();
    const before = sampleCpu(running.pid);
    const wrk = await runWrk({ ...load, seconds });
    running.checkRuns();
    const cpu = cpuBetween(before, sampleCpu(running.pid));
    // Lets the last lines of the server's output arrive, which were written before wrk ended.
    await setImmediate();
    const gc = server.tracesGc ? { ...running.gc.counts } : undefined;
    return { round, scenario: scenario.name, server: server.name, wrk, cpu, gc };
  } finally {
    await running.stop();
  }
}

export function secondsOf(size: RunSize, requestsPerSecond: number): number {
  if ('seconds' in size) return size.seconds;
  const seconds = Math.ceil(size.requests / Math.max(1, requestsPerSecond));
  return Math.min(Math.max(seconds, 1), SECONDS_MAX);
}
