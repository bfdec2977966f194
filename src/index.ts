// The public names of Millrace.

export type { App, Delegation, Handler } from './app/app.ts';
export { defineApp, delegate } from './app/app.ts';
export type { Request } from './app/request.ts';
export type { Response } from './app/response.ts';
export type { ServerOptions } from './base/options.ts';
export type { Task } from './delegate/task.ts';
export type { TaskFunction } from './delegate/task-runner.ts';
export type { ThreadReport } from './server/server.ts';
export { Server } from './server/server.ts';
export { StartError } from './server/start-error.ts';
