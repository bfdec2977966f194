// Delegation as the connections of an accept thread see it: the task goes to the workers, or is run
// here and now when there are none; either way its result comes back by `onTaskDone`. Data plane.

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Connections } from '../connection/connections.ts';
import type { TaskDelegation } from '../connection/request-side.ts';
import type { Delegator } from '../delegate/delegator.ts';
import { TOO_LARGE } from '../delegate/delegator.ts';
import type { TaskRunner } from '../delegate/task-runner.ts';
import { NONE } from '../memory/pool.ts';

const ACCEPTED = 0;
/** RFC 9110 section 15.5.15: the target does not fit a task holder. */
const URI_TOO_LONG = 414;
/** RFC 9110 section 15.6.4: every holder of the thread is taken, or the task is not safe to run. */
const SERVICE_UNAVAILABLE = 503;

export class AcceptThreadDelegation implements TaskDelegation {
  readonly #delegator: Delegator;
  readonly #bytes: Uint8Array;
  readonly #counters: Counters;
  // By task: 1 while it is refused.
  readonly #refused: Int32Array;
  // Set exactly when there are no workers.
  readonly #inlineRunner: TaskRunner | undefined;
  #connections: Connections | undefined;

  constructor(
    delegator: Delegator,
    bytes: Uint8Array,
    counters: Counters,
    refused: Int32Array,
    inlineRunner: TaskRunner | undefined,
  ) {
    this.#delegator = delegator;
    this.#bytes = bytes;
    this.#counters = counters;
    this.#refused = refused;
    this.#inlineRunner = inlineRunner;
  }

  /** The connections, which are made with a reference to this. Control plane. */
  attach(connections: Connections): void {
    this.#connections = connections;
  }

  delegate(
    task: number,
    exchange: number,
    generation: number,
    offset: number,
    size: number,
  ): number {
    if (Atomics.load(this.#refused, task) !== 0) {
      count(this.#counters, Counter.tasksRefused);
      return SERVICE_UNAVAILABLE;
    }
    const runner = this.#inlineRunner;
    const delegator = this.#delegator;
    const holder =
      runner === undefined
        ? delegator.delegate(task, exchange, generation, this.#bytes, offset, size)
        : delegator.runInline(runner, task, exchange, generation, this.#bytes, offset, size);
    if (holder === TOO_LARGE) return URI_TOO_LONG;
    if (holder === NONE) {
      count(this.#counters, Counter.taskHoldersDry);
      return SERVICE_UNAVAILABLE;
    }
    if (runner !== undefined) this.#onDone(holder);
    return ACCEPTED;
  }

  /** The message phase of a tick: results of the workers. */
  runCompletions(budget: number): boolean {
    if (!this.#delegator.takeCompletions()) return false;
    for (let done = 0; done < budget; done++) {
      const holder = this.#delegator.nextCompletion();
      if (holder === NONE) return false;
      this.#onDone(holder);
    }
    return this.#delegator.hasCompletions();
  }

  #onDone(holder: number): void {
    assert(this.#connections !== undefined, 'connections are attached at start');
    const holders = this.#delegator.holders;
    count(this.#counters, Counter.tasksCompleted);
    this.#connections.onTaskDone(
      holders.connectionSlot(holder),
      holders.connectionGeneration(holder),
      holders.status(holder),
      holders.bytes,
      holders.payloadOffset(holder),
      holders.outputSize(holder),
    );
    this.#delegator.release(holder);
  }
}
