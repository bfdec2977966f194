// Why a task that a handler awaits has no result. Control plane.

/** Why a task has no result. */
export type TaskErrorCode =
  /** The task threw, its result did not fit, or its worker died: the log says why. */
  | 'failed'
  /** All holders of this thread are taken. */
  | 'full'
  /** The task has ended too many workers. */
  | 'refused'
  /** The deadline has passed. */
  | 'late'
  /** The input does not fit a holder, or the result not the array that was given for it. */
  | 'too-large'
  /** The client has gone. */
  | 'cancelled';

const STATUSES: Readonly<Record<TaskErrorCode, number>> = {
  failed: 500,
  full: 503,
  refused: 503,
  late: 504,
  'too-large': 500,
  cancelled: 0,
};

/** A task that a handler awaits has no result. */
export class TaskError extends Error {
  override name = 'TaskError';
  readonly task: string;
  readonly code: TaskErrorCode;
  /** What the request is answered with if its handler does not catch the error; 0 for nobody. */
  readonly status: number;

  constructor(task: string, code: TaskErrorCode, message: string, status = STATUSES[code]) {
    super(message);
    this.task = task;
    this.code = code;
    this.status = status;
  }
}
