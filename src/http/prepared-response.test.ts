import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { DateField } from './date-field.ts';
import type { PreparedResponse } from './prepared-response.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  ResponseWriter,
} from './response-writer.ts';

const SPACE = 512;
const AT = 3;
const NONE = ascii('');

const date = new DateField();
const bytes = new Uint8Array(SPACE);
const writer = new ResponseWriter(bytes, date);

function text(prepared: PreparedResponse, connection: number, headOnly: boolean): string {
  bytes.fill(0x2a);
  const end = writer.writePrepared(AT, prepared, connection, headOnly);
  equal(bytes[AT - 1], 0x2a);
  equal(bytes[end], 0x2a);
  equal(end - AT <= prepared.sizeMax, true);
  return Buffer.from(bytes.subarray(AT, end)).toString('latin1');
}

const dateLine = (): string => Buffer.from(date.bytes).toString('latin1');
const page = writer.prepare(200, ascii('ETag: "1"\r\n'), ascii('text/html'), ascii('<p>\r\n'));
const rest = 'Content-Type: text/html\r\nContent-Length: 5\r\nETag: "1"\r\n\r\n';

test('a prepared response says what becomes of its connection: RFC 9112 9.3', () => {
  const start = `HTTP/1.1 200 OK\r\n${dateLine()}`;
  equal(text(page, CONNECTION_DEFAULT, false), `${start}${rest}<p>\r\n`);
  equal(text(page, CONNECTION_CLOSE, false), `${start}Connection: close\r\n${rest}<p>\r\n`);
  const kept = `${start}Connection: keep-alive\r\n${rest}<p>\r\n`;
  equal(text(page, CONNECTION_KEEP_ALIVE, false), kept);
  equal(page.sizeMax, kept.length);
});

test('HEAD gets the same head without the body: RFC 9110 9.3.2', () => {
  const start = `HTTP/1.1 200 OK\r\n${dateLine()}`;
  equal(text(page, CONNECTION_DEFAULT, true), start + rest);
  equal(text(page, CONNECTION_CLOSE, true), `${start}Connection: close\r\n${rest}`);
});

test('a prepared response has the date of when it is written: RFC 9110 6.6.1', () => {
  for (const second of [1_795_414_319, 1_795_414_320]) {
    date.set(second);
    for (const connection of [CONNECTION_DEFAULT, CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE])
      for (const headOnly of [true, false])
        equal(text(page, connection, headOnly).includes(dateLine()), true);
  }
});

test('a status without content is prepared without a length: RFC 9110 8.6', () => {
  for (const [status, line, length] of [
    [204, 'No Content', ''],
    [304, 'Not Modified', ''],
    [205, 'Reset Content', 'Content-Length: 0\r\n'],
  ] as const) {
    const prepared = writer.prepare(status, NONE, null, NONE);
    equal(
      text(prepared, CONNECTION_DEFAULT, false),
      `HTTP/1.1 ${status} ${line}\r\n${dateLine()}${length}\r\n`,
    );
  }
});

test('what is given may change afterwards', () => {
  const body = ascii('a');
  const prepared = writer.prepare(200, NONE, null, body);
  body[0] = 0x62;
  equal(text(prepared, CONNECTION_DEFAULT, false).endsWith('\r\n\r\na'), true);
  equal(text(prepared, CONNECTION_CLOSE, false).endsWith('\r\n\r\na'), true);
});

test('misuse is asserted: no space, content where none may be, an interim status', () => {
  const space = new ResponseWriter(new Uint8Array(page.sizeMax), date);
  equal(space.writePrepared(0, page, CONNECTION_KEEP_ALIVE, false), page.sizeMax);
  throws(() => space.writePrepared(1, page, CONNECTION_DEFAULT, false), /its space/);
  throws(() => space.writePrepared(0, page, 3, false), /connection has a code/);
  throws(() => writer.prepare(204, NONE, null, ascii('a')), /no content/);
  throws(() => writer.prepare(205, NONE, null, ascii('a')), /no content/);
  throws(() => writer.prepare(100, NONE, null, NONE), /is final/);
  throws(() => writer.prepare(200, new Uint8Array(4097), null, NONE), /their space/);
});
