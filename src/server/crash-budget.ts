// A task that ends every worker it runs in is stopped: with too many deaths in a short time it is
// refused for a while, then tried again. Control plane.

export const WINDOW_MS = 60_000;
/** For so long the task is refused. */
export const REFUSED_MS = 30_000;

/** The most tasks of an application; a flag each in shared memory. */
export const TASKS_MAX = 1024;

export class CrashBudget {
  /** Deaths of workers within WINDOW_MS that a task may cause; 0: any number. */
  readonly deathsMax: number;
  /** By task: 1 while it is refused. Accept threads read it. */
  readonly refused = new SharedArrayBuffer(TASKS_MAX * Int32Array.BYTES_PER_ELEMENT);
  readonly #flags = new Int32Array(this.refused);
  // By task: when it ended a worker, in milliseconds of a monotonic clock.
  readonly #deaths = new Map<number, number[]>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(deathsMax: number) {
    this.deathsMax = deathsMax;
  }

  /** A worker died while it ran `task`. True exactly when the task is refused from now on. */
  spend(task: number, now = performance.now()): boolean {
    if (this.deathsMax === 0) return false;
    const recent = (this.#deaths.get(task) ?? []).filter((at) => now - at < WINDOW_MS);
    recent.push(now);
    this.#deaths.set(task, recent);
    if (recent.length < this.deathsMax || this.#flags[task] === 1) return false;
    Atomics.store(this.#flags, task, 1);
    this.#deaths.delete(task);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      Atomics.store(this.#flags, task, 0);
    }, REFUSED_MS);
    timer.unref();
    this.#timers.add(timer);
    return true;
  }

  /** Refuses nothing any more, and keeps no timer. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
