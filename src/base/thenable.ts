// Promises that code of the user hands to an engine which does not await them. Data plane.

export interface Thenable {
  then(fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): unknown;
}

export function isThenable(value: unknown): value is Thenable {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  return typeof (value as Partial<Thenable>).then === 'function';
}

/** Nobody waits for it: its rejection is not an unhandled one, which would end the thread. */
export function abandon(promise: Thenable): void {
  promise.then(ignore, ignore);
}

function ignore(): void {}
