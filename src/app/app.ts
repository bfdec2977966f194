// What an application is: routes that answer in the accept thread, and tasks that workers run.
// The module is loaded in every accept and worker thread, so a name says the same thing in each.
// Control plane: types, and functions that run while the module is loaded.

import type { TaskFunction } from '../delegate/task-runner.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';

/**
 * Answers a request in the accept thread. It ends the response before it returns, which is the fast
 * path; or later, and may answer with a promise of when it is done. When the response has ended,
 * both objects throw whatever is asked of them. Those of a handler that ended before it returned
 * serve others of that kind, one after the other: it must not keep them.
 */
export type Handler = (request: Request, response: Response) => void | Promise<void>;

/** A route whose requests are run by a worker, as the task of this name. */
export interface Delegation {
  readonly task: string;
}

export interface App {
  /** By method and path, such as `GET /test/fast`. GET routes answer HEAD too. */
  readonly routes: Readonly<Record<string, Handler | Delegation>>;
  /** Answers the requests that no route answers, in place of 404 and 405. */
  readonly fallback?: Handler;
  readonly tasks?: Readonly<Record<string, TaskFunction>>;
}

/** Checks the type of an application, which is what a module exports as its default. */
export function defineApp(app: App): App {
  return app;
}

/** A route that delegates to the task `task` of the same application. */
export function delegate(task: string): Delegation {
  return { task };
}
