// Whether it is worth looking at every task holder for tasks that hang. A look takes the memory of
// all holders through the caches of a CPU, and a server may not have run a task for hours.
// Control plane.

import type { TaskHolders } from '../delegate/task-holders.ts';
import { RUNNING } from '../delegate/task-holders.ts';

/**
 * Looks that find no task running, and none taken meanwhile, before looking stops. A task runs at
 * once when it was taken, unless its thread is held up between the two.
 */
export const IDLE_LOOKS_MAX = 20;

export class HangLooks {
  #taken = 0;
  #idleLooks = 0;

  /** Is it worth a look, when so many tasks were taken since the start? */
  begin(taken: number): boolean {
    if (taken !== this.#taken) this.#idleLooks = 0;
    this.#taken = taken;
    if (this.#idleLooks === IDLE_LOOKS_MAX) return false;
    this.#idleLooks++;
    return true;
  }

  /** The look found a task that runs. */
  foundRunning(): void {
    this.#idleLooks = 0;
  }
}

/** What runs and was found late. While its thread is asked whether it is stuck, it may end. */
export class LateRun {
  readonly task: number;
  readonly #holders: TaskHolders;
  readonly #holder: number;
  readonly #thread: number;
  readonly #deadlineMs: number;

  constructor(holders: TaskHolders, holder: number) {
    this.task = holders.taskIndex(holder);
    this.#holders = holders;
    this.#holder = holder;
    this.#thread = holders.thread(holder);
    this.#deadlineMs = holders.deadlineMs(holder);
  }

  /** False: it has ended or put its deadline off. The holder may run something else. */
  get goesOn(): boolean {
    const holders = this.#holders;
    return (
      holders.state(this.#holder) === RUNNING &&
      holders.thread(this.#holder) === this.#thread &&
      holders.deadlineMs(this.#holder) === this.#deadlineMs
    );
  }
}
