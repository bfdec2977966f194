// Routes that delegate, and the types that tie what is delegated to the tasks of the application: a
// wrong name, input or result does not compile. Control plane.

import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { InputOf, ResultOf } from './task-types.ts';

/** Stands for the input of a task that is delegated with the target of its request. */
export interface NoInput {
  readonly noInput: never;
}

type RouteInput<F> = [InputOf<F>] extends [never] ? NoInput : InputOf<F>;

/**
 * A route whose requests are run by a worker, as the task of this name. `Parameters` are the names
 * of those of its path.
 */
export interface Delegation<
  Name extends string = string,
  Input = unknown,
  Result = unknown,
  Parameters extends string = string,
> {
  readonly task: Name;
  // biome-ignore lint/suspicious/noExplicitAny: a request to any application
  readonly input?: ((request: Request<any /* any application */, Parameters>) => Input) | undefined;
  readonly respond?: Respond<Result> | undefined;
}

/** Forms the response of a result, in the accept thread. */
export type Respond<Result> = (result: Result, response: Response<never>) => void | Promise<void>;

/** The routes that delegate to one of these tasks. */
export type DelegationTo<Tasks, Parameters extends string = string> = {
  [Name in keyof Tasks & string]: Delegation<
    Name,
    RouteInput<Tasks[Name]>,
    ResultOf<Tasks[Name]>,
    Parameters
  >;
}[keyof Tasks & string];

/** What a route that delegates may be told. */
export interface DelegateOptions<Input, Result, Parameters extends string = string> {
  /**
   * What the task is delegated with: a `Uint8Array`, or a value that JSON can say. It is called
   * before the body of the request has come, and ends at once. Without it the task has the target.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a request to any application
  readonly input?: (request: Request<any /* any application */, Parameters>) => Input;
  /**
   * Without it the result is the body: bytes as they are, any other value as JSON. It is not called
   * for a task that failed, or that ended with a response of its own. Bytes lie in the task holder:
   * they are there until the function returns, or its promise is.
   */
  readonly respond?: Respond<Result>;
}

/** A route that delegates to the task `task` of the same application. */
export function delegate<const Name extends string>(task: Name): Delegation<Name, NoInput, unknown>;
export function delegate<
  const Name extends string,
  Input = NoInput,
  Result = unknown,
  Parameters extends string = string,
>(
  task: Name,
  options: DelegateOptions<Input, Result, Parameters>,
): Delegation<Name, Input, Result, Parameters>;
export function delegate(
  task: string,
  options?: DelegateOptions<unknown, never>,
): Delegation<string, unknown, never> {
  return { task, ...options };
}
