// What a route does with a request. Types only.

import type { Request } from './request.ts';
import type { Response } from './response.ts';

/**
 * Answers a request in the accept thread. It ends the response before it returns, which is the fast
 * path; or later, and may answer with a promise of when it is done. When the response has ended,
 * both objects throw whatever is asked of them. Those of a handler that ended before it returned
 * serve others of that kind, one after the other: it must not keep them.
 */
// biome-ignore lint/suspicious/noExplicitAny: a handler of any application
export type Handler<Tasks = any /* any application */> = (
  request: Request<Tasks>,
  response: Response,
) => void | Promise<void>;
