import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { METHOD_CONNECT, METHOD_GET, METHOD_OPTIONS, METHOD_OTHER } from './method.ts';
import {
  EMPTY_LINES_MAX,
  PARSE_COMPLETE,
  PARSE_INCOMPLETE,
  PARSER_STATE_WORDS,
  RequestParser,
} from './request-parser.ts';

const LIMITS = { requestLineSizeMax: 256, headSizeMax: 1024, fieldCountMax: 16 };
const HOST = 'Host: a\r\n';

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

function parserOf(text: string, limits = LIMITS): { parser: RequestParser; result: number } {
  const parser = new RequestParser(limits);
  parser.begin();
  return { parser, result: parser.parse(latin1(text), 0, text.length) };
}

const resultOf = (text: string, limits = LIMITS): number => parserOf(text, limits).result;
/** What a request with these field lines, after its Host, is answered. */
const fields = (lines: string): number => resultOf(`GET / HTTP/1.1\r\n${HOST}${lines}\r\n`);
const target = (text: string, method = 'GET'): number =>
  resultOf(`${method} ${text} HTTP/1.1\r\n${HOST}\r\n`);

function rejects(status: number, run: (text: string) => number, texts: readonly string[]): void {
  for (const text of texts) equal(run(text), status, JSON.stringify(text));
}
const accepts = (run: (text: string) => number, texts: readonly string[]): void =>
  rejects(PARSE_COMPLETE, run, texts);

function pathOf(text: string): string {
  const { parser, result } = parserOf(text);
  equal(result, PARSE_COMPLETE);
  return text.slice(parser.pathOffset, parser.pathOffset + parser.pathSize);
}

test('a head is cut into method, target, path and version: RFC 9112 3', () => {
  const text = 'GET /a/b?c=d HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nrest';
  const { parser, result } = parserOf(text);
  equal(result, PARSE_COMPLETE);
  equal(parser.size, text.length - 4);
  equal(parser.method, METHOD_GET);
  deepEqual([parser.methodOffset, parser.methodSize], [0, 3]);
  deepEqual([parser.targetOffset, parser.targetSize], [4, 8]);
  deepEqual([parser.pathOffset, parser.pathSize], [4, 4]);
  equal(parser.fieldsOffset, text.indexOf('Host'));
  equal(parser.version, 11);
  equal(parser.keepAlive, true);
  equal(parser.contentLength, 0);
  equal(parser.chunked, false);
});

test('offsets are relative to where the head begins', () => {
  const parser = new RequestParser(LIMITS);
  parser.begin();
  const bytes = latin1('-------GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  equal(parser.parse(bytes, 7, bytes.length), PARSE_COMPLETE);
  deepEqual([parser.methodOffset, parser.targetOffset, parser.pathOffset], [0, 4, 4]);
  equal(parser.size, bytes.length - 7);
});

test('the request line has single spaces and a CRLF: RFC 9112 3', () => {
  rejects(400, resultOf, [
    'GET  / HTTP/1.1\r\n',
    'GET /  HTTP/1.1\r\n',
    ' GET / HTTP/1.1\r\n',
    'GET / HTTP/1.1 \r\n',
    'GET\t/ HTTP/1.1\r\n',
    'GET /\tHTTP/1.1\r\n',
    'GET / HTTP/1.1\n',
    'GET / HTTP/1.1\rH',
    'GET /\r\n\r\n',
    'GET\r\n',
    'GET / HTTP/1.1\r\r\n',
  ]);
});

test('a method is a token and case-sensitive: RFC 9110 9.1', () => {
  rejects(400, resultOf, ['G(T / HTTP/1.1\r\n', 'G\0T / HTTP/1.1\r\n', 'G\xc9T / HTTP/1.1\r\n']);
  for (const method of ['get', "!#$%&'*+-.^_`|~09azAZ", 'PROPFIND', 'GETS']) {
    const { parser, result } = parserOf(`${method} / HTTP/1.1\r\n${HOST}\r\n`);
    equal(result, PARSE_COMPLETE);
    equal(parser.method, METHOD_OTHER);
    equal(parser.methodSize, method.length);
  }
});

test('a target is visible ASCII without a fragment: RFC 9112 3.2', () => {
  rejects(400, target, [
    '',
    '/\0',
    '/\x7f',
    '/\x01',
    '/\xe9',
    '/a#b',
    '/?a#b',
    '/?\0',
    'a',
    '?',
    '//'.slice(2),
  ]);
  accepts(target, ['/', '//', '/?', '/??', '/%00', '/a/../b', '/"<>\\^`{|}']);
});

test('absolute-form has its path behind its authority: RFC 9112 3.2.2', () => {
  equal(pathOf(`GET http://a/b?c=/d HTTP/1.1\r\n${HOST}\r\n`), '/b');
  equal(pathOf(`GET HTTPS://a.b:443/b/c HTTP/1.1\r\n${HOST}\r\n`), '/b/c');
  equal(pathOf(`GET http://[::1]:80/b HTTP/1.1\r\n${HOST}\r\n`), '/b');
  rejects(400, target, [
    'http:/a/b',
    'http:a',
    'ftp://a/b',
    'https//a/',
    'http',
    'http://',
    'https:',
  ]);
});

test('absolute-form without a path has the path "/": RFC 9112 3.2.1', () => {
  for (const text of ['http://a', 'http://a?b=/c', 'https://a:1', 'https://a?'])
    equal(pathOf(`GET ${text} HTTP/1.1\r\n${HOST}\r\n`), '/', text);
});

test('absolute-form has a host and no user: RFC 9110 4.2.1, 4.2.4', () => {
  rejects(400, target, ['http:///a', 'http://:80/a', 'http://?a', 'http://u@a/', 'http://u:p@a/']);
  rejects(400, target, [
    'http://a:b/',
    'http://[::1/',
    'http://a%2/',
    'http://a%zz/',
    'http://[]/',
  ]);
});

test('asterisk-form only comes with OPTIONS: RFC 9112 3.2.4', () => {
  const { parser, result } = parserOf(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`);
  equal(result, PARSE_COMPLETE);
  equal(parser.method, METHOD_OPTIONS);
  equal(parser.pathSize, 1);
  equal(target('*'), 400);
  equal(target('*a', 'OPTIONS'), 400);
  equal(target('*?a', 'OPTIONS'), 400);
});

test('authority-form comes with CONNECT, and CONNECT with it: RFC 9112 3.2.3', () => {
  const connect = (text: string): number => target(text, 'CONNECT');
  const { parser } = parserOf(`CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`);
  equal(parser.method, METHOD_CONNECT);
  deepEqual([parser.pathOffset, parser.pathSize], [8, 3]);
  accepts(connect, ['a.b:443', '[::1]:443']);
  rejects(400, connect, ['/', '*', 'a', 'a:', ':1', 'a:b', 'http://a/', 'a:1?b', 'a:1/']);
  rejects(400, target, ['a:1', 'a.b:443']);
});

test('the version is HTTP/d.d: malformed is 400, another one 505: RFC 9112 2.3', () => {
  const version = (text: string): number => resultOf(`GET / ${text}\r\n${HOST}\r\n`);
  accepts(version, ['HTTP/1.0', 'HTTP/1.1']);
  rejects(505, version, ['HTTP/0.9', 'HTTP/1.2', 'HTTP/1.9', 'HTTP/2.0', 'HTTP/9.9']);
  rejects(400, version, ['HTTP/1', 'HTTP/1.', 'HTTP/1.10', 'HTTP/11.1', 'http/1.1', 'HTTP/a.1']);
  rejects(400, version, ['HTTP 1.1', 'HTTP/1,1', 'HTP/1.1', 'X', '', 'HTTP/1.1x', 'ICE/1.0']);
  equal(resultOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 505);
});

test('few empty lines before the request line are skipped: RFC 9112 2.2', () => {
  const request = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  const { parser, result } = parserOf('\r\n'.repeat(EMPTY_LINES_MAX) + request);
  equal(result, PARSE_COMPLETE);
  equal(parser.methodOffset, 2 * EMPTY_LINES_MAX);
  equal(parser.size, 2 * EMPTY_LINES_MAX + request.length);
  rejects(400, resultOf, ['\r\n'.repeat(EMPTY_LINES_MAX + 1), `\n${request}`, `\r${request}`]);
});

test('a field line is a token, a colon at once, text, CRLF: RFC 9112 5, 5.1', () => {
  accepts(fields, [
    'X:\r\n',
    'X: \t \r\n',
    'X:y\r\n',
    'X: y z\t\r\n',
    'X: \x80\xff\r\n',
    "!#$'|~: y\r\n",
  ]);
  rejects(400, fields, ['X : y\r\n', 'X\t: y\r\n', ': y\r\n', 'X\r\n', 'X y\r\n', 'X(: y\r\n']);
  rejects(400, fields, ['\xe9: y\r\n', 'X\0: y\r\n', '@: y\r\n']);
});

test('a line is never folded: RFC 9112 5.2', () => {
  rejects(400, fields, ['X: y\r\n z\r\n', 'X: y\r\n\tz\r\n', ' X: y\r\n']);
  equal(resultOf(`GET / HTTP/1.1\r\n ${HOST}\r\n`), 400);
});

test('no bare CR, bare LF, NUL or other control stands in a value: RFC 9110 5.5', () => {
  for (let byte = 0; byte < 0x100; byte++) {
    const control = (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
    const expected = control ? 400 : PARSE_COMPLETE;
    equal(fields(`X: a${String.fromCharCode(byte)}b\r\n`), expected, `byte ${byte}`);
  }
  rejects(400, fields, ['X: y\n', 'X: y\r', 'X: y\r\r\n']);
  rejects(400, resultOf, [`GET / HTTP/1.1\r\n${HOST}\n`, `GET / HTTP/1.1\r\n${HOST}\rX`]);
});

test('HTTP/1.1 has exactly one Host, HTTP/1.0 at most one: RFC 9112 3.2', () => {
  rejects(400, resultOf, ['GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHosts: a\r\n\r\n']);
  accepts(resultOf, ['GET / HTTP/1.0\r\n\r\n', `GET / HTTP/1.0\r\n${HOST}\r\n`]);
  equal(fields('hOST: a\r\n'), 400);
  equal(resultOf(`GET / HTTP/1.0\r\n${HOST}${HOST}\r\n`), 400);
});

test('a Host is host[:port]: RFC 9110 7.2', () => {
  const host = (value: string): number => resultOf(`GET / HTTP/1.1\r\nHost:${value}\r\n\r\n`);
  accepts(host, ['', ' a.b-c_d~', ' 127.0.0.1:9000 \t', ' [::1]:80', ' [::1]', ' a:', ' a%20b']);
  rejects(400, host, [
    ' a b',
    ' a/b',
    ' a@b',
    ' a:b',
    ' a:1:2',
    ' [::1',
    ' ::1',
    ' []',
    ' a%2',
    ' \xe9',
  ]);
  rejects(400, host, [' a, b'.replace(',', ' '), ' a?b', ' a#b', ' [::1]a', ' [g]', ' a"']);
});

test('a connection persists in HTTP/1.1, and in 1.0 when asked: RFC 9112 9.3', () => {
  const keepAlive = (version: string, lines: string): boolean => {
    const { parser, result } = parserOf(`GET / HTTP/${version}\r\n${HOST}${lines}\r\n`);
    equal(result, PARSE_COMPLETE);
    return parser.keepAlive;
  };
  equal(keepAlive('1.1', ''), true);
  equal(keepAlive('1.0', ''), false);
  for (const version of ['1.0', '1.1']) {
    equal(keepAlive(version, 'Connection: Keep-Alive\r\n'), true);
    equal(keepAlive(version, 'CONNECTION: x ,,\tkeep-alive ,\r\n'), true);
    equal(keepAlive(version, 'connection: close\r\n'), false);
    equal(keepAlive(version, 'Connection: keep-alive, CLOSE\r\n'), false);
    equal(keepAlive(version, 'Connection: close\r\nConnection: keep-alive\r\n'), false);
  }
  equal(keepAlive('1.1', 'Connection: closed, clos, not-close, "close"\r\n'), true);
});

test('a connection may be upgraded in HTTP/1.1, when it goes on: RFC 9110 7.8', () => {
  const upgrades = (version: string, lines: string): boolean => {
    const { parser, result } = parserOf(`GET / HTTP/${version}\r\n${HOST}${lines}\r\n`);
    equal(result, PARSE_COMPLETE);
    return parser.upgrades;
  };
  equal(upgrades('1.1', 'Connection: Upgrade\r\n'), true);
  equal(upgrades('1.1', 'Connection: keep-alive\r\nConnection: x, UPGRADE ,\r\n'), true);
  // With every other bit that a head may have.
  const body = 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n';
  equal(upgrades('1.1', `Connection: upgrade\r\n${body}`), true);
  for (const lines of ['', body, 'Upgrade: x\r\n', 'Connection: upgrades, "upgrade"\r\n']) {
    equal(upgrades('1.1', lines), false, lines);
  }
  equal(upgrades('1.1', 'Connection: upgrade, close\r\n'), false);
  equal(upgrades('1.1', 'Connection: close\r\nConnection: upgrade\r\n'), false);
  equal(upgrades('1.0', 'Connection: upgrade, keep-alive\r\n'), false);
});

test('a Content-Length is one number, once: RFC 9110 8.6, RFC 9112 6.3', () => {
  const length = (value: string): number => fields(`Content-Length:${value}\r\n`);
  accepts(length, [' 0', '0', ' 000 \t']);
  rejects(400, length, [
    '',
    ' ',
    ' -1',
    ' +1',
    ' 1 1',
    ' 0x1',
    ' 1, 1',
    ' 0,0',
    ' 1a',
    ' \xb2',
    ' 1.0',
  ]);
  rejects(400, fields, ['Content-Length: 0\r\nContent-Length: 0\r\n']);
  accepts(length, [' 1', ' 2147483648', ' 9007199254740991']);
  rejects(413, length, [' 9007199254740992', ` ${'9'.repeat(40)}`]);
});

test('a length is exact up to 2^53 - 1, over pieces too: RFC 9110 8.6', () => {
  for (const value of ['12', '2147483648', '4294967295', '8589934597', '9007199254740991']) {
    const text = `GET / HTTP/1.1\r\n${HOST}Content-Length: ${value}\r\n\r\n`;
    const { parser } = parserOf(text);
    equal(parser.contentLength, Number(value));
    equal(parser.hasBody, true);
    deepEqual(inPieces(text, [text.length - 1]), outcome(parser, PARSE_COMPLETE));
  }
});

test('a Transfer-Encoding ends in chunked, once, and comes alone: RFC 9112 6.1', () => {
  const coding = (value: string): number => fields(`Transfer-Encoding:${value}\r\n`);
  accepts(coding, [' chunked', ' Chunked\t']);
  rejects(501, coding, [' gzip, chunked', ' gzip , x,chunked']);
  rejects(400, coding, [
    ' gzip',
    '',
    ' identity',
    ' chunked, gzip',
    ' chunked, chunked',
    ' xchunked',
  ]);
  rejects(400, coding, [
    ' chunked;a=b',
    ',chunked',
    ' chunked,',
    ' "chunked"',
    ' chunke d',
    ' \xa0chunked',
  ]);
  const chunked = 'Transfer-Encoding: chunked\r\n';
  rejects(400, fields, [chunked + chunked, `${chunked}Content-Length: 0\r\n`]);
  rejects(400, fields, [`Content-Length: 1\r\n${chunked}`, `${chunked}Transfer-Encoding: x\r\n`]);
  equal(fields(`Transfer-Encoding: x\r\n${chunked}`), 501);
  equal(resultOf(`GET / HTTP/1.0\r\n${HOST}${chunked}\r\n`), 400);
});

test('a body follows exactly when its head says so: RFC 9112 6.3', () => {
  const body = (lines: string): readonly [boolean, boolean, number] => {
    const { parser, result } = parserOf(`POST / HTTP/1.1\r\n${HOST}${lines}\r\n`);
    equal(result, PARSE_COMPLETE);
    return [parser.hasBody, parser.chunked, parser.contentLength];
  };
  deepEqual(body(''), [false, false, 0]);
  deepEqual(body('Content-Length: 0\r\n'), [false, false, 0]);
  deepEqual(body('Content-Length: 5\r\n'), [true, false, 5]);
  deepEqual(body('Transfer-Encoding: chunked\r\n'), [true, true, 0]);
});

test('an error of the lines comes before one of the body: RFC 9112 6.3, RFC 9110 15.5.14', () => {
  const large = `Content-Length: ${2 ** 53}\r\n`;
  equal(fields(`${large}X: y\r\n`), 413);
  equal(fields(`${large}X : y\r\n`), 400);
  equal(resultOf(`POST / HTTP/1.1\r\n${large}\r\n`), 400);
  equal(resultOf(`POST / HTTP/1.1\r\n${HOST}${large}`), PARSE_INCOMPLETE);
});

test('a client may wait for a 100 in HTTP/1.1 and not in 1.0: RFC 9110 10.1.1', () => {
  const expects = (version: string, lines: string): boolean => {
    const { parser, result } = parserOf(`POST / HTTP/${version}\r\n${HOST}${lines}\r\n`);
    equal(result, PARSE_COMPLETE, lines);
    return parser.expectsContinue;
  };
  for (const lines of [
    'Expect: 100-continue\r\n',
    'EXPECT:100-Continue\t\r\n',
    'Expect: ,100-continue, \r\nContent-Length: 5\r\n',
    'Expect:\r\nExpect: 100-continue, 100-continue\r\n',
  ]) {
    equal(expects('1.1', lines), true, lines);
    equal(expects('1.0', lines), false, lines);
  }
  for (const lines of ['', 'Expect:\r\n', 'Expect: ,,\r\n', 'Expects: 100-continue\r\n'])
    equal(expects('1.1', lines), false, lines);
});

test('any other expectation is 417: RFC 9110 10.1.1', () => {
  rejects(417, fields, [
    'Expect: 200-ok\r\n',
    'Expect: x 100-continue\r\n',
    'Expect: 100-continue, x\r\n',
    'Expect: 100-continue\r\nExpect: x=y\r\n',
    'Expect: 100-continue;a=b\r\n',
    'Expect: "100-continue"\r\n',
  ]);
  equal(resultOf('POST / HTTP/1.0\r\nExpect: x\r\n\r\n'), 417);
  equal(fields('Expect: x\r\nTransfer-Encoding: gzip\r\n'), 400);
  equal(fields('Expect: x\r\nX : y\r\n'), 400);
});

test('a request line over its limit is 414, complete or not: RFC 9112 3', () => {
  const limits = { ...LIMITS, requestLineSizeMax: 32 };
  const line = (size: number): string => `GET /${'a'.repeat(size - 16)} HTTP/1.1\r\n`;
  equal(line(32).length, 32);
  equal(resultOf(line(32) + HOST, limits), PARSE_INCOMPLETE);
  equal(resultOf(`${line(32)}${HOST}\r\n`, limits), PARSE_COMPLETE);
  equal(resultOf(`${line(33)}${HOST}\r\n`, limits), 414);
  equal(resultOf(line(33).slice(0, 31), limits), PARSE_INCOMPLETE);
  equal(resultOf(line(33).slice(0, 32), limits), 414);
  equal(resultOf('A'.repeat(32), limits), 414);
  equal(resultOf(`G(T /${'a'.repeat(64)}`, limits), 400);
  equal(resultOf(`\r\n\r\n${line(32)}${HOST}\r\n`, limits), PARSE_COMPLETE);
});

test('a head over its limit is 431, complete or not: RFC 6585 5', () => {
  const limits = { ...LIMITS, requestLineSizeMax: 32, headSizeMax: 64 };
  const head = (size: number): string =>
    `GET / HTTP/1.1\r\n${HOST}X: ${'y'.repeat(size - 32)}\r\n\r\n`;
  equal(head(64).length, 64);
  equal(resultOf(head(64), limits), PARSE_COMPLETE);
  equal(resultOf(head(65), limits), 431);
  equal(resultOf(head(64).slice(0, 63), limits), PARSE_INCOMPLETE);
  equal(resultOf(head(65).slice(0, 64), limits), 431);
  equal(resultOf(head(66).slice(0, 64), limits), 431);
  equal(resultOf(head(90).slice(0, 64), limits), 431);
});

test('fields over their limit are 431: RFC 6585 5', () => {
  const limits = { ...LIMITS, fieldCountMax: 3 };
  const head = (count: number): string =>
    `GET / HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(count - 1)}`;
  equal(resultOf(`${head(3)}\r\n`, limits), PARSE_COMPLETE);
  equal(resultOf(head(3), limits), PARSE_INCOMPLETE);
  equal(resultOf(`${head(3)}Z`, limits), 431);
  equal(resultOf(`${head(4)}\r\n`, limits), 431);
});

test('the first error of the stream wins', () => {
  const limits = { requestLineSizeMax: 32, headSizeMax: 64, fieldCountMax: 2 };
  const long = `X: ${'y'.repeat(80)}\r\n`;
  equal(resultOf(`GET / HTTP/3.0\r\nX : y\r\n\r\n`, limits), 505);
  equal(resultOf(`GET / HTTP/1.1\r\nX : y\r\n${long}`, limits), 400);
  equal(resultOf(`GET / HTTP/1.1\r\n${long}X : y\r\n`, limits), 431);
  equal(resultOf(`GET / HTTP/1.1\r\nA: b\r\nC: d\r\nX : y\r\n`, limits), 431);
});

/** All that a parser says about a head. */
function outcome(parser: RequestParser, result: number): object {
  if (result !== PARSE_COMPLETE) return { result };
  const { heads: _, ...results } = parser;
  return { result, ...results };
}

const SAMPLES = [
  `GET /test/fast HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n`,
  `\r\n\r\nGET http://a?b HTTP/1.1\r\nhost: a\r\nConnection: x\r\nConnection: close\r\n\r\n`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n`,
  `POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 8589934597\r\n\r\n`,
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8589934597\r\nX: y\r\n\r\n`,
  `CONNECT a:1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  `POST /${'p'.repeat(60)}?q HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
  `GET / HTTP/1.1\r\nX: y\r\n\r\n`,
  `GET /\r\n\r\n`,
  `GET / X\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n`,
  `GET / HTTP/2.0\r\n\r\n`,
  `\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
  `GET /${'p'.repeat(300)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /${'p'.repeat(240)}\0${'p'.repeat(300)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(1100)}\r\n\r\n`,
  `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(20)}\r\n`,
];

/** Parses `text` in pieces; its bytes move, and another head is parsed, between the pieces. */
function inPieces(text: string, cuts: readonly number[]): object {
  const parser = new RequestParser(LIMITS);
  const words = new Int32Array(PARSER_STATE_WORDS + 3);
  const other = latin1('HEAD /other?x HTTP/1.0\r\nConnection: close\r\nHost: o\r\n');
  const memory = new Uint8Array(text.length + 64);
  parser.begin();
  parser.save(words, 3);
  for (const [index, cut] of [...cuts, text.length].entries()) {
    const start = (index * 7) % 64;
    memory.fill(0);
    memory.set(latin1(text.slice(0, cut)), start);
    parser.restore(words, 3);
    const result = parser.parse(memory, start, start + cut);
    if (result !== PARSE_INCOMPLETE) return outcome(parser, result);
    parser.save(words, 3);
    parser.begin();
    equal(parser.parse(other, 0, other.length), PARSE_INCOMPLETE);
  }
  return { result: PARSE_INCOMPLETE };
}

test('a head cut at any point, and moved, has the outcome of the whole', () => {
  for (const text of SAMPLES) {
    const { parser, result } = parserOf(text);
    const whole = outcome(parser, result);
    for (let cut = 0; cut < text.length; cut++)
      deepEqual(inPieces(text, [cut]), whole, `${JSON.stringify(text)} cut at ${cut}`);
  }
});

test('a head that comes byte by byte has the outcome of the whole', () => {
  for (const text of SAMPLES) {
    const { parser, result } = parserOf(text);
    const cuts = Array.from(text, (_, index) => index);
    deepEqual(inPieces(text, cuts), outcome(parser, result), JSON.stringify(text));
  }
});

/** How many bytes were taken, one at a time, before the head was rejected, and with what. */
function rejectedAt(text: string, limits: typeof LIMITS): readonly number[] {
  const parser = new RequestParser(limits);
  const bytes = latin1(text);
  parser.begin();
  for (let end = 1; end <= bytes.length; end++) {
    const result = parser.parse(bytes, 0, end);
    if (result !== PARSE_INCOMPLETE) return [result, end];
  }
  return [PARSE_INCOMPLETE, bytes.length];
}

test('a head that comes byte by byte is rejected at its limit, not at the end of its line', () => {
  const limits = { requestLineSizeMax: 32, headSizeMax: 64, fieldCountMax: 16 };
  const long = 'a'.repeat(100);
  deepEqual(rejectedAt(`GET /${long}`, limits), [414, 32]);
  deepEqual(rejectedAt(`\r\n\r\nGET /${long}`, limits), [414, 36]);
  deepEqual(rejectedAt(`GET / HTTP/1.1\r\nX: ${long}`, limits), [431, 64]);
  deepEqual(rejectedAt(`GET / HTTP/1.1\r\n${long}`, limits), [431, 64]);
});

test('a byte that no line holds, a bare CR too, is rejected as soon as it is known', () => {
  const head = 'GET / HTTP/1.1\r\nX: y';
  for (const byte of ['\n', '\0', '\x7f'])
    deepEqual(rejectedAt(`${head}${byte}zzzz`, LIMITS), [400, head.length + 1]);
  deepEqual(rejectedAt(`${head}\rzzzz`, LIMITS), [400, head.length + 2]);
  deepEqual(rejectedAt('GET / HTTP/1.1\rzzzz', LIMITS), [400, 16]);
  deepEqual(rejectedAt('GET /\rzzzz', LIMITS), [400, 6]);
});

test('an incomplete head is incomplete at each of its bytes', () => {
  const text = SAMPLES[0]!;
  for (let end = 0; end < text.length; end++)
    equal(resultOf(text.slice(0, end)), PARSE_INCOMPLETE, `${end} bytes`);
});

test('a line that comes byte by byte is not read again and again', () => {
  let reads = 0;
  const size = 2000;
  const bytes = latin1(`GET /${'a'.repeat(size)}`);
  const counted = new Proxy(bytes, {
    get(of, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
      return Reflect.get(of, key, of);
    },
  });
  const parser = new RequestParser({ ...LIMITS, requestLineSizeMax: 4096, headSizeMax: 8192 });
  parser.begin();
  for (let end = 1; end <= bytes.length; end++)
    equal(parser.parse(counted, 0, end), PARSE_INCOMPLETE);
  equal(reads < 6 * size, true, `${reads} reads`);
});

test('pipelined heads: each begins where the one before it ended: RFC 9112 9.3.2', () => {
  const heads = [SAMPLES[0]!, SAMPLES[2]!, SAMPLES[0]!];
  const bytes = latin1(heads.join(''));
  const parser = new RequestParser(LIMITS);
  let start = 0;
  for (const head of heads) {
    parser.begin();
    equal(parser.parse(bytes, start, bytes.length), PARSE_COMPLETE);
    equal(parser.size, head.length);
    start += parser.size;
  }
  parser.begin();
  equal(parser.parse(bytes, start, bytes.length), PARSE_INCOMPLETE);
});

test('begin forgets everything about the head before', () => {
  const parser = new RequestParser(LIMITS);
  for (const text of [SAMPLES[4]!, SAMPLES[1]!, SAMPLES[0]!, SAMPLES[3]!, SAMPLES[0]!]) {
    parser.begin();
    equal(parser.method, METHOD_OTHER);
    const result = parser.parse(latin1(text), 0, text.length);
    const whole = parserOf(text);
    deepEqual(outcome(parser, result), outcome(whole.parser, whole.result));
  }
});

test('what repeats the last head is read as it was, whatever came before and between', () => {
  const parser = new RequestParser(LIMITS);
  const wholes = SAMPLES.map((text) => parserOf(text));
  const read = (index: number, label: string): void => {
    const text = SAMPLES[index]!;
    const whole = wholes[index]!;
    parser.begin();
    // Elsewhere in other memory, with other bytes around it.
    const bytes = latin1(`${'x'.repeat(index)}${text}GET`);
    const result = parser.parse(
      bytes,
      index,
      whole.result === 0 ? bytes.length : text.length + index,
    );
    deepEqual(outcome(parser, result), outcome(whole.parser, whole.result), label);
  };
  for (const a of SAMPLES.keys()) {
    for (const b of SAMPLES.keys())
      for (const index of [a, a, a, b, a, a]) read(index, `${a} ${b}`);
  }
});

test('a head that arrives in pieces is not taken for a repetition', () => {
  const parser = new RequestParser(LIMITS);
  const words = new Int32Array(PARSER_STATE_WORDS);
  const text = SAMPLES[0]!;
  const bytes = latin1(text);
  parser.parse(latin1(SAMPLES[1]!), 0, SAMPLES[1]!.length);
  parser.begin();
  equal(parser.parse(bytes, 0, 3), PARSE_INCOMPLETE);
  // With what an earlier head left behind.
  parser.save(words, 0);
  for (let time = 0; time < 3; time++) {
    parser.begin();
    equal(parser.parse(bytes, 0, bytes.length), PARSE_COMPLETE);
  }
  parser.restore(words, 0);
  const result = parser.parse(bytes, 0, bytes.length);
  const whole = parserOf(text);
  deepEqual(outcome(parser, result), outcome(whole.parser, whole.result));
});

test('a head counts unless it repeats the last one', () => {
  const parser = new RequestParser(LIMITS);
  const [a, b] = [latin1(SAMPLES[0]!), latin1(SAMPLES[0]!.replace('fast', 'last'))];
  const count = (bytes: Uint8Array): number => {
    parser.begin();
    equal(parser.parse(bytes, 0, bytes.length), PARSE_COMPLETE);
    return parser.heads;
  };
  // The second is kept, because it is as long as the first.
  deepEqual([a, a, a, b, b, a, a].map(count), [1, 2, 2, 3, 3, 4, 4]);
  // A head that arrives in pieces is another one, and so is what follows it.
  const half = a.length >> 1;
  const words = new Int32Array(PARSER_STATE_WORDS);
  parser.begin();
  equal(parser.parse(a, 0, half), PARSE_INCOMPLETE);
  parser.save(words, 0);
  equal(count(b), 5);
  parser.restore(words, 0);
  equal(parser.parse(a, 0, a.length), PARSE_COMPLETE);
  equal(parser.heads, 6);
  deepEqual([a, b].map(count), [6, 7]);
});

test('misuse is asserted: no begin, a head that shrinks, no space, limits that contradict', () => {
  const { parser } = parserOf(SAMPLES[0]!);
  throws(() => parser.parse(new Uint8Array(1), 0, 1), /begin\(\) comes before/);
  throws(() => parser.save(new Int32Array(16), 0), /only an incomplete head/);
  parser.begin();
  throws(() => parser.parse(new Uint8Array(1), 0, 2), /within the buffer/);
  throws(() => parser.save(new Int32Array(PARSER_STATE_WORDS), 1), /state fits/);
  parser.parse(latin1('GET /'), 0, 5);
  throws(() => parser.parse(latin1('GET /'), 0, 3), /never shrinks/);
  throws(() => new RequestParser({ ...LIMITS, headSizeMax: 8 }), /hold its request line/);
});
