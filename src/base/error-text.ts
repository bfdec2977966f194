// What was thrown, as text for the log. Code of the user may throw anything, such as an object that
// is no string either, or an error with a getter that throws itself. Control plane.

import { inspect } from 'node:util';

/** Never throws. */
export function errorText(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  return attempt(stackOf, thrown) ?? attempt(inspect, thrown) ?? 'what was thrown cannot be told';
}

function stackOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { stack } = thrown;
  return typeof stack === 'string' ? stack : undefined;
}

function attempt(
  tell: (thrown: unknown) => string | undefined,
  thrown: unknown,
): string | undefined {
  try {
    return tell(thrown);
  } catch {
    return undefined;
  }
}
