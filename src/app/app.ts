// What an application is: routes that answer in the accept thread, and tasks that workers run.
// The module is loaded in every accept and worker thread, so a name says the same thing in each.
// Control plane: types, and functions that run while the module is loaded.

import type { TaskFunction } from '../delegate/task-runner.ts';
import type { ConnectionHandler, HandOff } from './connection-handler.ts';
import type { Handler } from './handler.ts';
import type { StaticResponse } from './static-response.ts';

/** A route whose requests are run by a worker, as the task of this name. */
export interface Delegation {
  readonly task: string;
}

/** An application: what its module exports as its default. */
export interface App {
  /** By method and path, such as `GET /test/fast`. GET routes answer HEAD too. */
  readonly routes: Readonly<Record<string, Handler | Delegation | HandOff | StaticResponse>>;
  /** Answers the requests that no route answers, in place of 404 and 405. */
  readonly fallback?: Handler;
  readonly tasks?: Readonly<Record<string, TaskFunction>>;
  /** What serves connections that are handed to a worker: a plain function blocks it. */
  readonly connections?: Readonly<Record<string, ConnectionHandler>>;
}

/** Checks the type of an application, which is what a module exports as its default. */
export function defineApp(app: App): App {
  return app;
}

/** A route that delegates to the task `task` of the same application. */
export function delegate(task: string): Delegation {
  return { task };
}
