// Numbers that look random and are the same for the same seed, so that a failure comes again.

export type Prng = (below: number) => number;

/** Whole numbers from 0: a linear congruential generator (Numerical Recipes), its upper bits. */
export function prng(seed: number): Prng {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
