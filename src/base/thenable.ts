// Promises that code of the user hands to an engine which does not await them. Data plane.

export interface Thenable {
  then(fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): unknown;
}

export function isThenable(value: unknown): value is Thenable {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  try {
    return typeof (value as Partial<Thenable>).then === 'function';
  } catch {
    // A promise that is resolved with it is rejected with what it throws.
    return true;
  }
}

/**
 * Nobody waits for it: its rejection is not an unhandled one, which would end the thread. Control
 * plane.
 */
export function abandon(promise: Thenable): void {
  Promise.resolve(promise).then(ignore, ignore);
}

/** The promise, which whoever is given it may abandon. Control plane. */
export function abandonable<T>(promise: Promise<T>): Promise<T> {
  abandon(promise);
  return promise;
}

/** A promise that is rejected, which nobody has to wait for. Control plane. */
export function rejected(error: Error): Promise<never> {
  return abandonable(Promise.reject(error));
}

function ignore(): void {}
