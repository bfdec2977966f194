// `npm run differential -- --seed N --cases M`: sends streams of requests to Millrace and to
// `node:http`, which both answer with the body they got, and compares what they make of them. Each
// difference is one of `known-differences.ts`, or a failure.

import { prng } from '../support/prng.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { KNOWN } from './known-differences.ts';
import type { Outcome, Peer } from './servers.ts';
import { echoOf, nodeHttp } from './servers.ts';
import type { Stream } from './streams.ts';
import { nextStream } from './streams.ts';

export interface Difference {
  readonly stream: Stream;
  readonly millrace: Outcome;
  readonly node: Outcome;
  /** The index of the stream for this seed. */
  readonly index: number;
}

export interface Result {
  readonly cases: number;
  /** How many streams nothing was refused of, and how many both refused. */
  readonly accepted: number;
  readonly refused: number;
  /** By name of the known difference: how often. */
  readonly known: ReadonlyMap<string, number>;
  readonly unknown: readonly Difference[];
}

/** Streams that are on their way at the same time. */
const CONCURRENT = 16;

export async function compare(server: ServerProcess, seed: number, cases: number): Promise<Result> {
  const node = await nodeHttp();
  try {
    return await compareWith(echoOf(server.port), node, seed, cases);
  } finally {
    node.close();
  }
}

async function compareWith(
  millrace: Peer,
  node: Peer,
  seed: number,
  cases: number,
): Promise<Result> {
  const pick = prng(seed);
  const known = new Map<string, number>();
  const unknown: Difference[] = [];
  let next = 0;
  let accepted = 0;
  let refused = 0;
  const work = async (): Promise<void> => {
    while (next < cases) {
      const index = next++;
      const stream = nextStream(pick);
      const outcomes = await Promise.all([millrace.outcome(stream), node.outcome(stream)]);
      const difference = { stream, millrace: outcomes[0], node: outcomes[1], index };
      if (isSame(...outcomes)) {
        if (outcomes[0].refused === undefined) accepted++;
        else refused++;
        continue;
      }
      const isAlike = hasSameBodies(...outcomes);
      const name = isAlike ? KNOWN.find(({ applies }) => applies(difference))?.name : undefined;
      if (name === undefined) unknown.push(difference);
      else known.set(name, (known.get(name) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, work));
  return { cases, accepted, refused, known, unknown };
}

function isSame(millrace: Outcome, node: Outcome): boolean {
  if (millrace.bodies.length !== node.bodies.length) return false;
  return hasSameBodies(millrace, node) && millrace.refused === node.refused;
}

// True exactly when both read the same of the requests that both accepted, as far as is known.
function hasSameBodies(millrace: Outcome, node: Outcome): boolean {
  return millrace.bodies.every((body, index) => {
    const other = node.bodies[index];
    return body === undefined || other === undefined || body === other;
  });
}

export function describe({ stream, millrace, node, index }: Difference): string {
  const text = JSON.stringify(stream.requests[stream.hostile] ?? stream.requests.join(''));
  const short = text.length > 400 ? `${text.slice(0, 400)}...` : text;
  const outcome = ({ bodies, refused }: Outcome): string =>
    `${bodies.length} of ${stream.requests.length} accepted, ${refused ?? 'nothing'} refused`;
  return [
    `stream ${index}, ${stream.kind}, behind ${Math.max(stream.hostile, 0)}: ${short}`,
    `  Millrace:  ${outcome(millrace)}`,
    `  node:http: ${outcome(node)}`,
  ].join('\n');
}
