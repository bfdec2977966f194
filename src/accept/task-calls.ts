// The tasks that handlers of an accept thread await: each has a promise, by the holder of its task.
// Control plane: a handler that awaits allocates anyway.
//
// Owner: one accept thread.

import type { TaskCall, TaskCaller } from '../app/request.ts';
import type { TaskErrorCode } from '../app/task-error.ts';
import { TaskError } from '../app/task-error.ts';
import { assert } from '../base/assert.ts';
import { abandon, rejected } from '../base/thenable.ts';
import { BYTES, JSON_TEXT } from '../delegate/payload-kind.ts';
import type { TaskHolders } from '../delegate/task-holders.ts';

const MESSAGES = {
  full: 'all task holders of this thread are taken',
  refused: 'the task has ended too many workers, and is refused for a while',
  late: 'the task has overrun its deadline',
  cancelled: 'the client has gone',
} as const;

export class TaskCalls {
  readonly #holders: TaskHolders;
  readonly #tasks: readonly { readonly name: string }[];
  // By holder. Each is made when it is first needed, and used again.
  readonly #calls: (Call | undefined)[];
  readonly #onCancel: (holder: number) => void;

  /** `onCancel`: nobody waits for the task of this holder any more. */
  constructor(
    holders: TaskHolders,
    tasks: readonly { readonly name: string }[],
    onCancel: (holder: number) => void,
  ) {
    this.#holders = holders;
    this.#tasks = tasks;
    this.#onCancel = onCancel;
    this.#calls = Array.from({ length: holders.count });
  }

  /** The task of a holder has been built. */
  begin(holder: number, caller: TaskCaller, into: Uint8Array | undefined): Promise<unknown> {
    const call = this.#calls[holder] ?? this.#make(holder);
    return call.begin(caller, into);
  }

  /** Why a task could not be delegated. */
  fail(task: number, code: TaskErrorCode & keyof typeof MESSAGES): Promise<never> {
    return rejected(this.#error(task, code, MESSAGES[code]));
  }

  failAsTooLarge(task: number, message: string): Promise<never> {
    return rejected(this.#error(task, 'too-large', message));
  }

  /** The task of a holder is done. False when no handler awaits it. */
  settle(holder: number): boolean {
    const call = this.#calls[holder];
    if (call?.isOpen !== true) return false;
    const holders = this.#holders;
    const status = holders.status(holder);
    if (status < 400) this.#resolve(call, holder);
    else {
      const { name } = this.#tasks[holders.taskIndex(holder)]!;
      const message = `task "${name}" has failed with status ${status}`;
      call.reject(new TaskError(name, 'failed', message, status));
    }
    return true;
  }

  /** The task of a holder is late. False when no handler awaits it. */
  expire(holder: number): boolean {
    const call = this.#calls[holder];
    if (call?.isOpen !== true) return false;
    this.#end(call, holder, 'late');
    return true;
  }

  #make(holder: number): Call {
    const call: Call = new Call(() => this.#end(call, holder, 'cancelled'));
    this.#calls[holder] = call;
    return call;
  }

  #end(call: Call, holder: number, code: TaskErrorCode & keyof typeof MESSAGES): void {
    call.reject(this.#error(this.#holders.taskIndex(holder), code, MESSAGES[code]));
    this.#onCancel(holder);
  }

  #error(task: number, code: TaskErrorCode, message: string): TaskError {
    const { name } = this.#tasks[task]!;
    return new TaskError(name, code, `task "${name}": ${message}`);
  }

  #resolve(call: Call, holder: number): void {
    const holders = this.#holders;
    const size = holders.outputSize(holder);
    const { into } = call;
    if (holders.outputKind(holder) !== BYTES) call.resolve(this.#value(holder, size));
    // Copies: the holder serves other tasks before the handler goes on.
    else if (into === undefined) call.resolve(new Uint8Array(holders.view(holder, size)));
    else if (size > into.length) {
      const message = `the result has ${size} bytes, and the array for it ${into.length}`;
      call.reject(this.#error(holders.taskIndex(holder), 'too-large', message));
    } else {
      into.set(holders.view(holder, size));
      call.resolve(size === into.length ? into : into.subarray(0, size));
    }
  }

  #value(holder: number, size: number): unknown {
    const holders = this.#holders;
    const offset = holders.payloadOffset(holder);
    if (holders.outputKind(holder) === JSON_TEXT)
      return JSON.parse(holders.bytes.toString('utf8', offset, offset + size));
    return size === 0 ? undefined : holders.bytes.toString('utf8', offset, offset + size);
  }
}

// What one holder's task is awaited by. Those of a caller are a list, so that one leaves it when it
// is settled, whichever it is.
class Call implements TaskCall {
  /** Nobody waits any more. */
  readonly cancel: () => void;
  /** Where the bytes of the result are to be. */
  into: Uint8Array | undefined;
  // What is young and kept by what is old costs the collector something: there is no `reject`.
  #promise: Promise<unknown> | undefined;
  #resolve: Resolve | undefined;
  #caller: TaskCaller | undefined;
  #next: Call | undefined;
  #previous: Call | undefined;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  /** True exactly when it has no result, and somebody waits. */
  get isOpen(): boolean {
    return this.#promise !== undefined;
  }

  begin(caller: TaskCaller, into: Uint8Array | undefined): Promise<unknown> {
    assert(this.#promise === undefined, 'a holder has one task at a time');
    const promise = new Promise<unknown>(keepResolve);
    this.#promise = promise;
    this.#resolve = newResolve;
    this.#caller = caller;
    this.into = into;
    const next = caller.firstCall as Call | undefined;
    if (next !== undefined) next.#previous = this;
    this.#next = next;
    caller.firstCall = this;
    return promise;
  }

  resolve(value: unknown): void {
    const resolve = this.#resolve!;
    this.#leave();
    resolve(value);
  }

  reject(error: Error): void {
    // Who does not await a task does not want to know that it failed; the log does.
    abandon(this.#promise!);
    this.resolve(rejected(error));
  }

  // What it refers to is nobody's any more, and may be large; the holder may rest for long.
  #leave(): void {
    const next = this.#next;
    const previous = this.#previous;
    if (next !== undefined) next.#previous = previous;
    if (previous === undefined) this.#caller!.firstCall = next;
    else previous.#next = next;
    this.#next = undefined;
    this.#previous = undefined;
    this.#promise = undefined;
    this.#resolve = undefined;
    this.#caller = undefined;
    this.into = undefined;
  }
}

type Resolve = (value: unknown) => void;

let newResolve!: Resolve;

// What promises are made with. A function for each would be an allocation.
function keepResolve(resolve: Resolve): void {
  newResolve = resolve;
}
