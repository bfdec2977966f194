// The tasks that handlers of an accept thread await: each has a promise, by the holder of its task.
// Control plane: a handler that awaits allocates anyway.
//
// Owner: one accept thread.

import type { TaskCall } from '../app/request.ts';
import type { TaskErrorCode } from '../app/task-error.ts';
import { TaskError } from '../app/task-error.ts';
import { abandon } from '../base/thenable.ts';
import { BYTES, JSON_TEXT, type TaskHolders } from '../delegate/task-holders.ts';
import { NONE } from '../memory/pool.ts';

const MESSAGES = {
  full: 'all task holders of this thread are taken',
  refused: 'the task has ended too many workers, and is refused for a while',
  late: 'the task has overrun its deadline',
  cancelled: 'the client has gone',
} as const;

export class TaskCalls {
  readonly #holders: TaskHolders;
  // By holder.
  readonly #calls: (Call | undefined)[];
  readonly #onCancel: (holder: number) => void;

  /** `onCancel`: nobody waits for the task of this holder any more. */
  constructor(holders: TaskHolders, onCancel: (holder: number) => void) {
    this.#holders = holders;
    this.#onCancel = onCancel;
    this.#calls = Array.from({ length: holders.count });
  }

  /** The task of a holder has been built. */
  begin(holder: number, name: string): TaskCall {
    const call = new Call(name, this, holder);
    this.#calls[holder] = call;
    return call;
  }

  /** Why a task could not be delegated. */
  fail(name: string, code: TaskErrorCode & keyof typeof MESSAGES): TaskCall {
    const call = new Call(name, this, NONE);
    call.reject(new TaskError(name, code, `task "${name}": ${MESSAGES[code]}`));
    return call;
  }

  failAsTooLarge(name: string, message: string): TaskCall {
    const call = new Call(name, this, NONE);
    call.reject(new TaskError(name, 'too-large', `task "${name}": ${message}`));
    return call;
  }

  /** The task of a holder is done. False when no handler awaits it. */
  settle(holder: number): boolean {
    const call = this.#calls[holder];
    if (call === undefined) return false;
    this.#calls[holder] = undefined;
    const status = this.#holders.status(holder);
    if (status < 400) call.resolve(this.#result(holder));
    else {
      const message = `task "${call.task}" has failed with status ${status}`;
      call.reject(new TaskError(call.task, 'failed', message, status));
    }
    return true;
  }

  /** The task of a holder is late. False when no handler awaits it. */
  expire(holder: number): boolean {
    const call = this.#calls[holder];
    if (call === undefined) return false;
    call.end('late');
    return true;
  }

  /** Nobody waits for the task of this holder any more. */
  abandon(holder: number): void {
    this.#calls[holder] = undefined;
    this.#onCancel(holder);
  }

  #result(holder: number): unknown {
    const holders = this.#holders;
    const size = holders.outputSize(holder);
    const kind = holders.outputKind(holder);
    // Copies: the holder serves other tasks before the handler goes on.
    if (kind === BYTES) return new Uint8Array(holders.view(holder, size));
    const offset = holders.payloadOffset(holder);
    if (kind === JSON_TEXT)
      return JSON.parse(holders.bytes.toString('utf8', offset, offset + size));
    return size === 0 ? undefined : holders.bytes.toString('utf8', offset, offset + size);
  }
}

class Call implements TaskCall {
  readonly task: string;
  readonly result: Promise<unknown>;
  settled = false;
  readonly #calls: TaskCalls;
  readonly #holder: number;
  #resolve!: (value: unknown) => void;
  #reject!: (error: Error) => void;

  constructor(task: string, calls: TaskCalls, holder: number) {
    this.task = task;
    this.#calls = calls;
    this.#holder = holder;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(value: unknown): void {
    this.settled = true;
    this.#resolve(value);
  }

  reject(error: Error): void {
    this.settled = true;
    // Who does not await a task does not want to know that it failed; the log does.
    abandon(this.result);
    this.#reject(error);
  }

  cancel(): void {
    if (!this.settled) this.end('cancelled');
  }

  end(code: TaskErrorCode & keyof typeof MESSAGES): void {
    this.reject(new TaskError(this.task, code, `task "${this.task}": ${MESSAGES[code]}`));
    this.#calls.abandon(this.#holder);
  }
}
