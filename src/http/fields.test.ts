import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { Fields } from './fields.ts';
import { REQUEST_LIMITS } from './request-limits.ts';
import { PARSE_COMPLETE, RequestParser } from './request-parser.ts';

const HEAD = [
  'GET / HTTP/1.1',
  'Host: a',
  'Accept:text/html',
  'X_Y-1: \t one \t',
  'cookie: a=b',
  'Empty:',
  'Blank: \t ',
  'COOKIE: c: d',
  'Cookies: e',
  'Z:\xe9',
  '\r\n',
].join('\r\n');
const SHIFT = 9;
const bytes = Uint8Array.from([
  ...ascii('#'.repeat(SHIFT)),
  ...Buffer.from(HEAD, 'latin1'),
  ...ascii('Cookie: body\r\n'),
]);

const parser = new RequestParser(REQUEST_LIMITS);
parser.begin();
equal(parser.parse(bytes, SHIFT, bytes.length), PARSE_COMPLETE);
const first = SHIFT + parser.fieldsOffset;
const end = SHIFT + parser.size;

const text = (offset: number, size: number): string =>
  Buffer.from(bytes).toString('latin1', offset, offset + size);

/** All values of the lines with a name. */
function values(name: string): string[] {
  const fields = new Fields();
  const found: string[] = [];
  for (let at = first; fields.find(bytes, at, end, ascii(name)); at = fields.next)
    found.push(text(fields.valueOffset, fields.valueSize));
  return found;
}

test('a value is found by its name in any case, without white space: RFC 9110 5.1, 5.5', () => {
  deepEqual(values('host'), ['a']);
  deepEqual(values('accept'), ['text/html']);
  deepEqual(values('x_y-1'), ['one']);
  deepEqual(values('z'), ['\xe9']);
});

test('an empty value is found too: RFC 9110 5.5', () => {
  deepEqual(values('empty'), ['']);
  deepEqual(values('blank'), ['']);
});

test('lines of the same name are found in their order: RFC 9110 5.3', () => {
  deepEqual(values('cookie'), ['a=b', 'c: d']);
});

test('a name is the whole name, and no line behind the head has one', () => {
  for (const name of ['', 'hos', 'hosts', 'x', 'one', 'body', 'x\x7fy-1', 'get / http/1.1'])
    deepEqual(values(name), [], name);
});

test('all lines are listed in their order', () => {
  const fields = new Fields();
  const names: string[] = [];
  for (let at = first; fields.nextField(bytes, at, end); at = fields.next)
    names.push(text(fields.nameOffset, fields.nameSize));
  deepEqual(names, 'Host Accept X_Y-1 cookie Empty Blank COOKIE Cookies Z'.split(' '));
});

test('a head without fields has none', () => {
  const head = ascii('GET / HTTP/1.0\r\n\r\n');
  equal(new Fields().nextField(head, head.length - 2, head.length), false);
});

test('misuse is asserted: bytes that are no head', () => {
  const fields = new Fields();
  throws(() => fields.nextField(bytes, end - 1, end), /before the head ends/);
  throws(() => fields.nextField(bytes, first, bytes.length + 1), /within the buffer/);
  throws(() => fields.nextField(ascii('A: b\r\nC'), 0, 6), /empty line ends/);
});
