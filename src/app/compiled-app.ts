// An application as an accept thread uses it: a router on bytes, and what each route does in
// columns. Control plane: made once in each thread at start.

import type { NamedTask, TaskFunction } from '../delegate/task-runner.ts';
import { METHOD_NAMES } from '../http/method.ts';
import type { Route } from '../http/router.ts';
import { Router } from '../http/router.ts';
import { NONE } from '../memory/pool.ts';
import type { AnyApp, AppMaker, AppServer } from './app.ts';
import type { Delegation, Respond } from './delegation.ts';
import type { Handler } from './handler.ts';
import type { Request } from './request.ts';
import { StaticResponse } from './static-response.ts';

/** In `taskIndexes`: the route has a handler. */
export const NOT_DELEGATED = -1;

/** Something is wrong with the application itself; its author is told at start. */
export class AppError extends Error {
  override name = 'AppError';
}

export interface CompiledApp {
  readonly router: Router;
  /** By route; `refuse` for a route that delegates. */
  readonly handlers: readonly Handler[];
  /** By route: what it always answers, or undefined. */
  readonly staticResponses: readonly (StaticResponse | undefined)[];
  /** The route that stands in for those that were not found, or NONE. */
  readonly fallbackRoute: number;
  /** By route: the index of its task, or NOT_DELEGATED. */
  readonly taskIndexes: Int32Array;
  readonly tasks: readonly NamedTask[];
  /** By route: what its task is delegated with; undefined: the target of the request. */
  readonly inputs: readonly (((request: Request) => unknown) | undefined)[];
  /** By route: who forms the response of a result; undefined: the result is the response. */
  readonly responds: readonly (Respond<unknown> | undefined)[];
}

/** @throws AppError for a malformed route, or one that delegates to a task that does not exist. */
export function compileApp(app: AnyApp): CompiledApp {
  const tasks = Object.entries<TaskFunction>(app.tasks ?? {}).map(([name, run]) => ({ name, run }));
  for (const { name, run } of tasks) {
    if (typeof run !== 'function') throw new AppError(`task "${name}" is not a function`);
  }
  const keys = Object.keys(app.routes);
  const routes = keys.map(parseRoute);
  const taskIndexes = new Int32Array(keys.length + 1).fill(NOT_DELEGATED);
  const inputs: CompiledApp['inputs'][number][] = [];
  const responds: CompiledApp['responds'][number][] = [];
  const handlers = keys.map((key, index): Handler => {
    const answer: Handler | StaticResponse | Delegation = app.routes[key]!;
    if (typeof answer === 'function') return answer;
    if (answer instanceof StaticResponse) return answer.handler;
    if (typeof answer?.task !== 'string') {
      throw new AppError(`route "${key}" has no handler, staticResponse() or delegate(task)`);
    }
    const task = tasks.findIndex(({ name }) => name === answer.task);
    if (task < 0) throw new AppError(`route "${key}": there is no task "${answer.task}"`);
    taskIndexes[index] = task;
    inputs[index] = answer.input;
    responds[index] = answer.respond;
    return refuse;
  });
  const staticResponses = keys.map((key) => {
    const answer = app.routes[key];
    return answer instanceof StaticResponse ? answer : undefined;
  });
  const { fallback } = app;
  if (fallback !== undefined) {
    if (typeof fallback !== 'function') throw new AppError('the fallback is not a function');
    handlers.push(fallback);
  }
  const fallbackRoute = fallback === undefined ? NONE : keys.length;
  try {
    const router = new Router(routes);
    const common = { router, handlers, staticResponses, fallbackRoute };
    return { ...common, taskIndexes, tasks, inputs, responds };
  } catch (error) {
    throw new AppError((error as Error).message);
  }
}

/**
 * Loads the module at `url` and compiles its default export: an application, or a function that
 * makes one for this server.
 */
export async function loadApp(url: string, server: AppServer): Promise<CompiledApp> {
  const module: { default?: Partial<AnyApp> | AppMaker } = await import(url);
  const made = module.default;
  const app = typeof made === 'function' ? made(server) : made;
  if (typeof app?.routes !== 'object' || app.routes === null) {
    throw new AppError(`${url} has no default export made with defineApp({ routes })`);
  }
  return compileApp(app as AnyApp);
}

function parseRoute(key: string): Route {
  const [method, path, ...rest] = key.split(' ');
  if (method === undefined || path === undefined || rest.length > 0) {
    throw new AppError(`route "${key}" is not a method and a path, such as "GET /path"`);
  }
  if (!METHOD_NAMES.includes(method))
    throw new AppError(`route "${key}": unknown method ${method}`);
  return { method, path };
}

function refuse(): never {
  throw new AppError('a route that delegates has no handler');
}
