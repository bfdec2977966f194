// An application of the Fetch standard as one that Millrace runs: a function from `Request` to
// `Response` answers everything. Loading this loads Node's own `fetch`, which takes 50 ms of CPU:
// threads of other applications do not. Control plane.

import type { App } from '../app/app.ts';
import type { Request } from '../app/request.ts';
import type { Response } from '../app/response.ts';
import { isThenable } from '../base/thenable.ts';
import type { FetchApp } from './fetch-app.ts';
import { replaceGlobals } from './globals.ts';
import { sendResponse } from './send-response.ts';
import { WebRequest } from './web-request.ts';

/** The application as one that Millrace runs. Its thread gets the globals it is used to. */
export function adaptFetchApp(app: FetchApp): App {
  replaceGlobals();
  return { routes: {}, fallback: (request, response) => answer(app, request, response) };
}

function answer(app: FetchApp, request: Request, response: Response): void | Promise<void> {
  let web: WebRequest;
  try {
    web = new WebRequest(request);
  } catch {
    // Host and target make no URL: RFC 9110 section 15.5.1.
    return response.end('400 Bad Request\n', 400);
  }
  const result = app.fetch(web as unknown as globalThis.Request);
  if (isThenable(result)) return answerLater(result, web, request, response);
  const sent = sendResponse(result, request, response);
  if (sent === undefined) web.detach();
  else return sent.finally(() => web.detach());
}

async function answerLater(
  result: Promise<globalThis.Response>,
  web: WebRequest,
  request: Request,
  response: Response,
): Promise<void> {
  try {
    await sendResponse(await result, request, response);
  } finally {
    web.detach();
  }
}
