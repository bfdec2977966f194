// An application as an accept thread uses it: a router on bytes, and what each route does in
// columns. Control plane: made once in each thread at start.

import { isThenable } from '../base/thenable.ts';
import type { NamedTask, TaskFunction } from '../delegate/task-runner.ts';
import { METHOD_NAMES } from '../http/method.ts';
import type { Route } from '../http/router.ts';
import { Router } from '../http/router.ts';
import { NONE } from '../memory/pool.ts';
import type { AnyApp, AppMaker, AppServer, UntypedApp } from './app.ts';
import type { BoundResponse } from './bound-response.ts';
import type { BlockingHandler, ConnectionHandler } from './connection-handler.ts';
import { HandOff, LoopHandler, RawBlockingHandler, RawLoopHandler } from './connection-handler.ts';
import type { Delegation, Respond } from './delegation.ts';
import type { MayKeep } from './escape.ts';
import { ExchangeError } from './exchange-error.ts';
import type { ErrorHandler, Handler } from './handler.ts';
import type { Protocol, RawHandler } from './protocol.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
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
  /**
   * By route: the index of its task, or NOT_DELEGATED. Behind the tasks come those of connection
   * handlers: `tasks.length` is the first.
   */
  readonly taskIndexes: Int32Array;
  readonly tasks: readonly NamedTask[];
  readonly connections: readonly NamedConnectionHandler[];
  /** By name: the connection handlers for protocols. */
  readonly rawHandlers: ReadonlyMap<string, IndexedRawHandler>;
  /** Those with a port come first: each has the place of its listener. */
  readonly protocols: readonly NamedProtocol[];
  /** By route: what its task is delegated with; undefined: the target of the request. */
  readonly inputs: readonly (((request: Request) => unknown) | undefined)[];
  /** By route: who forms the response of a result; undefined: the result is the response. */
  readonly responds: readonly (Respond<unknown> | undefined)[];
  /** By route: 1 when its functions may keep what they are given. */
  readonly keeps: Uint8Array;
  /** Who answers for handlers that fail, which `handlers` do not have to be told. */
  readonly onError: ErrorHandler | undefined;
}

export interface NamedProtocol {
  readonly name: string;
  readonly protocol: Protocol;
}

export interface IndexedRawHandler {
  /** Of its task, as in `taskIndexes`. */
  readonly index: number;
  /** Undefined for one that blocks its worker. */
  readonly functions: RawHandler | undefined;
}

export interface NamedConnectionHandler {
  readonly name: string;
  readonly handler: ConnectionHandler;
}

/**
 * `mayKeep` is the one of `escape.ts` where the application's routes are served. Elsewhere nobody
 * pays for the parser.
 * @throws AppError for a malformed route, or one that delegates to a task that does not exist.
 */
export function compileApp(checked: AnyApp, mayKeep: MayKeep = () => true): CompiledApp {
  const app = checked as UntypedApp;
  const tasks = Object.entries<TaskFunction>(app.tasks ?? {}).map(([name, run]) => ({ name, run }));
  for (const { name, run } of tasks) {
    if (typeof run !== 'function') throw new AppError(`task "${name}" is not a function`);
  }
  const connections = Object.entries(app.connections ?? {}).map(([name, handler]) => ({
    name,
    handler,
  }));
  const rawHandlers = new Map<string, IndexedRawHandler>();
  for (const [index, { name, handler }] of connections.entries()) {
    if (handler instanceof RawLoopHandler) {
      const { functions } = handler;
      if (typeof functions?.onData !== 'function') {
        throw new AppError(`connection handler "${name}" has no onData`);
      }
      rawHandlers.set(name, { index: tasks.length + index, functions });
    } else if (handler instanceof RawBlockingHandler) {
      rawHandlers.set(name, { index: tasks.length + index, functions: undefined });
    } else if (typeof handler !== 'function' && !(handler instanceof LoopHandler)) {
      throw new AppError(
        `connection handler "${name}" is not a function, onLoop(), rawOnLoop() or rawBlocking()`,
      );
    }
  }
  const protocols = Object.entries<Protocol>(app.protocols ?? {})
    .map(([name, protocol]) => ({ name, protocol: checkedProtocol(name, protocol) }))
    .toSorted((a, b) => Number(hasPort(b.protocol)) - Number(hasPort(a.protocol)));
  const keys = Object.keys(app.routes);
  const routes = keys.map(parseRoute);
  const taskIndexes = new Int32Array(keys.length + 1).fill(NOT_DELEGATED);
  const inputs: CompiledApp['inputs'][number][] = [];
  const responds: CompiledApp['responds'][number][] = [];
  const handlers = keys.map((key, route): Handler => {
    const answer: Handler | StaticResponse | Delegation | HandOff = app.routes[key]!;
    if (typeof answer === 'function') return answer;
    if (answer instanceof StaticResponse) return answer.handler;
    if (answer instanceof HandOff) {
      const index = connections.findIndex(({ name }) => name === answer.connection);
      if (index < 0) {
        throw new AppError(`route "${key}": there is no connection handler "${answer.connection}"`);
      }
      if (rawHandlers.has(answer.connection)) {
        throw new AppError(`route "${key}": "${answer.connection}" is for protocols, not for HTTP`);
      }
      taskIndexes[route] = tasks.length + index;
      return refuse;
    }
    if (typeof answer?.task !== 'string') {
      throw new AppError(
        `route "${key}" has no handler, staticResponse(), delegate() or handOff()`,
      );
    }
    const task = tasks.findIndex(({ name }) => name === answer.task);
    if (task < 0) throw new AppError(`route "${key}": there is no task "${answer.task}"`);
    taskIndexes[route] = task;
    inputs[route] = answer.input;
    responds[route] = answer.respond;
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
  const { onError } = app;
  if (onError !== undefined && typeof onError !== 'function') {
    throw new AppError('onError is not a function');
  }
  const fallbackRoute = fallback === undefined ? NONE : keys.length;
  try {
    const router = new Router(routes);
    const guarded = handlers.map((handler) => guard(handler, onError));
    const isErrorKept = mayKeep(onError, ['other', 'request', 'response']);
    const keeps = Uint8Array.from(handlers, (handler, route) => {
      const task = taskIndexes[route]!;
      if (staticResponses[route] !== undefined) return 0;
      // Handlers of connections are not worth a look: they are never on the fast path.
      if (task >= tasks.length) return 1;
      const isKept =
        isErrorKept ||
        mayKeep(task === NOT_DELEGATED ? handler : undefined, ['request', 'response']) ||
        mayKeep(inputs[route], ['request']) ||
        mayKeep(responds[route], ['other', 'response']);
      return isKept ? 1 : 0;
    });
    const common = { router, handlers: guarded, staticResponses, fallbackRoute, onError };
    const work = { taskIndexes, tasks, inputs, responds, keeps, connections, rawHandlers };
    return { ...common, ...work, protocols };
  } catch (error) {
    throw new AppError((error as Error).message);
  }
}

// A handler whose failure is answered by the application, as long as nothing was sent.
function guard(handler: Handler, onError: ErrorHandler | undefined): Handler {
  if (onError === undefined) return handler;
  const answer = (error: unknown, request: Request, response: Response): void | Promise<void> => {
    // That the peer has gone is no failure.
    if (response.begun || (error instanceof ExchangeError && error.status === 0)) throw error;
    (response as BoundResponse).restart();
    const result = onError(error, request, response);
    if (result !== undefined && isThenable(result)) return result;
    if (!response.begun) throw new Error('onError has returned without beginning its response');
  };
  return (request, response) => {
    try {
      const result = handler(request, response);
      if (result === undefined || !isThenable(result)) return result;
      return result.then(undefined, (error: unknown) => answer(error, request, response));
    } catch (error) {
      return answer(error, request, response);
    }
  };
}

/** The protocols that listen, in their order. */
export function protocolPorts(app: CompiledApp): { name: string; port: number }[] {
  return app.protocols.flatMap(({ name, protocol: { port } }) =>
    port === undefined ? [] : [{ name, port }],
  );
}

/** The names of tasks, and behind them those of connection handlers: by index. */
export function taskNames(app: CompiledApp): string[] {
  return [...app.tasks, ...app.connections].map(({ name }) => name);
}

/** The handler of connections that a route hands to a worker, or undefined. */
export function connectionHandler(app: CompiledApp, route: number): ConnectionHandler | undefined {
  const index = app.taskIndexes[route];
  return index === undefined ? undefined : app.connections[index - app.tasks.length]?.handler;
}

/**
 * The application as a worker serves it to connections that it has adopted: blocking handlers are
 * run by `block`. Requests for what else there is never come to it.
 */
export function guestApp(
  app: CompiledApp,
  block: (handler: BlockingHandler) => Handler,
): CompiledApp {
  const handlers = app.handlers.map((handler, route): Handler => {
    const connection = connectionHandler(app, route);
    if (connection === undefined) return handler;
    if (connection instanceof LoopHandler) return guard(inWorker(connection), app.onError);
    return typeof connection === 'function' ? guard(block(connection), app.onError) : handler;
  });
  const taskIndexes = new Int32Array(app.taskIndexes.length).fill(NOT_DELEGATED);
  return { ...app, handlers, taskIndexes };
}

/**
 * The application where there are no workers: what would run on a worker's loop runs on this one,
 * and what would block it is refused.
 */
export function appWithoutWorkers(app: CompiledApp): CompiledApp {
  const alone = guestApp(app, () => refuseBlocking);
  app.taskIndexes.forEach((index, route) => {
    if (index < app.tasks.length) alone.taskIndexes[route] = index;
  });
  return { ...alone, connections: [] };
}

/** Makes an application of a module that exports one of another kind, or undefined. */
export type Adapt = (module: { readonly default?: unknown }) => Promise<AnyApp | undefined>;

/**
 * Loads the module at `url` and compiles its default export, or what `adapt` makes of the module:
 * an application, or a function that makes one for this server.
 */
export async function loadApp(
  url: string,
  server: AppServer,
  adapt?: Adapt,
  mayKeep?: MayKeep,
): Promise<CompiledApp> {
  const module: { default?: Partial<AnyApp> | AppMaker } = await import(url);
  const made = (await adapt?.(module)) ?? module.default;
  const app = typeof made === 'function' ? made(server) : made;
  if (typeof app?.routes !== 'object' || app.routes === null) {
    throw new AppError(`${url} has no default export made with defineApp({ routes })`);
  }
  return compileApp(app as AnyApp, mayKeep);
}

function checkedProtocol(name: string, protocol: Protocol): Protocol {
  const { port, onData } = protocol;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new AppError(`protocol "${name}": the port is a number from 0 to 65535`);
  }
  if (typeof onData !== 'function') throw new AppError(`protocol "${name}" has no onData`);
  return protocol;
}

function hasPort({ port }: Protocol): boolean {
  return port !== undefined;
}

// The same without workers, so that an application does not depend on it that there are none.
function inWorker({ handler }: LoopHandler): Handler {
  return (request, response) => {
    (response as BoundResponse).inWorker = true;
    return handler(request, response as Response<never>);
  };
}

function parseRoute(key: string): Route {
  const [method, path, ...rest] = key.split(' ');
  if (method === undefined || path === undefined || rest.length > 0) {
    throw new AppError(`route "${key}" is not a method and a path, such as "GET /path"`);
  }
  if (!METHOD_NAMES.includes(method)) {
    // Methods are case-sensitive, RFC 9110 section 9.1.
    const upper = method.toUpperCase();
    const hint = METHOD_NAMES.includes(upper) ? `: methods are in upper case, ${upper}` : '';
    throw new AppError(`route "${key}": unknown method ${method}${hint}`);
  }
  return { method, path };
}

function refuse(): never {
  throw new AppError('a route that delegates has no handler');
}

const refuseBlocking: Handler = (_request, response) =>
  response.end('this needs a worker thread: --worker-threads is 0\n', 503);
