// What must hold for every stream: it means the same whole and cut, and what the reference says.

import { deepStrictEqual } from 'node:assert/strict';
import {
  CHUNK_DIGITS_MAX,
  EXTENSION_SIZE_MAX,
  EXTENSIONS_SIZE_MAX,
  TRAILER_COUNT_MAX,
  TRAILERS_SIZE_MAX,
} from '../../src/http/body-decoder.ts';
import type { RequestLimits } from '../../src/http/request-limits.ts';
import type { Prng } from '../support/prng.ts';
import { prng } from '../support/prng.ts';
import { makeCuts, makeStream } from './mutations.ts';
import type { ParsedRequest, ParsedStream } from './reference-parser.ts';
import { parseStream } from './reference-parser.ts';
import type { SubjectStream } from './subject.ts';
import { Subject } from './subject.ts';

/** Small, so that streams reach them. */
const LIMITS: RequestLimits = { requestLineSizeMax: 128, headSizeMax: 512, fieldCountMax: 12 };
const BODY_LIMITS = {
  chunkDigitsMax: CHUNK_DIGITS_MAX,
  extensionSizeMax: EXTENSION_SIZE_MAX,
  extensionsSizeMax: EXTENSIONS_SIZE_MAX,
  trailersSizeMax: TRAILERS_SIZE_MAX,
  trailerCountMax: TRAILER_COUNT_MAX,
};
// One stream in so many is read with every read watched, if it is short.
const WATCHED_EVERY = 16;
const WATCHED_SIZE_MAX = 1024;

export type Reference = (stream: string) => ParsedStream;
export const reference: Reference = (stream) => parseStream(stream, LIMITS, BODY_LIMITS);

/** A stream that failed, and what to run it again with. */
export class FuzzFailure extends Error {
  override name = 'FuzzFailure';

  constructor(seed: number, stream: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`--seed ${seed} --count 1\ninput: ${JSON.stringify(stream)}\n${why}`, { cause });
  }
}

/** How often a stream of each kind came up. */
export type Tally = { streams: number; requests: number; rejected: number; bodies: number };

export class Fuzzer {
  readonly tally: Tally = { streams: 0, requests: 0, rejected: 0, bodies: 0 };
  readonly #subject = new Subject(LIMITS);
  readonly #reference: Reference;

  constructor(other: Reference = reference) {
    this.#reference = other;
  }

  /** Makes the stream of a seed, and checks it. */
  check(seed: number): void {
    // Neighbours among seeds must not be neighbours among streams.
    const random = prng(Math.imul(seed + 1, 0x9e37_79b1));
    const stream = makeStream(random);
    try {
      this.checkStream(stream, random);
    } catch (error) {
      throw new FuzzFailure(seed, stream, error);
    }
  }

  /** @throws Error when something does not hold. */
  checkStream(stream: string, random: Prng): void {
    const whole = this.#run(stream, []);
    this.#compare(whole, this.#reference(stream), 'the reference and the whole');
    for (let round = 0; round < 2; round++) {
      const cuts = makeCuts(stream.length, random);
      this.#subject.watched = random(WATCHED_EVERY) === 0 && stream.length <= WATCHED_SIZE_MAX;
      const cut = this.#run(stream, cuts);
      this.#subject.watched = false;
      this.#compare(cut, this.#reference(stream), `the reference and the cut at ${cuts}`);
      // Of what was rejected whole, a piece may still wait for the end of its line.
      if (cut.end === whole.end) deepStrictEqual(cut, whole, `whole and cut at ${cuts}`);
      else deepStrictEqual([whole.end, cut.end], ['rejected', 'incomplete'], `cut at ${cuts}`);
      // With its last line ended, there is nothing to wait for.
      const ended = `${stream}\n`;
      deepStrictEqual(this.#run(ended, cuts), this.#run(ended, []), `ended, cut at ${cuts}`);
    }
    this.#compare(this.#run(`${stream}\n`, []), this.#reference(`${stream}\n`), 'ended');
    this.#count(whole);
  }

  #run(stream: string, cuts: readonly number[]): SubjectStream {
    return this.#subject.run(new Uint8Array(Buffer.from(stream, 'latin1')), cuts);
  }

  #compare(found: SubjectStream, expected: ParsedStream, what: string): void {
    deepStrictEqual(found.requests.map(sorted), expected.requests.map(sorted), what);
    const open = expected.end === 'open line' && found.end !== 'closed';
    if (!open) deepStrictEqual(found.end, expected.end, what);
  }

  #count(stream: SubjectStream): void {
    this.tally.streams++;
    this.tally.requests += stream.requests.length;
    if (stream.end === 'rejected') this.tally.rejected++;
    this.tally.bodies += stream.requests.filter(({ body }) => body !== '').length;
  }
}

// Two objects with the same properties in another order are the same.
function sorted(request: ParsedRequest): unknown {
  return Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
}
