import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { DateField } from './date-field.ts';
import {
  CHUNK_END_SIZE,
  CHUNK_HEAD_SIZE_MAX,
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  CONTENT_TYPE_SIZE_MAX,
  LAST_CHUNK_SIZE,
  LENGTH_CHUNKED,
  LENGTH_UNKNOWN,
  LENGTH_UNTIL_CLOSE,
  RESPONSE_FIELDS_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
  ResponseWriter,
  TEXT_PLAIN,
} from './response-writer.ts';
import { hasContent, reasonPhrase, STATUS_CODES } from './status.ts';

const AT = 5;
const DATE = 'Date: Mon, 23 Nov 2026 06:12:00 GMT\r\n';
const SPACE = 1024;

type Write = (writer: ResponseWriter) => number;

/** What `write` wrote at AT; the bytes around it must be untouched. */
function written(write: Write): string {
  const bytes = new Uint8Array(SPACE).fill(0x2a);
  const date = new DateField();
  date.set(1_795_414_320);
  const end = write(new ResponseWriter(bytes, date));
  equal(
    bytes.subarray(0, AT).every((byte) => byte === 0x2a),
    true,
  );
  equal(
    bytes.subarray(end).every((byte) => byte === 0x2a),
    true,
  );
  return Buffer.from(bytes.subarray(AT, end)).toString('latin1');
}

test('an empty 200 is one template', () => {
  equal(
    written((writer) => writer.empty(AT, 200, CONNECTION_DEFAULT)),
    `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 0\r\n\r\n`,
  );
});

test('the template follows the date', () => {
  const bytes = new Uint8Array(SPACE);
  const date = new DateField();
  const writer = new ResponseWriter(bytes, date);
  for (const second of [0, 1_795_414_319, 1_795_414_320]) {
    date.set(second);
    const end = writer.empty(0, 200, CONNECTION_DEFAULT);
    const dateText = Buffer.from(date.bytes).toString('latin1');
    equal(
      Buffer.from(bytes.subarray(0, end)).toString('latin1'),
      `HTTP/1.1 200 OK\r\n${dateText}Content-Length: 0\r\n\r\n`,
    );
  }
});

test('the connection is named when it is not the default: RFC 9112 9.3', () => {
  equal(
    written((writer) => writer.empty(AT, 200, CONNECTION_CLOSE)),
    `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  equal(
    written((writer) => writer.empty(AT, 202, CONNECTION_KEEP_ALIVE)),
    `HTTP/1.1 202 Accepted\r\n${DATE}Connection: keep-alive\r\nContent-Length: 0\r\n\r\n`,
  );
});

test('every status has its line', () => {
  for (const status of STATUS_CODES) {
    const text = written((writer) => writer.empty(AT, status, CONNECTION_DEFAULT));
    equal(text.startsWith(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${DATE}`), true);
    equal(text.endsWith('\r\n\r\n'), true);
  }
});

test('a status that is not registered has an empty phrase, behind its space: RFC 9112 4', () => {
  equal(
    written((writer) => writer.empty(AT, 299, CONNECTION_DEFAULT)),
    `HTTP/1.1 299 \r\n${DATE}Content-Length: 0\r\n\r\n`,
  );
  equal(
    written((writer) => writer.error(AT, 499, CONNECTION_DEFAULT, false, null)),
    `HTTP/1.1 499 \r\n${DATE}Content-Type: text/plain; charset=utf-8\r\n` +
      'Content-Length: 17\r\n\r\n499 Client Error\n',
  );
});

test('1xx, 204 and 304 have no Content-Length: RFC 9110 8.6', () => {
  for (const status of [100, 101, 103, 204, 304]) {
    equal(
      written((writer) => writer.empty(AT, status, CONNECTION_DEFAULT)),
      `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${DATE}\r\n`,
    );
  }
});

test('a head has the length and the type of its content', () => {
  equal(
    written((writer) => writer.head(AT, 200, CONNECTION_DEFAULT, 120, ascii('application/json'))),
    `HTTP/1.1 200 OK\r\n${DATE}Content-Type: application/json\r\nContent-Length: 120\r\n\r\n`,
  );
  equal(
    written((writer) => writer.head(AT, 404, CONNECTION_CLOSE, 7, null)),
    `HTTP/1.1 404 Not Found\r\n${DATE}Connection: close\r\nContent-Length: 7\r\n\r\n`,
  );
});

test('a length is written in its decimal digits', () => {
  const large = [0x7fff_ffff, 2 ** 31, 2 ** 32 + 9, 10 ** 12, 1_000_000_007, 2 ** 53 - 1];
  for (const length of [0, 1, 9, 10, 99, 100, 101, 12_345, 999_999_999, 10 ** 9, ...large]) {
    const text = written((writer) => writer.head(AT, 200, CONNECTION_DEFAULT, length, null));
    equal(text, `HTTP/1.1 200 OK\r\n${DATE}Content-Length: ${length}\r\n\r\n`);
  }
});

test('205 is empty, and says so: RFC 9110 15.3.6', () => {
  equal(
    written((writer) => writer.empty(AT, 205, CONNECTION_DEFAULT)),
    `HTTP/1.1 205 Reset Content\r\n${DATE}Content-Length: 0\r\n\r\n`,
  );
});

test('304 has the length that its GET would have had, where it is known: RFC 9110 8.6', () => {
  const start = `HTTP/1.1 304 Not Modified\r\n${DATE}`;
  const head = (length: number): string =>
    written((writer) => writer.head(AT, 304, CONNECTION_DEFAULT, length, null));
  equal(head(120), `${start}Content-Length: 120\r\n\r\n`);
  equal(head(LENGTH_UNKNOWN), `${start}\r\n`);
});

test('content comes in chunks, or until the connection closes: RFC 9112 6.1, 6.3', () => {
  equal(
    written((writer) => writer.head(AT, 200, CONNECTION_DEFAULT, LENGTH_CHUNKED, null)),
    `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n`,
  );
  equal(
    written((writer) => writer.head(AT, 200, CONNECTION_CLOSE, LENGTH_UNTIL_CLOSE, TEXT_PLAIN)),
    `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\n` +
      'Content-Type: text/plain; charset=utf-8\r\n\r\n',
  );
});

test('a head carries the fields of the application, from where they are', () => {
  const lines = ascii('----ETag: "a"\r\nVary: *\r\n----');
  equal(
    written((writer) => writer.head(AT, 200, CONNECTION_DEFAULT, 5, null, lines, 4, 20)),
    `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\nETag: "a"\r\nVary: *\r\n\r\n`,
  );
});

test('the interim response says to continue: RFC 9110 15.2.1', () => {
  equal(
    written((writer) => writer.interimContinue(AT)),
    'HTTP/1.1 100 Continue\r\n\r\n',
  );
});

test('a chunk has its size in as few digits as it takes: RFC 9112 7.1', () => {
  for (const size of [
    1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 0xabcdef, 0x10000000, 0x7fff_ffff,
  ])
    equal(
      written((writer) => writer.chunkHead(AT, size)),
      `${size.toString(16)}\r\n`,
    );
  const longest = written((writer) => writer.chunkHead(AT, 0x7fff_ffff));
  equal(longest.length, CHUNK_HEAD_SIZE_MAX);
  const writer = new ResponseWriter(new Uint8Array(SPACE), new DateField());
  throws(() => writer.chunkHead(0, 0), /a chunk has bytes/);
  throws(() => writer.chunkHead(0, 2 ** 31), /31 bits/);
  throws(() => writer.chunkHead(SPACE - CHUNK_HEAD_SIZE_MAX + 1, 1), /its space/);
});

test('chunks end, and the last one ends them all: RFC 9112 7.1, 7.1.2', () => {
  const end = written((writer) => writer.chunkEnd(AT));
  equal(end, '\r\n');
  equal(end.length, CHUNK_END_SIZE);
  const last = written((writer) => writer.lastChunk(AT));
  equal(last, '0\r\n\r\n');
  equal(last.length, LAST_CHUNK_SIZE);
  const lines = ascii('--Digest: a\r\n--');
  equal(
    written((writer) => writer.lastChunk(AT, lines, 2, 11)),
    '0\r\nDigest: a\r\n\r\n',
  );
  const writer = new ResponseWriter(new Uint8Array(SPACE), new DateField());
  throws(() => writer.lastChunk(0, lines, 5, 11), /where they are/);
  throws(() => writer.lastChunk(SPACE - 5, lines), /its space/);
});

test('an error says its status as text, but not to HEAD: RFC 9110 9.3.2', () => {
  const head =
    `HTTP/1.1 404 Not Found\r\n${DATE}Content-Type: text/plain; charset=utf-8\r\n` +
    'Content-Length: 14\r\n\r\n';
  equal(
    written((writer) => writer.error(AT, 404, CONNECTION_DEFAULT, true, null)),
    head,
  );
  equal(
    written((writer) => writer.error(AT, 404, CONNECTION_DEFAULT, false, null)),
    `${head}404 Not Found\n`,
  );
});

test('an error carries the fields it is given: RFC 9110 15.5.6', () => {
  equal(
    written((writer) =>
      writer.error(AT, 405, CONNECTION_CLOSE, false, ascii('Allow: GET, HEAD\r\n')),
    ),
    `HTTP/1.1 405 Method Not Allowed\r\n${DATE}Connection: close\r\n` +
      'Content-Type: text/plain; charset=utf-8\r\nContent-Length: 23\r\n' +
      'Allow: GET, HEAD\r\n\r\n405 Method Not Allowed\n',
  );
});

test('no head and no error response is longer than its bound', () => {
  const type = ascii('t'.repeat(CONTENT_TYPE_SIZE_MAX));
  for (const status of STATUS_CODES) {
    const length = hasContent(status) ? Number.MAX_SAFE_INTEGER : 0;
    const head = written((writer) => writer.head(AT, status, CONNECTION_KEEP_ALIVE, length, type));
    const chunked = length === 0 ? 0 : LENGTH_CHUNKED;
    const other = written((writer) => writer.head(AT, status, CONNECTION_CLOSE, chunked, type));
    equal(other.length <= RESPONSE_HEAD_SIZE_MAX, true, other);
    equal(head.length <= RESPONSE_HEAD_SIZE_MAX, true, head);
    if (status < 400) continue;
    const error = written((writer) => writer.error(AT, status, CONNECTION_KEEP_ALIVE, false, null));
    equal(error.length <= RESPONSE_HEAD_SIZE_MAX, true, error);
  }
});

test('misuse is asserted: no space, no such status, content where none may be', () => {
  const writer = new ResponseWriter(new Uint8Array(RESPONSE_HEAD_SIZE_MAX), new DateField());
  const extra = ascii('A: b\r\n');
  throws(() => writer.empty(-1, 200, CONNECTION_DEFAULT), /not negative/);
  throws(() => writer.empty(1, 200, CONNECTION_DEFAULT), /its space/);
  throws(() => writer.head(1, 200, CONNECTION_DEFAULT, 0, null), /its space/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 0, null, extra, 0, 6), /its space/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 0, null, extra, 1, 6), /where they are/);
  const many = new Uint8Array(RESPONSE_FIELDS_SIZE_MAX + 1);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 0, null, many, 0, many.length), /fields of/);
  throws(() => writer.error(0, 400, CONNECTION_DEFAULT, false, extra), /its space/);
  throws(() => writer.empty(0, 600, CONNECTION_DEFAULT), /within its range/);
  throws(() => writer.empty(0, 99, CONNECTION_DEFAULT), /within its range/);
  throws(() => writer.empty(0, 200, 3), /connection has a code/);
  throws(() => writer.head(0, 204, CONNECTION_DEFAULT, 1, null), /no content/);
  throws(() => writer.head(0, 205, CONNECTION_DEFAULT, 1, null), /no content/);
  throws(() => writer.head(0, 204, CONNECTION_DEFAULT, LENGTH_CHUNKED, null), /no content/);
  throws(() => writer.head(0, 304, CONNECTION_DEFAULT, LENGTH_CHUNKED, null), /no content/);
  throws(() => writer.head(0, 205, CONNECTION_CLOSE, LENGTH_UNTIL_CLOSE, null), /no content/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, LENGTH_UNTIL_CLOSE, null), /closes it/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, -4, null), /LENGTH_ codes/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 2 ** 53, null), /53 bits/);
  throws(() => writer.error(0, 200, CONNECTION_DEFAULT, false, null), /error status/);
  const type = new Uint8Array(CONTENT_TYPE_SIZE_MAX + 1);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 1, type), /content type has its space/);
});
