// Where Millrace and `node:http` differ on purpose. `docs/differences-from-node-http.md` has the
// reason for each name. That both read the same bodies as far as both accept is checked before.

import { METHODS } from 'node:http';
import type { Difference } from './differential.ts';

export interface Known {
  readonly name: string;
  applies(difference: Difference): boolean;
}

/** Millrace refuses the flaw with this status; `node:http` accepts it, or says another status. */
function refused(name: string, status: number, ...kinds: string[]): Known {
  return {
    name,
    applies: ({ stream, millrace }) =>
      kinds.includes(stream.kind) &&
      millrace.refused === status &&
      millrace.bodies.length === stream.hostile,
  };
}

/** Millrace accepts all of the stream. */
function accepted(name: string, ...kinds: string[]): Known {
  return { name, applies: (found) => kinds.includes(found.stream.kind) && acceptsAll(found) };
}

/** A byte of a valid request was changed, which made `is` of it. */
function changed(
  name: string,
  status: number | undefined,
  is: (request: string) => boolean,
): Known {
  return {
    name,
    applies: (found) => {
      const { stream, millrace } = found;
      if (stream.kind !== 'byte' || !is(stream.requests[stream.hostile]!)) return false;
      if (status === undefined) return acceptsAll(found);
      return millrace.refused === status && millrace.bodies.length === stream.hostile;
    },
  };
}

function acceptsAll({ stream, millrace }: Difference): boolean {
  return millrace.refused === undefined && millrace.bodies.length === stream.requests.length;
}

function hasPlainHost(request: string): boolean {
  return request.match(/\r\nhost:[ \t]*[\w.!$&'()*+,;=~-]*[ \t]*\r\n/gi)?.length === 1;
}

function hasUnknownMethod(request: string): boolean {
  const method = /^[!#$%&'*+\-.^`|~\w]+(?= )/.exec(request)?.[0];
  return method !== undefined && !METHODS.includes(method);
}

// What follows does not begin where the next request does, or is cut off.
function isMisframed(request: string): boolean {
  const [head, content] = [request.split('\r\n\r\n')[0]!, request.split('\r\n\r\n').slice(1)];
  if (/\r\ntransfer-encoding:[ \t]*chunked[ \t]*(\r\n|$)/i.test(head)) return false;
  const length = /\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)/i.exec(head)?.[1] ?? '0';
  return content.join('\r\n\r\n').length !== Number(length);
}

const FIRST_LINE = /^[^\r\n]*/;

export const KNOWN: readonly Known[] = [
  {
    name: 'data behind a last request',
    applies: ({ stream, millrace, node }) =>
      [
        'connection: close',
        'connection: Close, X',
        'version: 1.0',
        'version: 1.0 without Host',
      ].includes(stream.kind) &&
      millrace.refused === undefined &&
      millrace.bodies.length === stream.hostile + 1 &&
      node.refused === 400,
  },
  {
    name: 'a head that is cut off',
    applies: ({ stream, millrace, node }) =>
      stream.kind === 'cut: head' &&
      millrace.refused === undefined &&
      millrace.bodies.length === stream.hostile &&
      node.refused === 400,
  },
  refused('no Host', 400, 'host: none'),
  refused(
    'a Host that is none, or two',
    400,
    ...['host: a list', 'host: twice', 'host: two different', 'host: with a bad port'],
    ...['host: with a path', 'host: with a space', 'host: with latin1'],
    'host: with user information',
  ),
  refused(
    'a target that is none',
    400,
    ...['target: asterisk', 'target: of another scheme', 'target: with a fragment'],
    ...['target: with user information', 'target: without an authority', 'method: CONNECT'],
  ),
  refused('a long request line', 414, 'target: long'),
  refused(
    'a version that is not spoken',
    505,
    ...['version: 0.9', 'version: 1.2', 'version: 1.9', 'version: 2.0', 'version: 3.0'],
    'protocol: HTTP/2',
  ),
  refused('a request line that is none', 400, 'version: missing', 'version: two spaces before'),
  refused(
    'empty lines',
    400,
    'line ends: an empty line of LF before',
    'line ends: many empty lines before',
  ),
  accepted(
    'a method that is not registered',
    ...['method: PRI', 'method: a token of punctuation', 'method: in small letters'],
    'method: unknown',
  ),
  refused('many fields', 431, 'field: very many'),
  refused('a length that cannot be counted', 413, 'length: beyond 2^53', 'length: beyond 2^64'),
  refused('chunks in HTTP/1.0', 400, 'version: 1.0 in chunks'),
  refused(
    'a coding that is not understood',
    501,
    ...['coding: gzip, chunked', 'coding: gzip, then chunked', 'coding: identity, chunked'],
  ),
  refused('a list of codings with an empty element', 400, 'coding: with a comma before'),
  accepted('white space around a value', 'coding: with a tab'),
  refused(
    'a chunk that cannot be counted',
    413,
    'chunk: a size beyond 2^53',
    'chunk: a size beyond 2^64',
  ),
  refused('many digits of a chunk', 400, 'chunk: a size of 17 digits'),
  refused('long extensions of a chunk', 413, 'chunk: a long extension'),
  refused('an extension without its value', 400, 'chunk: a value of nothing'),
  accepted(
    'white space around an extension',
    'chunk: a space before an extension',
    'chunk: a space behind the semicolon',
  ),
  refused('a trailer that routes', 400, 'trailer: Host'),
  refused('many or long trailers', 431, 'trailer: long', 'trailer: many'),
  refused('an unknown expectation', 417, 'expectation: another', 'expectation: and another'),
  accepted('an expectation of nothing', 'expectation: empty'),
  accepted('an upgrade that nobody answers', 'connection: upgrade'),
  {
    name: 'empty lines',
    applies: ({ stream, millrace }) =>
      stream.kind === 'noise' &&
      /^[\r\n]+$/.test(stream.requests[stream.hostile]!) &&
      millrace.bodies.length === stream.hostile,
  },
  changed('a Host that is none, or two', 400, (request) => !hasPlainHost(request)),
  changed('a target that is none', 400, (request) =>
    /^\S+ ([^ ]*#|\*[^ ])/.test(FIRST_LINE.exec(request)![0]),
  ),
  changed(
    'a request line that is none',
    400,
    (request) => !/^\S+ \S+ HTTP\/\d\.\d$/.test(FIRST_LINE.exec(request)![0]),
  ),
  changed('a version that is not spoken', 505, (request) =>
    /^\S+ \S+ HTTP\/(?!1\.[01])\d\.\d$/.test(FIRST_LINE.exec(request)![0]),
  ),
  changed('a list of codings with an empty element', 400, (request) =>
    /\r\ntransfer-encoding:[^\r\n]*,/i.test(request),
  ),
  changed('a coding that is not understood', 501, (request) =>
    /\r\ntransfer-encoding:[^\r\n]*,/i.test(request),
  ),
  changed('a method that is not registered', undefined, hasUnknownMethod),
  {
    name: 'a method that is not registered, or a head that is cut off',
    applies: ({ stream, millrace, node }) =>
      stream.kind === 'byte' &&
      isMisframed(stream.requests[stream.hostile]!) &&
      millrace.refused === undefined &&
      node.refused === 400,
  },
];
