// What a stream of requests means, written straight from the grammar of RFC 9110 and RFC 9112 with
// regular expressions, and slowly. It shares nothing with the parser and the decoder that it judges
// but the limits it is given, and knows nothing of bytes that have not arrived: a stream is whole.
//
// It answers whether the stream is rejected, and not with which status: a request can be wrong in
// two ways, and which one is seen first is the parser's choice.

import type { RequestLimits } from '../../src/http/request-limits.ts';

export type BodyLimits = {
  readonly chunkDigitsMax: number;
  readonly extensionSizeMax: number;
  readonly extensionsSizeMax: number;
  readonly trailersSizeMax: number;
  readonly trailerCountMax: number;
};

export type ParsedRequest = {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly version: number;
  readonly keepAlive: boolean;
  readonly upgrades: boolean;
  readonly chunked: boolean;
  readonly contentLength: number;
  readonly expectsContinue: boolean;
  readonly fields: readonly (readonly [string, string])[];
  /** What has arrived of it. */
  body: string;
  complete: boolean;
};

/**
 * How a stream ends: between two requests or within one, rejected, or with a request after which
 * the connection closes; or within an open line, which a parser may call wrong before it ends.
 */
export type StreamEnd = 'incomplete' | 'open line' | 'rejected' | 'closed';
export type ParsedStream = { readonly requests: ParsedRequest[]; end: StreamEnd };

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TEXT = '[\\t -~\\x80-\\xff]';
// RFC 9112 3; a target is any visible ASCII but "#".
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([!-"$-~]+) HTTP/1\\.([01])$`);
// RFC 9112 5.
const FIELD_LINE = new RegExp(`^(${TOKEN}):(${TEXT}*)$`);
// RFC 3986 3.2.2.
const NAME = "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})";
const LITERAL = '\\[[0-9A-Fa-f:.]+\\]';
const HOST_FIELD = new RegExp(`^(?:${NAME}*|${LITERAL})(?::[0-9]*)?$`);
const AUTHORITY = new RegExp(`^(?:${NAME}+|${LITERAL}):[0-9]+$`);
const ABSOLUTE = new RegExp(
  `^https?://(?:${NAME}+|${LITERAL})(?::[0-9]*)?(/[^?]*)?(?:\\?.*)?$`,
  'i',
);
// RFC 9112 7.1 and 7.1.1.
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const EXTENSION = `[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?`;
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]+)((?:${EXTENSION})*)$`);
const TRAILER_FORBIDDEN = /^(?:content-length|transfer-encoding|host)$/i;

const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);

class Rejected extends Error {}
class Incomplete extends Error {}
class OpenLine extends Error {}

/** Reads the requests of a whole stream. */
export function parseStream(
  stream: string,
  limits: RequestLimits,
  bodyLimits: BodyLimits,
): ParsedStream {
  const requests: ParsedRequest[] = [];
  const reader = new Reader(stream);
  try {
    for (;;) {
      const request = parseHead(reader, limits);
      requests.push(request);
      if (request.chunked) parseChunks(reader, request, bodyLimits);
      else takeBody(reader, request, request.contentLength);
      request.complete = true;
      if (!request.keepAlive) return { requests, end: 'closed' };
    }
  } catch (error) {
    if (error instanceof Rejected) return { requests, end: 'rejected' };
    if (error instanceof Incomplete) return { requests, end: 'incomplete' };
    if (error instanceof OpenLine) return { requests, end: 'open line' };
    throw error;
  }
}

class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** A line without its CRLF. A LF ends it in any case; only behind a CR it may. */
  line(): string {
    const end = this.#text.indexOf('\n', this.at);
    if (end < 0) throw this.at === this.#text.length ? new Incomplete() : new OpenLine();
    const line = this.#text.slice(this.at, end);
    if (!line.endsWith('\r')) throw new Rejected();
    this.at = end + 1;
    return line.slice(0, -1);
  }

  take(size: number): string {
    const taken = this.#text.slice(this.at, this.at + size);
    this.at += taken.length;
    return taken;
  }

  get rest(): string {
    return this.#text.slice(this.at);
  }
}

function check(condition: boolean): asserts condition {
  if (!condition) throw new Rejected();
}

function parseHead(reader: Reader, limits: RequestLimits): ParsedRequest {
  const first = reader.at;
  // RFC 9112 2.2: two empty lines at most.
  for (let empty = 0; empty < 2 && reader.rest.startsWith('\r\n'); empty++) reader.take(2);
  const lineAt = reader.at;
  const match = REQUEST_LINE.exec(reader.line());
  check(match !== null && reader.at - lineAt <= limits.requestLineSizeMax);
  const [, method, target, minor] = match as unknown as [string, string, string, string];
  const path = pathOf(method, target);
  const isNew = minor === '1';
  const fields: [string, string][] = [];
  for (;;) {
    // The lines must leave space for the empty one.
    check(reader.at - first < limits.headSizeMax);
    const line = reader.line();
    check(reader.at - first <= limits.headSizeMax);
    if (line === '') break;
    const field = FIELD_LINE.exec(line);
    check(field !== null && fields.length < limits.fieldCountMax);
    fields.push([field[1]!, field[2]!.replace(/^[ \t]+|[ \t]+$/g, '')]);
    checkFields(fields, isNew);
  }
  return { method, target, path, version: isNew ? 11 : 10, fields, ...meaning(fields, isNew) };
}

// RFC 9112 3.2.
function pathOf(method: string, target: string): string {
  if (method === 'CONNECT') {
    check(AUTHORITY.test(target));
    return target;
  }
  if (target.startsWith('/')) return target.split('?')[0]!;
  if (target === '*' && method === 'OPTIONS') return '*';
  const absolute = ABSOLUTE.exec(target);
  check(absolute !== null);
  return absolute[1] ?? '/';
}

const valuesOf = (fields: readonly [string, string][], name: string): string[] =>
  fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);

const listOf = (values: readonly string[]): string[] =>
  values.flatMap((value) => value.split(',')).map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ''));

// What is wrong as soon as it is seen, whatever comes behind it.
function checkFields(fields: readonly [string, string][], isNew: boolean): void {
  const hosts = valuesOf(fields, 'host');
  check(hosts.length <= 1 && hosts.every((host) => HOST_FIELD.test(host)));
  const lengths = valuesOf(fields, 'content-length');
  check(lengths.length <= 1 && lengths.every((length) => /^[0-9]+$/.test(length)));
  const codings = valuesOf(fields, 'transfer-encoding');
  check(codings.length === 0 || (isNew && lengths.length === 0));
  const items = listOf(codings);
  check(items.every((item) => new RegExp(`^${TOKEN}$`).test(item)));
  check(items.slice(0, -1).every((item) => item.toLowerCase() !== 'chunked'));
}

// What a head that ends here means, RFC 9112 6.3 and 9.3, RFC 9110 10.1.1.
function meaning(fields: readonly [string, string][], isNew: boolean) {
  check(!isNew || valuesOf(fields, 'host').length === 1);
  const codings = listOf(valuesOf(fields, 'transfer-encoding')).map((item) => item.toLowerCase());
  check(codings.length === 0 || (codings.length === 1 && codings[0] === 'chunked'));
  const length = BigInt(valuesOf(fields, 'content-length')[0] ?? '0');
  check(length <= LARGEST);
  const expected = listOf(valuesOf(fields, 'expect')).filter((item) => item !== '');
  check(expected.every((item) => item.toLowerCase() === '100-continue'));
  const options = listOf(valuesOf(fields, 'connection')).map((item) => item.toLowerCase());
  const asked = isNew || options.includes('keep-alive');
  return {
    keepAlive: asked && !options.includes('close'),
    upgrades: isNew && options.includes('upgrade') && !options.includes('close'),
    chunked: codings.length > 0,
    contentLength: Number(length),
    expectsContinue: isNew && expected.length > 0,
    body: '',
    complete: false,
  };
}

function takeBody(reader: Reader, request: ParsedRequest, size: number): void {
  const taken = reader.take(size);
  request.body += taken;
  if (taken.length < size) throw new Incomplete();
}

// RFC 9112 7.1.
function parseChunks(reader: Reader, request: ParsedRequest, limits: BodyLimits): void {
  let extensionsSize = 0;
  for (;;) {
    const match = CHUNK_LINE.exec(reader.line());
    check(match !== null && match[1]!.length <= limits.chunkDigitsMax);
    const extension = match[2]!.length;
    extensionsSize += extension;
    check(extension <= limits.extensionSizeMax && extensionsSize <= limits.extensionsSizeMax);
    const size = BigInt(`0x${match[1]}`);
    check(size + BigInt(request.body.length) <= LARGEST);
    if (size === 0n) break;
    takeBody(reader, request, Number(size));
    const end = reader.take(2);
    if ('\r\n'.startsWith(end) && end.length < 2) throw new Incomplete();
    check(end === '\r\n');
  }
  parseTrailers(reader, limits);
}

// RFC 9112 7.1.2, RFC 9110 6.5.1.
function parseTrailers(reader: Reader, limits: BodyLimits): void {
  const first = reader.at;
  for (let count = 0; ; count++) {
    const line = reader.line();
    check(reader.at - first <= limits.trailersSizeMax);
    if (line === '') return;
    const field = FIELD_LINE.exec(line);
    check(field !== null && count < limits.trailerCountMax);
    check(!TRAILER_FORBIDDEN.test(field[1]!));
  }
}
