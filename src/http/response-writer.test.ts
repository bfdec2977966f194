import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { DateField } from './date-field.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  CONTENT_TYPE_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
  ResponseWriter,
} from './response-writer.ts';
import { reasonPhrase, STATUS_CODES } from './status.ts';

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
  for (const length of [0, 1, 9, 10, 99, 100, 101, 12_345, 1_000_000, 0x7fff_ffff]) {
    const text = written((writer) => writer.head(AT, 200, CONNECTION_DEFAULT, length, null));
    equal(text, `HTTP/1.1 200 OK\r\n${DATE}Content-Length: ${length}\r\n\r\n`);
  }
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
    const length = status < 200 || status === 204 || status === 304 ? 0 : 0x7fff_ffff;
    const head = written((writer) => writer.head(AT, status, CONNECTION_KEEP_ALIVE, length, type));
    equal(head.length <= RESPONSE_HEAD_SIZE_MAX, true, head);
    if (status < 400) continue;
    const error = written((writer) => writer.error(AT, status, CONNECTION_KEEP_ALIVE, false, null));
    equal(error.length <= RESPONSE_HEAD_SIZE_MAX, true, error);
  }
});

test('misuse is asserted: no space, no such status, content where none may be', () => {
  const writer = new ResponseWriter(new Uint8Array(RESPONSE_HEAD_SIZE_MAX), new DateField());
  const extra = ascii('A: b\r\n');
  throws(() => writer.empty(1, 200, CONNECTION_DEFAULT), /its space/);
  throws(() => writer.head(1, 200, CONNECTION_DEFAULT, 0, null), /its space/);
  throws(() => writer.error(0, 400, CONNECTION_DEFAULT, false, extra), /its space/);
  throws(() => writer.empty(0, 299, CONNECTION_DEFAULT), /a reason phrase/);
  throws(() => writer.empty(0, 99, CONNECTION_DEFAULT), /within its range/);
  throws(() => writer.empty(0, 200, 3), /connection has a code/);
  throws(() => writer.head(0, 204, CONNECTION_DEFAULT, 1, null), /no content/);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, -1, null), /31 bits/);
  throws(() => writer.error(0, 200, CONNECTION_DEFAULT, false, null), /error status/);
  const type = new Uint8Array(CONTENT_TYPE_SIZE_MAX + 1);
  throws(() => writer.head(0, 200, CONNECTION_DEFAULT, 1, type), /content type has its space/);
});
