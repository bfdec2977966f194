// The tasks that handlers of an accept thread await: each has a promise, by the holder of its task.
// Control plane: a handler that awaits allocates anyway.
//
// Owner: one accept thread.

import type { TaskCall } from '../app/request.ts';
import type { TaskErrorCode } from '../app/task-error.ts';
import { TaskError } from '../app/task-error.ts';
import { abandon } from '../base/thenable.ts';
import { BYTES, JSON_TEXT, type TaskHolders } from '../delegate/task-holders.ts';

const MESSAGES = {
  full: 'all task holders of this thread are taken',
  refused: 'the task has ended too many workers, and is refused for a while',
  late: 'the task has overrun its deadline',
  cancelled: 'the client has gone',
} as const;

export class TaskCalls {
  readonly #holders: TaskHolders;
  readonly #calls = new Map<number, Call>();
  readonly #onCancel: (holder: number) => void;

  /** `onCancel`: nobody waits for the task of this holder any more. */
  constructor(holders: TaskHolders, onCancel: (holder: number) => void) {
    this.#holders = holders;
    this.#onCancel = onCancel;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** The task of a holder has been built. */
  begin(holder: number, name: string): TaskCall {
    const call = new Call(name, () => {
      this.#calls.delete(holder);
      this.#onCancel(holder);
    });
    this.#calls.set(holder, call);
    return call;
  }

  /** Why a task could not be delegated. */
  fail(name: string, code: TaskErrorCode & keyof typeof MESSAGES): TaskCall {
    const call = new Call(name, () => {});
    call.reject(new TaskError(name, code, `task "${name}": ${MESSAGES[code]}`));
    return call;
  }

  failAsTooLarge(name: string, message: string): TaskCall {
    const call = new Call(name, () => {});
    call.reject(new TaskError(name, 'too-large', `task "${name}": ${message}`));
    return call;
  }

  /** The task of a holder is done. False when no handler awaits it. */
  settle(holder: number): boolean {
    const call = this.#calls.get(holder);
    if (call === undefined) return false;
    this.#calls.delete(holder);
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
    const call = this.#calls.get(holder);
    if (call === undefined) return false;
    call.end('late');
    return true;
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
  settled = false;
  readonly #onEnd: () => void;
  readonly #promise = Promise.withResolvers<unknown>();

  constructor(task: string, onEnd: () => void) {
    this.task = task;
    this.#onEnd = onEnd;
    // Who does not await a task does not want to know that it failed; the log does.
    abandon(this.#promise.promise);
  }

  get result(): Promise<unknown> {
    return this.#promise.promise;
  }

  resolve(value: unknown): void {
    this.settled = true;
    this.#promise.resolve(value);
  }

  reject(error: Error): void {
    this.settled = true;
    this.#promise.reject(error);
  }

  cancel(): void {
    if (!this.settled) this.end('cancelled');
  }

  end(code: TaskErrorCode & keyof typeof MESSAGES): void {
    this.reject(new TaskError(this.task, code, `task "${this.task}": ${MESSAGES[code]}`));
    this.#onEnd();
  }
}
