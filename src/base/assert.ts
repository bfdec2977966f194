// Assertions: programmer errors stop the thread at once; nothing a peer or the kernel can cause is
// ever asserted. Messages are literals, because a template string is built even when the check
// passes. Both planes.

/** True when `MILLRACE_VERIFY=1`: costly checks run, and released memory is poisoned. */
export const VERIFY: boolean = process.env.MILLRACE_VERIFY === '1';

export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** @throws AssertionError when `condition` is false. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

/** Ends a `switch` over a closed set: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

// Kept out of `assert` so that the passing path stays small enough to be inlined.
function fail(message: string): never {
  throw new AssertionError(message);
}
