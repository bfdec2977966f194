// What a route does with a request. Types only.

import type { Request } from './request.ts';
import type { Response } from './response.ts';

/**
 * Answers a request in the accept thread. It ends the response before it returns, which is the fast
 * path; or later, and may answer with a promise of when it is done. When the response has ended,
 * both objects throw whatever is asked of them. They are a handler's own, unless its text shows
 * that it cannot keep them: see `escape.ts`.
 */
export type Handler<
  // biome-ignore lint/suspicious/noExplicitAny: a handler of any application
  Tasks = any /* any application */,
  Parameters extends string = string,
  Protocols extends string = string,
> = (request: Request<Tasks, Parameters>, response: Response<Protocols>) => void | Promise<void>;

/** Answers in place of a handler that failed before its response had begun. */
export type ErrorHandler = (
  error: unknown,
  request: Request,
  response: Response<never>,
) => void | Promise<void>;

/** The names of the parameters in a route such as `GET /users/:id`; "*" is the wildcard. */
export type ParametersOf<Route extends string> = string extends Route
  ? string
  : Route extends `${string} ${infer Path}`
    ? InPath<Path>
    : never;

type InPath<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? InSegment<Segment> | InPath<Rest>
  : InSegment<Path>;

type InSegment<Segment extends string> = Segment extends `:${infer Name}`
  ? Name
  : Segment extends '*'
    ? '*'
    : never;
