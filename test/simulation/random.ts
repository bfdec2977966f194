// The source of every decision of a simulation: the same seed, the same run.

import { prng } from '../support/prng.ts';

export class Random {
  readonly #next: (below: number) => number;

  constructor(seed: number) {
    // Neighbouring seeds have nothing in common: the bits are mixed first.
    let mixed = Math.imul(seed ^ (seed >>> 16), 0x45d9_f3b5);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d);
    this.#next = prng(mixed ^ (mixed >>> 13));
  }

  /** A whole number from 0, less than `below`. */
  below(below: number): number {
    return this.#next(below);
  }

  /** A whole number from `first` to `last`. */
  between(first: number, last: number): number {
    return first + this.#next(last - first + 1);
  }

  /** True with this probability. One of 0 costs no number, and one of 1 neither. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    return probability >= 1 || this.#next(1 << 24) < probability * (1 << 24);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#next(list.length)]!;
  }
}
