// Runs the app's named tasks, each in place in its holder.
//
// Owner: one thread, a worker or, without workers, an accept thread. Data plane: the runner
// allocates nothing, except for a task that fails. A function that fails costs its own task only:
// status 500, no output, and the error goes to `onError`; the thread lives on. Assertions of the
// engine are no failure of a task, they end the thread as everywhere.

import { AssertionError, assert } from '../base/assert.ts';
import { abandon, isThenable } from '../base/thenable.ts';
import { BoundTask, STATUS_FAILED, type Task, type TaskServer } from './task.ts';
import { RUNNING, type TaskHolders } from './task-holders.ts';

export type TaskFunction = (task: Task) => unknown;

export type NamedTask = { name: string; run: TaskFunction };

export type TaskErrorHandler = (taskName: string, error: unknown) => void;

export class TaskRunner {
  /** Counters of this thread. */
  ranCount = 0;
  failedCount = 0;
  readonly #holders: TaskHolders;
  readonly #names: string[] = [];
  readonly #functions: TaskFunction[] = [];
  readonly #onError: TaskErrorHandler;
  readonly #task: BoundTask;

  /** A task's index is its place in `tasks`, the same in every thread. Control plane. */
  constructor(
    holders: TaskHolders,
    tasks: readonly NamedTask[],
    server: TaskServer,
    onError: TaskErrorHandler,
  ) {
    this.#holders = holders;
    this.#onError = onError;
    this.#task = new BoundTask(holders, server);
    for (const { name, run } of tasks) {
      assert(!this.#names.includes(name), 'the names of tasks are distinct');
      this.#names.push(name);
      this.#functions.push(run);
    }
  }

  /** Runs the task of a holder this thread owns; its result is in the holder afterwards. */
  run(holder: number): void {
    const index = this.#holders.taskIndex(holder);
    assert(this.#holders.state(holder) === RUNNING, 'a task is run by the owner of its holder');
    assert(index < this.#functions.length, 'the task has a function');
    const name = this.#names[index]!;
    const run = this.#functions[index]!;
    this.#task.bind(holder, name);
    this.ranCount++;
    let failed = false;
    let error: unknown;
    try {
      const result = run(this.#task);
      if (result !== undefined && isThenable(result)) {
        // Its rejection is the task's failure, which is reported already.
        abandon(result);
        failed = true;
        error = new Error('async tasks are not supported yet: the function returned a promise');
      }
    } catch (thrown) {
      if (thrown instanceof AssertionError) throw thrown; // tidy: allow the thread ends here
      failed = true;
      error = thrown;
    }
    const fitted = this.#task.unbind();
    if (failed) this.#fail(holder, name, error);
    else if (!fitted) this.#fail(holder, name, new Error('the result does not fit a task holder'));
  }

  #fail(holder: number, name: string, error: unknown): void {
    this.#holders.setStatus(holder, STATUS_FAILED);
    this.failedCount++;
    this.#onError(name, error);
  }
}
