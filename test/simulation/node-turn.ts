// What handlers and tasks that wait need of a simulated thread: its timers, and its turn of Node's
// own, in which what they wait for goes on. Microtasks belong to the thread whose step queued them:
// they run behind that step, before anything else happens.

/** One timer of a thread, for the request with this id. */
interface Pause {
  readonly id: number;
  readonly dueMs: number;
  readonly resume: () => void;
}

/** Never settles: what a thread that died still waits for. */
const NEVER = new Promise<never>(() => {});

export class NodeTurns {
  /** The requests of handlers and tasks that have begun and not ended. */
  readonly ids = new Set<number>();
  /** How often one of them went on. */
  resumes = 0;
  isDead = false;
  /** True exactly when microtasks may wait for the thread. */
  isDirty = false;
  /** Async tasks that have begun and not ended. */
  tasks = 0;
  readonly #nowMs: () => number;
  #pauses: Pause[] = [];
  // Of a blocking handler that has the thread: what was to go on waits until it is done.
  #blocked: PromiseWithResolvers<void> | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The requests that wait for a timer. */
  get pausedIds(): number[] {
    return this.#pauses.map(({ id }) => id);
  }

  /** Milliseconds until the next timer is due, or Infinity. */
  get dueInMs(): number {
    const nowMs = this.#nowMs();
    return this.#pauses.reduce((min, { dueMs }) => Math.min(min, dueMs - nowMs), Infinity);
  }

  /** Resumes what is due; false when nothing is. */
  runTimers(): boolean {
    const nowMs = this.#nowMs();
    const due = this.#pauses.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length === 0) return false;
    this.#pauses = this.#pauses.filter(({ dueMs }) => dueMs > nowMs);
    this.isDirty = true;
    for (const { resume } of due) resume();
    return true;
  }

  /** Waits until the clock of the kernel is so much later. */
  async pause(ms: number, id: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pauses.push({ id, dueMs: this.#nowMs() + ms, resume: resolve });
    await this.wait(promise);
  }

  /** Waits for a promise, as code of a thread does: not longer than the thread lives. */
  async wait<T>(promise: PromiseLike<T> | T): Promise<T> {
    try {
      return await promise;
    } finally {
      if (this.#blocked !== undefined) await this.#blocked.promise;
      this.resumes++;
      if (this.isDead) await NEVER;
    }
  }

  /** Code of a user, which may go on behind the call. */
  async run(id: number, code: () => Promise<void>): Promise<void> {
    this.ids.add(id);
    this.isDirty = true;
    try {
      await code();
    } finally {
      if (this.#blocked !== undefined) await this.#blocked.promise;
      if (this.isDead) await NEVER;
      this.ids.delete(id);
    }
  }

  /** As `run`, for a task. */
  async runTask(id: number, code: () => Promise<void>): Promise<void> {
    this.tasks++;
    try {
      await this.run(id, code);
    } finally {
      this.tasks--;
    }
  }

  /** A blocking handler has the thread: microtasks of others run meanwhile, its own do not. */
  block(): void {
    this.#blocked ??= Promise.withResolvers();
  }

  unblock(): void {
    this.#blocked?.resolve();
    this.#blocked = undefined;
  }

  die(): void {
    this.isDead = true;
    this.#pauses = [];
  }
}

/** What Node does between two callbacks: microtasks run, and rejections are told of. */
const { _tickCallback: runTicks } = process as unknown as { _tickCallback(): void };

/** All microtasks run, here and now. Not from within one: the caller is called by Node's loop. */
export function runMicrotasks(): void {
  let hasRun = false;
  queueMicrotask(() => {
    hasRun = true;
  });
  runTicks.call(process);
  if (!hasRun) throw new Error('microtasks do not run within one');
}
