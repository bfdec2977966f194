// What the tasks of the demo do to the worker that runs them. Control plane.

/** The most that `burn` is asked for. */
export const BURN_MS_MAX = 10_000;

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread, as a call that waits would. */
export function sleepSync(ms: number): void {
  Atomics.wait(NEVER_NOTIFIED, 0, 0, ms);
}

/** Keeps a CPU busy, as a computation would. */
export function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Fails in a way that is named, and answers false when that is none. */
export function fail(how: string): boolean {
  switch (how) {
    case 'throw':
      throw new Error('the demo was asked to throw');
    case 'exit':
      process.exit(1);
      break;
    case 'oom':
      hoard();
      break;
    case 'hang':
      for (;;);
    default:
      return false;
  }
  return true;
}

interface Hoard {
  readonly rest: Hoard | undefined;
}

// Small objects: Node ends a thread that comes near its heap's limit, a huge one would leap it.
function hoard(): void {
  let all: Hoard | undefined;
  for (;;) all = { rest: all };
}
