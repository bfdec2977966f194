// Requests with the responses that a client of them may see: valid ones, malformed ones, and ones
// that never end.

import { STATUS_CODES } from 'node:http';
import { bigBody, slowResult, streamPieces } from './app.ts';
import type { Random } from './random.ts';

export interface Exchange {
  readonly id: number;
  readonly text: string;
  readonly status: number;
  /** What the response's body is, unless the request is HEAD. */
  readonly body: string;
  readonly isHead: boolean;
  readonly isDelegated: boolean;
  /** Its connection goes to a worker. */
  readonly isHandedOff: boolean;
  /** The request's body; its head has `headSize` bytes. Empty: it has none. */
  readonly requestBody: string;
  readonly headSize: number;
  /** It says `Expect: 100-continue`. */
  readonly expects: boolean;
  /** The response may come in chunks, or with the connection's end. */
  readonly streams: boolean;
  /** A field behind a body that comes in chunks. */
  readonly trailer: string | undefined;
  /** The response may end the connection, or not: that depends on what has arrived when. */
  readonly mayClose: boolean;
  /** The response to this one ends the connection. */
  readonly closes: boolean;
  /** The request is malformed: what follows is not interpreted. */
  readonly isBad: boolean;
  /** It asks for another protocol, and gets it unless the server drains. */
  readonly upgrades: boolean;
  /** It is a line of that protocol, and so is the answer. */
  readonly isLine: boolean;
  readonly fields: ResponseFields;
}

/** Fields that only some responses have; of Connection, what it says unless the connection ends. */
export interface ResponseFields {
  readonly allow?: string;
  readonly connection?: string;
}

const IDS_PER_CLIENT = 100;
const NOTHING: ResponseFields = {};
const ALLOW = { allow: 'GET, HEAD, POST' };
const KEEP_ALIVE = { connection: 'keep-alive' };
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: lines\r\n';

/** Bytes of a body that is read as a whole. */
export const BODY_LIMIT = 1500;
const WITH_BODY = ['/whole', '/pieces', '/unread', '/late'];
const STREAMING = ['/stream', '/trailers', '/length'];
const ON_LOOP = ['/loop', '/loop-stream', '/loop-reject', '/kept', '/kept'];
const ON_LOOP_WITH_BODY = ['/loop-pieces', '/kept-whole'];
const BLOCKING = ['/block', '/block-stream', '/block-throw'];
const BLOCKING_WITH_BODY = ['/block-pieces', '/block-pieces', '/block-pieces'];
const STREAMED = [...STREAMING, '/loop-stream', '/block-stream'];
const WHOLE = ['/whole', '/kept-whole'];
const IN_PIECES = ['/pieces', '/loop-pieces', '/block-pieces'];
const WAITING = [
  '/wait',
  '/reject',
  '/later',
  '/later',
  '/later',
  '/later',
  '/refuse',
  ...STREAMING,
];
const TASKS = ['/later', '/later', '/slow', '/refuse'];
const DELEGATED = ['/slow', '/fail', '/large', '/later', '/refuse'];
export const NO_BODY = {
  requestBody: '',
  headSize: 0,
  expects: false,
  streams: false,
  trailer: undefined,
  mayClose: false,
  upgrades: false,
  isLine: false,
};

export function errorBody(status: number): string {
  return `${status} ${REASONS[status] ?? STATUS_CODES[status]}\n`;
}

// Where RFC 9110 renamed what Node still calls as before.
const REASONS: Readonly<Record<number, string>> = { 413: 'Content Too Large' };

/** What the server offers to its clients. */
export interface Offer {
  /** Bytes of a task holder's payload. */
  readonly payloadSize: number;
  /** There are workers: nothing else runs what blocks. */
  readonly hasWorkers: boolean;
  /** What many of the requests are for. */
  readonly likes: 'hand-offs' | 'tasks' | 'everything';
}

function isHandOff(path: string): boolean {
  return /^\/(loop|kept|block)\b/.test(path);
}

function pickPath(random: Random, { hasWorkers, likes }: Offer): string {
  const handOffs = [...ON_LOOP, ...ON_LOOP_WITH_BODY];
  if (hasWorkers) handOffs.push(...BLOCKING, ...BLOCKING_WITH_BODY);
  if (random.chance(likes === 'hand-offs' ? 0.6 : 0.05)) return random.pick(handOffs);
  if (likes === 'tasks' && random.chance(0.6)) return random.pick(TASKS);
  return random.pick([
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
    ...WAITING,
    ...WITH_BODY,
    ...WITH_BODY,
  ]);
}

/** A request for one of the routes, which is well-formed. */
export function validExchange(random: Random, id: number, offer: Offer): Exchange {
  const { payloadSize } = offer;
  const path = pickPath(random, offer);
  if ([...WITH_BODY, ...ON_LOOP_WITH_BODY, ...BLOCKING_WITH_BODY].includes(path))
    return bodyExchange(random, id, path);
  const isHead = random.chance(0.1);
  const isForm = path === '/form';
  const method = isHead ? 'HEAD' : isForm ? random.pick(['GET', 'POST', 'DELETE']) : 'GET';
  const isTooLong = path === '/slow' && random.chance(0.1);
  const streams = STREAMED.includes(path);
  const target = `${path}?${id}${isTooLong ? '&'.padEnd(payloadSize, 'x') : ''}`;
  const { status, body } = answer(path, method, target, isTooLong);
  const isOld = random.chance(0.1);
  const asksToClose = random.chance(0.05);
  const asksToStay = isOld && random.chance(0.7);
  // It is answered as if it did not: what is behind it waits, and is a request all the same.
  const asksToUpgrade = random.chance(0.05);
  const line = asksToClose
    ? 'Connection: close\r\n'
    : asksToStay
      ? 'Connection: keep-alive\r\n'
      : asksToUpgrade
        ? UPGRADE
        : '';
  const padding = random.chance(0.2) ? `X-Padding: ${'p'.repeat(random.below(300))}\r\n` : '';
  const closes = asksToClose || (isOld && !asksToStay);
  return {
    id,
    text: `${method} ${target} HTTP/${isOld ? '1.0' : '1.1'}\r\nHost: a\r\n${padding}${line}\r\n`,
    status,
    body,
    isHead,
    isDelegated: DELEGATED.includes(path) && !isTooLong,
    isHandedOff: isHandOff(path),
    ...NO_BODY,
    streams,
    trailer: path === '/trailers' ? `X-Target: ${target}` : undefined,
    // In HTTP/1.0 its length is that of the connection, unless it is known in time.
    mayClose: streams && isOld,
    closes,
    isBad: false,
    fields: { ...(status === 405 ? ALLOW : NOTHING), ...(isOld && !closes ? KEEP_ALIVE : NOTHING) },
  };
}

// A request with a body, of a length that is known or in chunks.
function bodyExchange(random: Random, id: number, path: string): Exchange {
  const target = `${path}?${id}`;
  const sizes = random.chance(0.2) ? [BODY_LIMIT, BODY_LIMIT + 1, 5000] : [1, 20, 100, 400];
  const requestBody = bodyOf(random, random.pick(sizes));
  const isChunked = random.chance(0.5);
  const isOld = !isChunked && random.chance(0.1);
  const closes = isOld || random.chance(0.05);
  const expects = !isOld && random.chance(0.2);
  const framing = isChunked
    ? 'Transfer-Encoding: chunked\r\n'
    : `Content-Length: ${requestBody.length}\r\n`;
  const head =
    `POST ${target} HTTP/${isOld ? '1.0' : '1.1'}\r\nHost: a\r\n${framing}` +
    `${expects ? 'Expect: 100-continue\r\n' : ''}` +
    `${closes && !isOld ? 'Connection: close\r\n' : ''}\r\n`;
  const isTooLarge = WHOLE.includes(path) && requestBody.length > BODY_LIMIT;
  const streams = IN_PIECES.includes(path);
  const echoes = WHOLE.includes(path) || streams;
  return {
    id,
    text: head + (isChunked ? inChunks(random, requestBody) : requestBody),
    status: isTooLarge ? 413 : 200,
    body: isTooLarge ? errorBody(413) : echoes ? requestBody : target,
    isHead: false,
    isDelegated: false,
    isHandedOff: isHandOff(path),
    requestBody,
    headSize: head.length,
    expects,
    streams,
    trailer: undefined,
    // Not when all of the body was there, or is known to be little.
    mayClose: expects || isTooLarge || (streams && isOld),
    closes,
    isBad: false,
    upgrades: false,
    isLine: false,
    fields: NOTHING,
  };
}

/** A request behind which the connection speaks in lines. */
export function upgradeExchange(random: Random, id: number): Exchange {
  const path = random.pick(['/upgrade', '/upgrade-late']);
  return {
    ...NO_BODY,
    id,
    text: `GET ${path}?${id} HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`,
    status: 101,
    body: '',
    isHead: false,
    isDelegated: false,
    isHandedOff: false,
    closes: false,
    isBad: false,
    upgrades: true,
    fields: { connection: 'Upgrade' },
  };
}

/** A line, which is answered with itself. */
export function lineExchange(random: Random, id: number): Exchange {
  const start = random.pick(['away ', 'home ', '', 'GET /echo HTTP/1.1\r', '\r', '\0']);
  const text = `${start}${id} ${'x'.repeat(random.below(random.pick([1, 50, 5000])))}\n`;
  return {
    ...NO_BODY,
    id,
    text,
    status: 0,
    body: text,
    isHead: false,
    isDelegated: false,
    isHandedOff: false,
    closes: false,
    isBad: false,
    isLine: true,
    fields: NOTHING,
  };
}

// What no head has, and what must not be taken for one.
function bodyOf(random: Random, size: number): string {
  let body = '';
  while (body.length < size) {
    body += random.chance(0.1)
      ? random.pick(['\r\n\r\n', '0\r\n\r\n', 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n'])
      : String.fromCharCode(random.between(160, 255)).repeat(random.between(1, 20));
  }
  return body.slice(0, size);
}

function inChunks(random: Random, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, random.pick([1, 16, 255, 4096]));
    const extension = random.chance(0.1) ? ';name=value' : '';
    text += `${size.toString(16)}${extension}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${text}0\r\n${random.chance(0.2) ? 'X-Trailer: t\r\n' : ''}\r\n`;
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
    case '/refuse':
    case '/reject':
    case '/block-throw':
    case '/loop-reject':
      return error(500);
    case '/form':
      if (method === 'DELETE') return error(405);
      return method === 'POST' ? { status: 201, body: target } : { status: 200, body: '' };
    case '/echo':
    case '/wait':
    case '/block':
    case '/loop':
    case '/kept':
      return { status: 200, body: target };
    case '/big':
      return { status: 200, body: bigBody(target) };
    case '/stream':
    case '/trailers':
    case '/length':
    case '/loop-stream':
    case '/block-stream':
      return { status: 200, body: streamPieces(target).join('') };
    case '/later':
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
    isHandedOff: false,
    closes: true,
    isBad: true,
    ...NO_BODY,
    fields: NOTHING,
  };
}

/** The requests of a client have these ids. */
export function isOf(id: number, client: number): boolean {
  return Math.floor(id / IDS_PER_CLIENT) === client;
}
