// Sends a `Response` of the Fetch standard. Control plane.

import type { Request } from '../app/request.ts';
import type { Response } from '../app/response.ts';
import { SERVER_FIELDS } from '../http/field-lines.ts';
import { hasContent } from '../http/status.ts';
import { WebResponse } from './web-response.ts';

const SERVER_FIELD_NAMES = new Set(SERVER_FIELDS);
/** Turns of promises in which a source that does not wait has its next piece, or its end. */
const TURNS = 10;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Answers a promise of when all of it was taken, unless it was at once. */
export function sendResponse(
  web: globalThis.Response | WebResponse,
  request: Request,
  response: Response,
): void | Promise<void> {
  if (!(web instanceof WebResponse)) {
    throw new TypeError('fetch(request) of the application answered with no Response');
  }
  const content = isLight(web) ? WebResponse.content(web) : undefined;
  if (content === undefined) {
    const { body } = web as unknown as globalThis.Response;
    if (body !== null) return sendStream(body, lengthOf(web), web, request, response);
  }
  setHead(web, response);
  return sendContent(content ?? null, web, request, response);
}

function setHead(web: globalThis.Response | WebResponse, response: Response): void {
  response.status = web.status;
  const field = (name: string, value: string): void => {
    const lower = name.toLowerCase();
    if (!SERVER_FIELD_NAMES.has(lower)) response.field(lower, value.trim());
  };
  if (isLight(web)) WebResponse.eachField(web, field);
  else for (const [name, value] of web.headers) field(name, value);
}

function isLight(web: object): web is WebResponse {
  return Object.getPrototypeOf(web) === WebResponse.prototype;
}

// The length that the application says, if it says one.
function lengthOf({ headers }: globalThis.Response | WebResponse): number | undefined {
  const length = headers.get('content-length');
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

function sendContent(
  content: string | Uint8Array | null,
  web: globalThis.Response | WebResponse,
  request: Request,
  response: Response,
): void | Promise<void> {
  if (content !== null) response.end(content);
  // A status without content has no length for GET either.
  else if (request.method === 'HEAD' && hasContent(response.status)) {
    return endHead(lengthOf(web), response);
  } else response.end();
}

// How long the body of a GET would be is known only to the application. If it does not say so, RFC
// 9110 section 8.6 wants no length.
async function endHead(length: number | undefined, response: Response): Promise<void> {
  if (length === undefined) void response.write('');
  else response.length(length);
  await undefined;
  response.end();
}

async function sendStream(
  body: ReadableStream<Uint8Array>,
  length: number | undefined,
  web: globalThis.Response | WebResponse,
  request: Request,
  response: Response,
): Promise<void> {
  const reader = body.getReader();
  try {
    setHead(web, response);
    await sendPieces(reader, length, request, response);
  } catch (error) {
    // Whoever makes the pieces is told that nobody wants them.
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

async function sendPieces(
  reader: Reader,
  length: number | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  if (request.method === 'HEAD') {
    await reader.cancel();
    return endHead(length, response);
  }
  // Most bodies are one piece: then it is sent with its length, and in one go.
  const reads = [reader.read()];
  const first = await soon(reads[0]!);
  if (first?.done === true) return response.end();
  if (first !== undefined) {
    reads.push(reader.read());
    if ((await soon(reads[1]!))?.done === true) return response.end(first.value);
  }
  if (length !== undefined) response.length(length);
  // A source that is silent at first has begun nevertheless, such as one of events.
  if (first === undefined) void response.write('');
  await response.stream(pieces(reader, reads));
}

// What `reads` and those that follow them read.
async function* pieces(
  reader: Reader,
  reads: ReturnType<Reader['read']>[],
): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const { done, value } = await (reads.shift() ?? reader.read());
    if (done) return;
    yield value;
  }
}

// What a read answers, or undefined if it waits.
async function soon<T>(read: Promise<T>): Promise<T | undefined> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  read.then(settle, settle);
  for (let turn = 0; turn < TURNS && !isSettled; turn++) await undefined;
  return isSettled ? read : undefined;
}
