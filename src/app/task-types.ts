// What the type of a task function says about where it is delegated. Types only.

import type { Task } from '../delegate/task.ts';

/** Of a task function: what it is delegated with. */
export type InputOf<F> = F extends (task: Task<infer Input>) => unknown ? Said<Input> : never;

// A function that does not look at its task says `unknown`.
type Said<Input> = 0 extends 1 & Input ? Input : unknown extends Input ? never : Input;

/**
 * Of a task function: what comes back. JSON stands between what is returned and what is read, and
 * bytes are read as `Bytes`, whatever kind of array was returned.
 */
export type ResultOf<F, Bytes extends Uint8Array = Uint8Array> = 0 extends 1 & F
  ? // biome-ignore lint/suspicious/noExplicitAny: a task of any application
    any // a task of any application
  : F extends (task: never) => infer R
    ? Read<Awaited<R>, Bytes>
    : never;

type Read<Result, Bytes> = Result extends Uint8Array ? Bytes : Result;

/** What stands behind the name of a task where it is delegated. */
export type InputArguments<F> = 0 extends 1 & F
  ? [input?: unknown]
  : [InputOf<F>] extends [never]
    ? [input?: undefined]
    : [input: InputOf<F>];
