// Requests with a flaw, or with what a strict reader takes for one. All of them are requests with
// POST, so that an answer may have a body.

import type { Prng } from '../support/prng.ts';
import { made, noise, one } from './streams.ts';

export interface Flaw {
  readonly kind: string;
  make(pick: Prng): string;
}

const START = 'POST /flaw HTTP/1.1';
const LENGTH = 'Content-Length: 5';
const BODY = 'hello';
const CHUNKED = 'Transfer-Encoding: chunked';

function flaw(kind: string, make: (pick: Prng) => string): Flaw {
  return { kind, make };
}

/** A body by its length, and a head that ends with these lines. */
function withFields(...fields: string[]): string {
  return made(START, [LENGTH, ...fields], BODY);
}

function withStart(start: string): string {
  return made(start, [LENGTH], BODY);
}

function withChunks(content: string): string {
  return made(START, [CHUNKED], content);
}

/** Each value is a kind of its own. */
function each(
  kind: string,
  values: Readonly<Record<string, string>>,
  make: (value: string) => string,
): Flaw[] {
  return Object.entries(values).map(([name, value]) => flaw(`${kind}: ${name}`, () => make(value)));
}

// A byte of a valid request is replaced, dropped, or another one put before it.
function mutate(pick: Prng): string {
  const request = one(pick, [
    withFields('X-A: b'),
    withChunks('5\r\nhello\r\n0\r\n\r\n'),
    made('POST /a?b HTTP/1.1', ['Connection: keep-alive', CHUNKED], '1\r\na\r\n0\r\nA: b\r\n\r\n'),
  ]);
  const at = pick(request.length);
  const bytes = ['\0', '\t', '\n', '\r', ' ', '"', '#', ',', '/', ':', ';', '\x7f', '\xff'];
  const byte = pick(2) === 0 ? one(pick, bytes) : String.fromCharCode(pick(256));
  const kept = request.slice(0, at);
  return kept + one(pick, [byte, '', byte + request[at]!]) + request.slice(at + 1);
}

export const HOSTILE: readonly Flaw[] = [
  flaw('byte', mutate),
  flaw('byte', mutate),
  flaw('byte', mutate),
  flaw('byte', mutate),
  flaw('noise', (pick) => `${noise(pick, 300)}\r\n\r\n`),
  flaw('cut: head', (pick) => {
    const request = withFields();
    return request.slice(0, 1 + pick(request.indexOf('\r\n\r\n') + 2));
  }),
  flaw('cut: body', (pick) => withFields().slice(0, -1 - pick(5))),
  flaw('cut: chunks', (pick) => withChunks('5\r\nhello\r\n0\r\n\r\n').slice(0, -1 - pick(14))),
  ...each(
    'line ends',
    {
      'bare LF': withFields('X: y').replaceAll('\r\n', '\n'),
      'bare LF after the request line': withFields().replace('\r\n', '\n'),
      'bare LF after a field': withFields('X: y').replace('y\r\n', 'y\n'),
      'bare LF at the end of the head': withFields().replace('\r\n\r\n', '\r\n\n'),
      'bare CR in a value': withFields('X: a\rb'),
      'bare CR after a field': withFields('X: y').replace('y\r\n', 'y\r'),
      'two empty lines before': `\r\n\r\n${withFields()}`,
      'many empty lines before': `${'\r\n'.repeat(9)}${withFields()}`,
      'an empty line of LF before': `\n${withFields()}`,
    },
    (text) => text,
  ),
  ...each(
    'method',
    {
      unknown: 'BREW',
      'in small letters': 'post',
      'with a delimiter': 'PO(T',
      empty: '',
      CONNECT: 'CONNECT',
      QUERY: 'QUERY',
      PRI: 'PRI',
      'a token of punctuation': "!#$%&'*+-.^_`|~",
    },
    (method) => withStart(`${method} /flaw HTTP/1.1`),
  ),
  ...each(
    'target',
    {
      'with a fragment': '/a#b',
      'with a space': '/a b',
      'with a tab': '/a\tb',
      'with a control': '/a\x01b',
      'with DEL': '/a\x7f',
      'with latin1': '/gr\xfcn',
      'with UTF-8': '/\xc3\xbc',
      'with quotes': '/"<>`{}|\\^',
      'without a slash': 'flaw',
      asterisk: '*',
      authority: 'test:80',
      'of another scheme': 'ftp://test/x',
      'without an authority': 'http:///x',
      'with user information': 'http://a@test/x',
      'with a bad percent': '/%zz',
      empty: '',
      long: `/${'a'.repeat(8200)}`,
    },
    (target) => withStart(`POST ${target} HTTP/1.1`),
  ),
  ...each(
    'version',
    {
      '1.2': 'HTTP/1.2',
      '1.9': 'HTTP/1.9',
      '2.0': 'HTTP/2.0',
      '0.9': 'HTTP/0.9',
      '3.0': 'HTTP/3.0',
      'in small letters': 'http/1.1',
      'of another protocol': 'ICE/1.0',
      '01.1': 'HTTP/01.1',
      '1.10': 'HTTP/1.10',
      '1,1': 'HTTP/1,1',
      none: '',
    },
    (version) => withStart(`POST /flaw ${version}`),
  ),
  flaw('version: missing', () => withStart('POST /flaw')),
  flaw('version: a space behind', () => withStart(`${START} `)),
  flaw('version: two spaces before', () => withStart('POST /flaw  HTTP/1.1')),
  flaw('version: 1.0', () => withStart('POST /flaw HTTP/1.0')),
  flaw('version: 1.0 kept alive', () =>
    made('POST /flaw HTTP/1.0', ['Connection: keep-alive', LENGTH], BODY),
  ),
  flaw('version: 1.0 without Host', () => 'POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello'),
  flaw('version: 1.0 in chunks', () =>
    made('POST / HTTP/1.0', ['Connection: keep-alive', CHUNKED], '5\r\nhello\r\n0\r\n\r\n'),
  ),
  flaw('host: none', () => `${START}\r\n${LENGTH}\r\n\r\n${BODY}`),
  flaw('host: twice', () => withFields('Host: test')),
  flaw('host: two different', () => withFields('host: other')),
  ...each(
    'host',
    {
      empty: '',
      'with a space': 'a b',
      'a list': 'a, b',
      'with a path': 'test/x',
      'with user information': 'a@test',
      'with a bad port': 'test:8x',
      IPv6: '[::1]:80',
      'with a control': 'te\x01st',
      'with latin1': 't\xe4st',
    },
    (host) => `${START}\r\nHost: ${host}\r\n${LENGTH}\r\n\r\n${BODY}`,
  ),
  ...each(
    'field',
    {
      'a space before its colon': 'X : y',
      'a tab before its colon': 'X\t: y',
      folded: 'X: a\r\n b',
      'folded with a tab': 'X: a\r\n\tb',
      'without a name': ': y',
      'without a colon': 'X',
      'a name in quotes': '"X": y',
      'a name of latin1': 'X\xfc: y',
      'NUL in its value': 'X: \0',
      'a control in its value': 'X: \x01',
      'DEL in its value': 'X: \x7f',
      'a control in its name': 'X\x01: y',
      'a long value': `X: ${'y'.repeat(17_000)}`,
      'a long name': `${'X'.repeat(17_000)}: y`,
    },
    (field) => withFields(field),
  ),
  flaw(
    'field: a space before the first',
    () => `${START}\r\n Host: test\r\n${LENGTH}\r\n\r\n${BODY}`,
  ),
  flaw('field: very many', () => withFields(...Array.from({ length: 101 }, () => 'X: y'))),
  flaw('field: many', () => withFields(...Array.from({ length: 97 }, () => 'X: y'))),
  ...each(
    'length',
    {
      twice: '5\r\nContent-Length: 5',
      'two different': '5\r\nContent-Length: 6',
      'a list': '5, 5',
      'a list of different': '5, 6',
      signed: '+5',
      negative: '-5',
      hexadecimal: '0x5',
      fraction: '5.0',
      empty: '',
      'with a space': '5 5',
      'with a tab before': '\t5',
      'with spaces around': ' 5 ',
      'leading zeros': '0005',
      'in quotes': '"5"',
      'beyond 2^53': '99999999999999999',
      'beyond 2^64': '99999999999999999999999',
      'of other digits': '\xb2',
    },
    (value) => made(START, [`Content-Length: ${value}`], BODY),
  ),
  flaw('length: and chunked', () => made(START, [LENGTH, CHUNKED], '5\r\nhello\r\n0\r\n\r\n')),
  flaw('length: after chunked', () => made(START, [CHUNKED, LENGTH], '5\r\nhello\r\n0\r\n\r\n')),
  ...each(
    'coding',
    {
      twice: 'chunked\r\nTransfer-Encoding: chunked',
      'chunked, chunked': 'chunked, chunked',
      'gzip, chunked': 'gzip, chunked',
      'gzip, then chunked': 'gzip\r\nTransfer-Encoding: chunked',
      'chunked, gzip': 'chunked, gzip',
      gzip: 'gzip',
      identity: 'identity',
      'identity, chunked': 'identity, chunked',
      empty: '',
      'with a parameter': 'chunked;q=1',
      'with a comma behind': 'chunked,',
      'with a comma before': ',chunked',
      'in quotes': '"chunked"',
      'with a letter more': 'xchunked',
      'with a letter behind': 'chunkedx',
      'with a control': '\x0bchunked',
      'with a tab': '\tchunked\t',
    },
    (value) => made(START, [`Transfer-Encoding: ${value}`], '5\r\nhello\r\n0\r\n\r\n'),
  ),
  flaw('coding: a space before its colon', () =>
    made(START, ['Transfer-Encoding : chunked', LENGTH], BODY),
  ),
  ...each(
    'chunk',
    {
      'a size that is none': 'g\r\nhello\r\n0\r\n\r\n',
      'no size': '\r\nhello\r\n0\r\n\r\n',
      'a size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
      'a signed size': '+5\r\nhello\r\n0\r\n\r\n',
      'a negative size': '-5\r\nhello\r\n0\r\n\r\n',
      'a space before its size': ' 5\r\nhello\r\n0\r\n\r\n',
      'a space behind its size': '5 \r\nhello\r\n0\r\n\r\n',
      'a tab behind its size': '5\t\r\nhello\r\n0\r\n\r\n',
      'a space before an extension': '5 ;a\r\nhello\r\n0\r\n\r\n',
      'a space behind the semicolon': '5; a=b\r\nhello\r\n0\r\n\r\n',
      'an extension of nothing': '5;\r\nhello\r\n0\r\n\r\n',
      'a value of nothing': '5;a=\r\nhello\r\n0\r\n\r\n',
      'an open quote': '5;a="b\r\nhello\r\n0\r\n\r\n',
      'a LF in an extension': '5;a\nb\r\nhello\r\n0\r\n\r\n',
      'a CR in an extension': '5;a\rb\r\nhello\r\n0\r\n\r\n',
      'a NUL in an extension': '5;a\0\r\nhello\r\n0\r\n\r\n',
      'a bare LF behind its size': '5\nhello\r\n0\r\n\r\n',
      'a bare CR behind its size': '5\rhello\r\n0\r\n\r\n',
      'a bare LF behind its data': '5\r\nhello\n0\r\n\r\n',
      'longer than its size': '4\r\nhello\r\n0\r\n\r\n',
      'no end': '5\r\nhello0\r\n\r\n',
      'a size of 17 digits': `${'0'.repeat(16)}5\r\nhello\r\n0\r\n\r\n`,
      'a size beyond 2^64': 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
      'a size beyond 2^53': '40000000000000\r\nhello\r\n0\r\n\r\n',
      'a long extension': `5;${'a'.repeat(1100)}\r\nhello\r\n0\r\n\r\n`,
      'a very long extension': `5;${'a'.repeat(17_000)}\r\nhello\r\n0\r\n\r\n`,
      'a bare LF at the end': '5\r\nhello\r\n0\r\n\n',
    },
    withChunks,
  ),
  ...each(
    'trailer',
    {
      'Content-Length': 'Content-Length: 5',
      'Transfer-Encoding': 'Transfer-Encoding: chunked',
      Host: 'Host: test',
      'without a colon': 'X',
      'a space before its colon': 'X : y',
      folded: 'X: a\r\n b',
      'NUL in its value': 'X: \0',
      'a bare LF': 'X: y\nZ: z',
      'a bare CR': 'X: y\rZ: z',
      long: `X: ${'y'.repeat(9000)}`,
      'very long': `X: ${'y'.repeat(17_000)}`,
      many: Array.from({ length: 65 }, () => 'X: y').join('\r\n'),
    },
    (line) => withChunks(`5\r\nhello\r\n0\r\n${line}\r\n\r\n`),
  ),
  ...each(
    'expectation',
    {
      another: 'a-wonder',
      empty: '',
      'and another': '100-continue, a-wonder',
      capital: '100-Continue',
    },
    (value) => withFields(`Expect: ${value}`),
  ),
  ...each(
    'connection',
    { close: 'close', 'Close, X': 'Close, X', upgrade: 'upgrade\r\nUpgrade: h2c', odd: ',,;"' },
    (value) => withFields(`Connection: ${value}`),
  ),
  flaw('protocol: TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'),
  flaw('protocol: HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
];
