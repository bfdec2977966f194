// Streams of requests from a seed: valid ones, with at most one among them that is hostile or
// almost valid. What is wrong with that one is its kind.

import type { Prng } from '../support/prng.ts';
import { HOSTILE } from './hostile.ts';

export interface Stream {
  /** What is wrong with it, or `valid`. */
  readonly kind: string;
  /** One character a byte (latin1). */
  readonly requests: readonly string[];
  /** Which of the requests it is; -1 when all are valid. */
  readonly hostile: number;
  /** By request. */
  readonly methods: readonly string[];
  /** Where the writes are cut, as offsets into all of it. */
  readonly cuts: readonly number[];
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
/** A flaw before it may make another method of HEAD, whose answer then has a body. */
const METHODS_BEHIND = METHODS.filter((method) => method !== 'HEAD');
const TARGETS = ['/', '/a/b?c=d', '/%41?x', '/*', '//', '/a;b=c,d', 'http://test/x', "/~!$&'()"];
const FIELDS = [
  'Accept: */*',
  'accept:text/html',
  'X-Empty:',
  'X-Space: \t a b\tc \t',
  'X-Latin: gr\xfc\xdfe',
  "!#$%&'*+-.^_`|~: token",
  'Cookie: a=b; c="d"',
  'Connection: keep-alive',
  'Content-Type: text/plain',
  'Expect: 100-continue',
];

/** One of `values`. */
export function one<T>(pick: Prng, values: readonly T[]): T {
  return values[pick(values.length)]!;
}

export function noise(pick: Prng, sizeMax: number): string {
  const size = pick(4) === 0 ? pick(sizeMax) : pick(20);
  let text = '';
  while (text.length < size) text += String.fromCharCode(pick(256));
  return text;
}

/** A request with these lines, its Host, and what follows its head. */
export function made(start: string, fields: readonly string[], content = ''): string {
  return `${[start, 'Host: test', ...fields].join('\r\n')}\r\n\r\n${content}`;
}

/** A body in chunks, with all that may stand beside them (RFC 9112 section 7.1). */
export function chunked(pick: Prng, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const size = Math.min(1 + pick(body.length), body.length - at);
    const digits = one(pick, [size.toString(16), `00${size.toString(16).toUpperCase()}`]);
    const extension = one(pick, ['', '', '', ';a', ';a=b', ';a="b;c"', ';a=b;c="\\""']);
    text += `${digits}${extension}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  const trailers = one(pick, ['', '', 'X-Sum: 1\r\n', 'A:\r\nB: c\r\n']);
  return `${text}${one(pick, ['0', '000', '0;last'])}\r\n${trailers}\r\n`;
}

function valid(pick: Prng, methods: readonly string[]): { text: string; method: string } {
  const method = one(pick, methods);
  const fields: string[] = [];
  while (pick(3) > 0 && fields.length < 12) {
    const field = one(pick, FIELDS);
    const name = field.slice(0, field.indexOf(':'));
    if (!fields.some((line) => line.startsWith(`${name}:`))) fields.push(field);
  }
  const start = `${method} ${one(pick, TARGETS)} HTTP/1.1`;
  const framing = pick(3);
  if (framing === 0) return { method, text: made(start, fields) };
  const body = noise(pick, 6000);
  if (framing === 1) {
    fields.splice(pick(fields.length + 1), 0, `Content-Length: ${body.length}`);
    return { method, text: made(start, fields, body) };
  }
  fields.splice(pick(fields.length + 1), 0, one(pick, CODINGS));
  return { method, text: made(start, fields, chunked(pick, body)) };
}

const CODINGS = ['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED'];

/** The next stream; `pick` decides everything about it. */
export function nextStream(pick: Prng): Stream {
  const requests: string[] = [];
  const methods: string[] = [];
  const add = (count: number, allowed = METHODS): void => {
    for (let index = 0; index < count; index++) {
      const { text, method } = valid(pick, allowed);
      requests.push(text);
      methods.push(method);
    }
  };
  add(pick(3));
  let kind = 'valid';
  let hostile = -1;
  if (pick(5) > 0) {
    const flaw = one(pick, HOSTILE);
    kind = flaw.kind;
    hostile = requests.length;
    requests.push(flaw.make(pick));
    methods.push('POST');
    // Behind a request that is cut off, nothing is one.
    if (!kind.startsWith('cut')) add(pick(2), METHODS_BEHIND);
  } else add(1 + pick(4));
  const size = requests.reduce((sum, text) => sum + text.length, 0);
  const cuts = pick(2) === 0 ? [] : Array.from({ length: 1 + pick(3) }, () => pick(size));
  return { kind, requests, hostile, methods, cuts: [...new Set(cuts)].sort((a, b) => a - b) };
}
