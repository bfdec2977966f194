// Time as the data plane sees it: 32-bit integers, because a larger number would be an allocation.

export interface Clock {
  /** Reads the time once; `nowMs` and `unixSeconds` answer this reading until the next one. */
  update(): void;
  /** Milliseconds of a monotonic clock, wrapping around at 2^32: compare with `msBetween` only. */
  readonly nowMs: number;
  /** Seconds since 1970, for the Date field. */
  readonly unixSeconds: number;
}

/** From `earlier` to `later` in milliseconds; right while they are less than 24 days apart. */
export function msBetween(earlier: number, later: number): number {
  return (later - earlier) | 0;
}
