// The public names of Millrace.

export type { AnyApp, App, AppMaker, AppServer } from './app/app.ts';
export { defineApp } from './app/app.ts';
export type { BlockingConnection } from './app/blocking-connection.ts';
export type { BlockingRawConnection } from './app/blocking-raw-connection.ts';
export type {
  BlockingHandler,
  ConnectionHandler,
  HttpNames,
  LoopHandlerOptions,
  RawBlockingFunction,
  RawConnectionHandler,
  RawNames,
} from './app/connection-handler.ts';
export {
  HandOff,
  handOff,
  LoopHandler,
  onLoop,
  RawBlockingHandler,
  RawLoopHandler,
  rawBlocking,
  rawOnLoop,
} from './app/connection-handler.ts';
export type { DelegateOptions, Delegation, Respond } from './app/delegation.ts';
export { delegate } from './app/delegation.ts';
export { ExchangeError } from './app/exchange-error.ts';
export type { ErrorHandler, Handler, ParametersOf } from './app/handler.ts';
export type { Protocol, RawConnection, RawGuest, RawHandler, RawStream } from './app/protocol.ts';
export type { CallOptions, Request } from './app/request.ts';
export type { Response, UpgradeOptions } from './app/response.ts';
export type { StaticResponse, StaticResponseOptions } from './app/static-response.ts';
export { staticResponse } from './app/static-response.ts';
export type { StreamSource } from './app/stream-source.ts';
export type { TaskErrorCode } from './app/task-error.ts';
export { TaskError } from './app/task-error.ts';
export { UpgradeError } from './app/upgrade-error.ts';
export type { ServerOptions } from './base/options.ts';
export type { Task } from './delegate/task.ts';
export type { TaskFunction } from './delegate/task-runner.ts';
export type { FetchApp } from './fetch/fetch-app.ts';
export { inject } from './inject/inject.ts';
export type { InjectRequest, InjectResponse } from './inject/inject-types.ts';
export type { PeerAddress } from './kernel/sockets.ts';
export { serve } from './server/serve.ts';
export type { ServeOptions } from './server/serve-options.ts';
export type { Server, ThreadReport, ThreadStats } from './server/server.ts';
export { StartError } from './server/start-error.ts';
