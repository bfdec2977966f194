// Requests to an application without a socket, for its tests. What sends them is loaded when there
// is one: applications import this module in every thread. Control plane.

import type { AnyApp } from '../app/app.ts';
import type { FetchApp } from '../fetch/fetch-app.ts';
import type { InjectRequest, InjectResponse } from './inject-types.ts';
import './node-timeout.ts';

/**
 * Sends a request to an application in this thread, and answers the response. The way is that of a
 * request over TCP, parser, limits and timeouts included, but for the kernel: nothing listens.
 * Tasks run in this thread too. What handlers log goes to stderr.
 *
 * @throws AppError when something is wrong with the application itself.
 * @throws Error when the connection ends before the response does, as for a client over TCP.
 */
export async function inject(
  app: AnyApp | FetchApp,
  request: InjectRequest = {},
): Promise<InjectResponse> {
  const { send } = await import('./client.ts');
  return send(app, request);
}
