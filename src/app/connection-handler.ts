// Handlers of connections that are handed to a worker. Control plane: types, and functions that run
// while the module is loaded.

import type { BlockingConnection } from './blocking-connection.ts';
import type { BlockingRawConnection } from './blocking-raw-connection.ts';
import type { Handler } from './handler.ts';
import type { RawHandler } from './protocol.ts';

/**
 * Serves a request in a worker in straight-line code, which blocks it: reads and writes wait for
 * the peer, within the server's timeouts. When the function returns, the response ends: it may not
 * be async, which is for `onLoop`.
 */
export type BlockingHandler = (connection: BlockingConnection) => void;

/** Serves requests on the own loop of a worker: made with `onLoop`. */
export class LoopHandler {
  readonly handler: Handler;
  readonly keep: boolean;

  constructor(handler: Handler, keep: boolean) {
    this.handler = handler;
    this.keep = keep;
  }
}

/** Serves connections of protocols on the own loop of a worker: made with `rawOnLoop`. */
export class RawLoopHandler {
  readonly functions: RawHandler;

  constructor(functions: RawHandler) {
    this.functions = functions;
  }
}

/**
 * Serves a connection of a protocol in a worker in straight-line code, which blocks it: reads and
 * writes wait for the peer, within the server's timeouts. `state` is what the protocol gave along.
 * When the function returns, the connection goes back, with what it returns: it may not be async,
 * which is for `rawOnLoop`.
 */
export type RawBlockingFunction = (
  connection: BlockingRawConnection,
  state: Uint8Array,
) => string | Uint8Array | undefined;

/** Serves connections of protocols by blocking a worker: made with `rawBlocking`. */
export class RawBlockingHandler {
  readonly run: RawBlockingFunction;

  constructor(run: RawBlockingFunction) {
    this.run = run;
  }
}

/** What serves the connections of protocols that are handed to a worker. */
export type RawConnectionHandler = RawLoopHandler | RawBlockingHandler;

/** What serves the connections that are handed to a worker. */
export type ConnectionHandler = BlockingHandler | LoopHandler | RawConnectionHandler;

/** Of the connection handlers of an application: the names of those for protocols. */
export type RawNames<Connections> = {
  [Name in keyof Connections & string]: Connections[Name] extends RawConnectionHandler
    ? Name
    : never;
}[keyof Connections & string];

/** The names of those for HTTP. */
export type HttpNames<Connections> = {
  [Name in keyof Connections & string]: Connections[Name] extends RawConnectionHandler
    ? never
    : Name;
}[keyof Connections & string];

/** What `onLoop` may be told. */
export interface LoopHandlerOptions {
  /**
   * Keeps the connection after the response, for the next request to a handler that runs on a
   * worker's loop. Any other request takes it back to its accept thread. Default: false.
   */
  readonly keep?: boolean;
}

/**
 * A handler as those of routes, for connections that a worker adopts into its own loop. It cannot
 * delegate to tasks, nor upgrade its connection.
 */
export function onLoop(
  // biome-ignore lint/suspicious/noExplicitAny: a handler of any application
  handler: Handler<any /* any application */, string, never>,
  options: LoopHandlerOptions = {},
): LoopHandler {
  return new LoopHandler(handler, options.keep === true);
}

/** A handler for connections of protocols, which a worker adopts into its own loop. */
export function rawOnLoop(functions: RawHandler): RawLoopHandler {
  return new RawLoopHandler(functions);
}

/** A handler for connections of protocols, which blocks the worker that has one. */
export function rawBlocking(run: RawBlockingFunction): RawBlockingHandler {
  return new RawBlockingHandler(run);
}

/** A route whose connections are handed to a worker, to the connection handler of this name. */
export class HandOff<Name extends string = string> {
  readonly connection: Name;

  constructor(connection: Name) {
    this.connection = connection;
  }
}

/** A route that hands the connection to the handler `connection` of the same application. */
export function handOff<const Name extends string>(connection: Name): HandOff<Name> {
  return new HandOff(connection);
}
