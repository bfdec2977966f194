// How many bytes a body has, of which media type it is if nobody says otherwise, and what counts
// its response. Any thread, data plane: pure functions.

import type { BoundResponse } from '../app/bound-response.ts';
import { LENGTH_UNKNOWN } from '../app/bound-response.ts';
import { Counter } from '../base/counters.ts';
import { BYTES as BYTES_KIND, JSON_TEXT } from '../delegate/payload-kind.ts';
import { sizeOf } from '../delegate/task-holders.ts';
import { TEXT_PLAIN } from '../http/response-writer.ts';
import { hasContent } from '../http/status.ts';

export const BYTES: Uint8Array = new TextEncoder().encode('application/octet-stream');
const APPLICATION_JSON = new TextEncoder().encode('application/json');

export function bodySize(body: string | Uint8Array | undefined): number {
  return body === undefined ? 0 : sizeOf(body);
}

/** How long the content of a whole response is; to HEAD, what was announced, without any of it. */
export function contentSize({ body, bodySize: announced }: BoundResponse): number {
  return announced === LENGTH_UNKNOWN ? bodySize(body) : announced;
}

/**
 * True exactly when the length of a body in pieces is known at its beginning. To HEAD, a body of
 * which nothing was written may be any: RFC 9110 8.6.
 */
export function isWhole(response: BoundResponse, headOnly: boolean): boolean {
  if (!response.ended || response.trailers.length > 0) return false;
  return !headOnly || response.queuedSize > 0;
}

/** True exactly when the memory of a body is no longer its own: it was transferred. */
export function isTransferred(body: string | Uint8Array | undefined): boolean {
  if (typeof body !== 'object' || body.length > 0) return false;
  const { buffer } = body;
  return buffer instanceof ArrayBuffer && buffer.detached;
}

export function contentType(response: BoundResponse): Uint8Array | null {
  const { body, statusCode: status } = response;
  if (response.isTyped || !hasContent(status)) return null;
  if (typeof body === 'string') return TEXT_PLAIN;
  return body === undefined ? null : BYTES;
}

/** The media type of what a task answers with: RFC 8259 section 11 for JSON. */
export function resultType(kind: number): Uint8Array {
  if (kind === JSON_TEXT) return APPLICATION_JSON;
  return kind === BYTES_KIND ? BYTES : TEXT_PLAIN;
}

/** The place of the counter for responses of a status. */
export function responseCounter(status: number): number {
  if (status < 300) return Counter.responses2xx;
  if (status < 400) return Counter.responses3xx;
  return status < 500 ? Counter.responses4xx : Counter.responses5xx;
}
