// Requests with the responses that a client of them may see: valid ones, malformed ones, and ones
// that never end.

import { STATUS_CODES } from 'node:http';
import { bigBody, slowResult } from './app.ts';
import type { Random } from './random.ts';

export interface Exchange {
  readonly id: number;
  readonly text: string;
  readonly status: number;
  /** What the response's body is, unless the request is HEAD. */
  readonly body: string;
  readonly isHead: boolean;
  readonly isDelegated: boolean;
  /** The response to this one ends the connection. */
  readonly closes: boolean;
  /** The request is malformed: what follows is not interpreted. */
  readonly isBad: boolean;
  readonly fields: ResponseFields;
}

/** Fields that only some responses have; of Connection, what it says unless the connection ends. */
export interface ResponseFields {
  readonly allow?: string;
  readonly connection?: string;
}

const NOTHING: ResponseFields = {};
const ALLOW = { allow: 'GET, HEAD, POST' };
const KEEP_ALIVE = { connection: 'keep-alive' };

export function errorBody(status: number): string {
  return `${status} ${REASONS[status] ?? STATUS_CODES[status]}\n`;
}

// Where RFC 9110 renamed what Node still calls as before.
const REASONS: Readonly<Record<number, string>> = { 413: 'Content Too Large' };

/** A request for one of the routes, which is well-formed. */
export function validExchange(random: Random, id: number, payloadSize: number): Exchange {
  const path = random.pick([
    '/fast',
    '/echo',
    '/echo',
    '/slow',
    '/slow',
    '/slow',
    '/big',
    '/form',
    '/none',
    '/throw',
    '/fail',
    '/large',
  ]);
  const isHead = random.chance(0.1);
  const isForm = path === '/form';
  const method = isHead ? 'HEAD' : isForm ? random.pick(['GET', 'POST', 'DELETE']) : 'GET';
  const isTooLong = path === '/slow' && random.chance(0.1);
  const target = `${path}?${id}${isTooLong ? '&'.padEnd(payloadSize, 'x') : ''}`;
  const { status, body } = answer(path, method, target, isTooLong);
  const isOld = random.chance(0.1);
  const asksToClose = random.chance(0.05);
  const asksToStay = isOld && random.chance(0.7);
  const line = asksToClose
    ? 'Connection: close\r\n'
    : asksToStay
      ? 'Connection: keep-alive\r\n'
      : '';
  const padding = random.chance(0.2) ? `X-Padding: ${'p'.repeat(random.below(300))}\r\n` : '';
  const closes = asksToClose || (isOld && !asksToStay);
  return {
    id,
    text: `${method} ${target} HTTP/${isOld ? '1.0' : '1.1'}\r\nHost: a\r\n${padding}${line}\r\n`,
    status,
    body,
    isHead,
    isDelegated: ['/slow', '/fail', '/large'].includes(path) && !isTooLong,
    closes,
    isBad: false,
    fields: { ...(status === 405 ? ALLOW : NOTHING), ...(isOld && !closes ? KEEP_ALIVE : NOTHING) },
  };
}

function answer(
  path: string,
  method: string,
  target: string,
  isTooLong: boolean,
): { status: number; body: string } {
  const error = (status: number) => ({ status, body: errorBody(status) });
  if (isTooLong) return error(414);
  switch (path) {
    case '/none':
      return error(404);
    case '/throw':
    case '/fail':
    case '/large':
      return error(500);
    case '/form':
      if (method === 'DELETE') return error(405);
      return method === 'POST' ? { status: 201, body: target } : { status: 200, body: '' };
    case '/echo':
      return { status: 200, body: target };
    case '/big':
      return { status: 200, body: bigBody(target) };
    case '/slow': {
      const { status, body } = slowResult(target);
      return { status, body: body ?? '' };
    }
    default:
      return { status: 200, body: '' };
  }
}

const BAD: readonly (readonly [status: number, text: () => string])[] = [
  [400, () => 'NONSENSE\r\n\r\n'],
  [400, () => 'GET /echo HTTP/1.1\r\n\r\n'],
  [400, () => 'GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  [400, () => 'GET /echo HTTP/1.1\r\nHost : a\r\n\r\n'],
  [505, () => 'GET /echo HTTP/3.0\r\nHost: a\r\n\r\n'],
  [431, () => `GET /echo HTTP/1.1\r\nHost: a\r\n${'F: x\r\n'.repeat(100)}\r\n`],
  [414, () => `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
];

/** A request that is answered with an error, after which the connection ends. */
export function badExchange(random: Random, id: number): Exchange {
  // The long ones are rare, for they cost time.
  const [status, text] = BAD[random.below(random.chance(0.1) ? BAD.length : BAD.length - 2)]!;
  return {
    id,
    text: text(),
    status,
    body: errorBody(status),
    isHead: false,
    isDelegated: false,
    closes: true,
    isBad: true,
    fields: NOTHING,
  };
}
