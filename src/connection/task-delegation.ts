// What the connections ask of whoever runs the tasks. Types only.

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
  /** Nobody waits for the result of the exchange's task any more. */
  cancel(exchange: number): void;
}
