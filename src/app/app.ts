// What an application is: routes that answer in the accept thread, and tasks that workers run.
// The module is loaded in every accept and worker thread, so a name says the same thing in each.
// Control plane: types, and functions that run while the module is loaded.

import type { ServerOptions } from '../base/options.ts';
import type { TaskFunction } from '../delegate/task-runner.ts';
import type { ConnectionHandler, HandOff, HttpNames, RawNames } from './connection-handler.ts';
import type { DelegationTo } from './delegation.ts';
import type { ErrorHandler, Handler, ParametersOf } from './handler.ts';
import type { Protocol } from './protocol.ts';
import type { StaticResponse } from './static-response.ts';

/**
 * An application: what its module exports as its default. `Tasks` and `Connections` are the types
 * of the properties of these names, `Protocols` the names of its protocols: routes are checked
 * against them.
 */
export interface App<
  Tasks = Readonly<Record<string, TaskFunction>>,
  Connections = Readonly<Record<string, ConnectionHandler>>,
  Routes extends string = string,
  Protocols extends string = string,
> {
  /**
   * By method and path, such as `GET /users/:id` or `GET /files/*`. GET routes answer HEAD too. An
   * exact path comes before one with parameters, and that before one with a wildcard.
   */
  readonly routes: {
    readonly [Route in Routes]?: Route extends InLowerCase
      ? never
      :
          | Handler<Tasks, ParametersOf<Route>, Protocols>
          | DelegationTo<Tasks, ParametersOf<Route>>
          | HandOff<HttpNames<Connections>>
          | StaticResponse;
  };
  /** Answers the requests that no route answers, in place of 404 and 405. */
  readonly fallback?: Handler<Tasks, string, Protocols>;
  /**
   * Answers for handlers that fail before their response has begun, those of connections included,
   * with a response that nothing was set of. It begins its response before it returns, or answers
   * with a promise. What it does not answer, or when it fails itself, is a 500, and logged. Apart
   * from that the server logs nothing.
   */
  readonly onError?: ErrorHandler;
  readonly tasks?: { readonly [Name in keyof Tasks]: Tasks[Name] & TaskFunction };
  /** What serves connections that are handed to a worker: a plain function blocks it. */
  readonly connections?: {
    readonly [Name in keyof Connections]: Connections[Name] & ConnectionHandler;
  };
  /** Protocols of its own: on ports of their own, or for connections that were upgraded. */
  readonly protocols?: { readonly [Name in Protocols]: Protocol<RawNames<Connections>> };
}

/** Checks the type of an application, which is what a module exports as its default. */
export function defineApp<
  Tasks extends Readonly<Record<string, unknown>> = None,
  Connections extends Readonly<Record<string, unknown>> = None,
  Routes extends string = string,
  Protocols extends string = never,
>(app: App<Tasks, Connections, Routes, Protocols>): App<Tasks, Connections, Routes, Protocols> {
  return app;
}

/** What an application may know of the server that runs it. */
export interface AppServer {
  readonly options: ServerOptions;
}

/** A module may export it in place of an application. It makes the same in every thread. */
export type AppMaker = (server: AppServer) => AnyApp;

/**
 * An application of any tasks, connections, routes and protocols: one that `defineApp` has checked,
 * or one that is written where it is used, whose functions learn their parameters' types from here.
 */
export type AnyApp = CheckedApp | UntypedApp;

// biome-ignore lint/suspicious/noExplicitAny: an application of any tasks
export type UntypedApp = App<any, any, any, any>; // of any tasks, connections, routes and protocols

// No type has the handlers of all applications: each knows the tasks of its own.
interface CheckedApp {
  readonly routes: Readonly<Record<string, object | undefined>>;
  readonly fallback?: object;
  readonly onError?: ErrorHandler;
  readonly tasks?: Readonly<Record<string, object>>;
  readonly connections?: Readonly<Record<string, object>>;
  readonly protocols?: Readonly<Record<string, object>>;
}

// RFC 9110 section 9.1: methods are case-sensitive.
type InLowerCase = `${'get' | 'head' | 'post' | 'put' | 'delete' | 'patch'} ${string}`;

type None = Readonly<Record<never, never>>;
