// Runs the app's named tasks, each in place in its holder. A plain function is done when it
// returns, an async one when its promise settles; others run meanwhile.
//
// Owner: one thread, a worker or, without workers, an accept thread. Data plane: the runner
// allocates nothing, except for a task that fails or is async. A function that fails costs its own
// task only: status 500, no output, and the error goes to `onError`; the thread lives on.
// Assertions of the engine are no failure of a task, they end the thread as everywhere.

import { AssertionError, assert } from '../base/assert.ts';
import { isThenable } from '../base/thenable.ts';
import { BoundTask, STATUS_FAILED, type Task, type TaskServer } from './task.ts';
import { RUNNING, type TaskHolders } from './task-holders.ts';

/** A task is written for the input it is delegated with; `never` stands for the target alone. */
export type TaskFunction<Input = never> = (task: Task<Input>) => unknown;

export type NamedTask = { name: string; run: TaskFunction };

export type TaskErrorHandler = (taskName: string, error: unknown) => void;

export class TaskRunner {
  /** Counters of this thread. */
  ranCount = 0;
  failedCount = 0;
  readonly #holders: TaskHolders;
  readonly #names: string[] = [];
  readonly #functions: ((task: Task<unknown>) => unknown)[] = [];
  readonly #onError: TaskErrorHandler;
  readonly #server: TaskServer;
  readonly #onDone: (holder: number) => void;
  // For the next task: an async one keeps its own.
  #task: BoundTask;

  /**
   * A task's index is its place in `tasks`, the same in every thread. `onDone` is told of each
   * holder for which `run` answered false, when its result is there. Control plane.
   */
  constructor(
    holders: TaskHolders,
    tasks: readonly NamedTask[],
    server: TaskServer,
    onError: TaskErrorHandler,
    onDone: (holder: number) => void,
  ) {
    this.#holders = holders;
    this.#onError = onError;
    this.#server = server;
    this.#onDone = onDone;
    this.#task = new BoundTask(holders, server);
    for (const { name, run } of tasks) {
      assert(!this.#names.includes(name), 'the names of tasks are distinct');
      this.#names.push(name);
      // What its input is was checked where it is delegated.
      this.#functions.push(run as (task: Task<unknown>) => unknown);
    }
  }

  /**
   * Runs the task of a holder this thread owns. Answers true when its result is in the holder;
   * false when the task is async and goes on.
   */
  run(holder: number): boolean {
    const index = this.#holders.taskIndex(holder);
    assert(this.#holders.state(holder) === RUNNING, 'a task is run by the owner of its holder');
    assert(index < this.#functions.length, 'the task has a function');
    const name = this.#names[index]!;
    const run = this.#functions[index]!;
    const task = this.#task;
    task.bind(holder, name);
    this.ranCount++;
    let result: unknown;
    let goesOn = false;
    try {
      result = run(task);
      goesOn = result !== undefined && isThenable(result);
    } catch (error) {
      if (error instanceof AssertionError) throw error; // tidy: allow the thread ends here
      task.unbind();
      this.#fail(holder, name, error);
      return true;
    }
    if (goesOn) {
      this.#goesOn(task, holder, name, result);
      return false;
    }
    this.#end(task, holder, name, result);
    return true;
  }

  // Control plane: an async task has allocated its promise already.
  #goesOn(task: BoundTask, holder: number, name: string, promise: unknown): void {
    this.#holders.setSharesThread(holder, true);
    this.#task = new BoundTask(this.#holders, this.#server);
    // Whatever `then` it has, it settles once.
    Promise.resolve(promise).then(
      (value: unknown) => {
        this.#end(task, holder, name, value);
        this.#onDone(holder);
      },
      (error: unknown) => {
        task.unbind();
        this.#fail(holder, name, error);
        this.#onDone(holder);
      },
    );
  }

  #end(task: BoundTask, holder: number, name: string, result: unknown): void {
    let error: unknown;
    try {
      error = task.settle(result);
    } catch (thrown) {
      if (thrown instanceof AssertionError) throw thrown; // tidy: allow the thread ends here
      error = thrown;
    }
    task.unbind();
    if (error !== undefined) this.#fail(holder, name, error);
  }

  #fail(holder: number, name: string, error: unknown): void {
    this.#holders.setStatus(holder, STATUS_FAILED);
    this.failedCount++;
    this.#onError(name, error);
  }
}
