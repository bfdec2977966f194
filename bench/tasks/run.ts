// Tasks of Millrace beside those of piscina, in one process and one run, in turn:
//
//     npm run bench:tasks
//
// Both have one worker thread. A call is `await request.delegate(...)` in an accept thread, and
// `await pool.run(...)` in the main thread.

import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { parseCommandLine } from '../../src/cli/options.ts';
import { Server } from '../../src/server/server.ts';
import type { CallFigures } from './measure-calls.ts';
import { measureCalls } from './measure-calls.ts';
import type { Work } from './work.ts';
import { BYTES_SIZE } from './work.ts';

interface Case {
  readonly name: string;
  readonly work: Work;
  readonly inFlight: number;
  readonly calls: number;
}

const CASES: readonly Case[] = [
  { name: 'empty, one at a time', work: 'nothing', inFlight: 1, calls: 40_000 },
  { name: 'empty, 64 in flight', work: 'nothing', inFlight: 64, calls: 400_000 },
  { name: '4 KiB in and out, one at a time', work: 'bytes', inFlight: 1, calls: 40_000 },
  { name: '4 KiB in and out, 64 in flight', work: 'bytes', inFlight: 64, calls: 200_000 },
  {
    name: "4 KiB, out into the caller's, 64 in flight",
    work: 'into',
    inFlight: 64,
    calls: 200_000,
  },
];

export async function compareTasks(scale: number, rounds: number): Promise<string[]> {
  const { server: options } = parseCommandLine(
    ['-p', '0', '-A', '1', '-w', '1', '-C', '100', '--task-size', String(BYTES_SIZE)],
    {},
  );
  const server = await Server.start(options, new URL('./app.ts', import.meta.url).href, () => {});
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./work.ts', import.meta.url)),
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 64,
  });
  const lines = ['| case | | median µs | p99 µs | tasks/s | heap bytes/task |', HEAD];
  try {
    for (const { name, work, inFlight, calls } of CASES) {
      const count = Math.ceil(calls * scale);
      const bytes = new Uint8Array(BYTES_SIZE);
      const call =
        work === 'nothing'
          ? () => pool.run(undefined, { name: 'nothing' })
          : () => pool.run(bytes, { name: 'invert' });
      const url = `http://127.0.0.1:${server.port}/measure?work=${work}&inFlight=${inFlight}`;
      const results: CallFigures[][] = [[], []];
      for (let round = 0; round <= rounds; round++) {
        const pair = [
          await measureCalls(call, count, inFlight),
          (await (await fetch(`${url}&calls=${count}`)).json()) as CallFigures,
        ];
        // The first round is for compiling.
        if (round > 0) for (const [side, figures] of pair.entries()) results[side]!.push(figures);
      }
      const [piscina, millrace] = results.map(medians);
      lines.push(line(name, 'piscina', piscina!), line('', 'millrace', millrace!));
      lines.push(ratios(piscina!, millrace!));
    }
  } finally {
    await pool.destroy();
    server.drain();
    await server.ended;
  }
  return lines;
}

const HEAD = '| --- | --- | --- | --- | --- | --- |';

function medians(rounds: readonly CallFigures[]): CallFigures {
  const of = (name: keyof CallFigures): number =>
    rounds.map((figures) => figures[name]).sort((a, b) => a - b)[Math.trunc(rounds.length / 2)]!;
  return {
    medianUs: of('medianUs'),
    p99Us: of('p99Us'),
    callsPerSecond: of('callsPerSecond'),
    heapBytesPerCall: of('heapBytesPerCall'),
  };
}

function line(name: string, side: string, figures: CallFigures): string {
  const { medianUs, p99Us, callsPerSecond, heapBytesPerCall } = figures;
  const cells = [medianUs.toFixed(1), p99Us.toFixed(1), callsPerSecond.toFixed(0)];
  return `| ${name} | ${side} | ${cells.join(' | ')} | ${heapBytesPerCall.toFixed(0)} |`;
}

function ratios(a: CallFigures, b: CallFigures): string {
  const cells = [
    (b.medianUs / a.medianUs).toFixed(2),
    (b.p99Us / a.p99Us).toFixed(2),
    (b.callsPerSecond / a.callsPerSecond).toFixed(2),
    (b.heapBytesPerCall / a.heapBytesPerCall).toFixed(2),
  ];
  return `| | millrace / piscina | ${cells.join(' | ')} |`;
}

if (import.meta.main) {
  for (const each of await compareTasks(1, 7)) process.stdout.write(`${each}\n`);
}
