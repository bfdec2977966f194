// What the connections ask of whoever runs the tasks. Types only.

import type { TaskCaller } from '../app/request.ts';

/** Runs a task, in a worker or in this thread. */
export interface TaskDelegation {
  /**
   * Answers 0, and the result comes for the exchange of this index and generation; or the status to
   * refuse the request with.
   */
  delegate(
    task: number,
    exchange: number,
    generation: number,
    offset: number,
    size: number,
  ): number;
  /** The most bytes of an input. */
  readonly inputSizeMax: number;
  /** As `delegate`, with an input of BYTES or JSON_TEXT that is no larger than `inputSizeMax`. */
  delegateInput(
    task: number,
    exchange: number,
    generation: number,
    input: string | Uint8Array,
    kind: number,
  ): number;
  /** Delegates for a handler, which awaits the result: bytes in `into`, or in a copy. */
  call(
    task: number,
    input: string | Uint8Array,
    kind: number,
    caller: TaskCaller,
    into?: Uint8Array,
  ): Promise<unknown>;
  /** Nobody waits for the result of the exchange's task any more. */
  cancel(exchange: number): void;
}
