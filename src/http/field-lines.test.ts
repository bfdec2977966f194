import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { prng } from '../../test/support/prng.ts';
import { DateField } from './date-field.ts';
import { FieldLines, SERVER_FIELDS } from './field-lines.ts';
import {
  CONNECTION_DEFAULT,
  RESPONSE_FIELDS_SIZE_MAX,
  RESPONSE_HEAD_SIZE_MAX,
  ResponseWriter,
} from './response-writer.ts';

const text = (lines: FieldLines): string =>
  Buffer.from(lines.bytes.subarray(0, lines.size)).toString('latin1');

/** Asserts that a line is refused with this message, and that nothing is left of it. */
function refuses(name: string, value: string, message: RegExp): void {
  const lines = new FieldLines();
  lines.append('A', 'b');
  throws(() => lines.append(name, value), { name: 'TypeError', message });
  equal(text(lines), 'A: b\r\n');
  lines.append('C', 'd');
  equal(text(lines), 'A: b\r\nC: d\r\n');
}

test('lines are encoded in their order: RFC 9110 5.3', () => {
  const lines = new FieldLines();
  lines.append('Set-Cookie', 'a=b; Path=/');
  lines.append('set-cookie', 'c="d"');
  lines.append('Empty', '');
  lines.append('X', 'caf\xe9 \t x');
  equal(
    text(lines),
    'Set-Cookie: a=b; Path=/\r\nset-cookie: c="d"\r\nEmpty: \r\nX: caf\xe9 \t x\r\n',
  );
  lines.clear();
  equal(lines.size, 0);
  lines.append('ETag', '"1"');
  equal(text(lines), 'ETag: "1"\r\n');
});

test('a name is a token: RFC 9110 5.1', () => {
  for (const name of [
    '',
    ' ',
    'a b',
    'a:',
    ':',
    'a\r\nb',
    'a\n',
    '\0',
    'n\xe4me',
    'n\u0101me',
    'a\t',
    '"a"',
  ])
    refuses(name, 'x', /is no name of a field/);
  const lines = new FieldLines();
  lines.append("!#$%&'*+-.^_`|~09azAZ", 'x');
  equal(lines.size, 21 + 5);
});

test('a value holds no control character except HTAB: RFC 9110 5.5', () => {
  for (let code = 0; code < 0x180; code++) {
    const value = `a${String.fromCharCode(code)}b`;
    const refused = (code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff;
    if (refused) refuses('X', value, /holds a character/);
    else new FieldLines().append('X', value);
  }
});

test('a value has no white space around it: RFC 9110 5.5', () => {
  for (const value of [' ', '\t', ' a', 'a ', '\ta', 'a\t', ' a ']) refuses('X', value, /holds a/);
});

test('the server writes its own fields: RFC 9112 6, 9; RFC 9110 6.6.1, 7.6.1', () => {
  for (const name of SERVER_FIELDS) {
    refuses(name, 'x', /the server writes/);
    refuses(name.toUpperCase(), 'x', /the server writes/);
    new FieldLines().append(`x${name}`, 'x');
    new FieldLines().append(`${name}s`, 'x');
  }
});

test('a Content-Type of the application is noticed', () => {
  const lines = new FieldLines();
  lines.append('Content-Types', 'a/b');
  equal(lines.hasContentType, false);
  lines.append('CONTENT-type', 'a/b');
  equal(lines.hasContentType, true);
  lines.clear();
  equal(lines.hasContentType, false);
});

test('an Upgrade of the application comes with the Connection that names it: RFC 9110 7.8', () => {
  const lines = new FieldLines();
  lines.append('upgrade', 'a');
  equal(lines.hasUpgrade, true);
  lines.append('Upgrade', 'b/2');
  equal(text(lines), 'upgrade: a\r\nConnection: Upgrade\r\nUpgrade: b/2\r\n');
  lines.clear();
  equal(lines.hasUpgrade, false);
  lines.append('Upgrades', 'a');
  equal(lines.hasUpgrade, false);
  lines.clear();
  lines.append('X', 'v'.repeat(RESPONSE_FIELDS_SIZE_MAX - 35));
  const { size } = lines;
  throws(() => lines.append('Upgrade', 'websocket'), RangeError);
  equal(lines.size, size);
  equal(lines.hasUpgrade, false);
});

test('lines beyond their space are refused, and the ones before stay', () => {
  const lines = new FieldLines();
  const value = 'v'.repeat(RESPONSE_FIELDS_SIZE_MAX - 5);
  throws(() => lines.append('X', `${value}v`), { name: 'RangeError', message: /4096 bytes/ });
  equal(lines.size, 0);
  lines.append('X', value);
  equal(lines.size, RESPONSE_FIELDS_SIZE_MAX);
  throws(() => lines.append('Y', ''), RangeError);
  equal(text(lines), `X: ${value}\r\n`);
});

test('only strings are names and values', () => {
  const lines = new FieldLines();
  // @ts-expect-error: callers may be JavaScript.
  throws(() => lines.append('X', 5), /are strings/);
  // @ts-expect-error: the same.
  throws(() => lines.append(undefined, 'x'), /are strings/);
});

test('a response is never split: RFC 9112 11.1', () => {
  const random = prng(7);
  const payloads = [
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\nHTTP/1.1 200 OK\r\n',
    'Set-Cookie: a=b',
    ': ',
    '\u010d\u010a',
    '\u560d\u560a',
    '\uff0d\uff0a',
    '\x85',
    '\u2028',
    '%0d%0a',
    '\0',
    'x',
    ' ',
    '\t',
    '\x0b',
    '\ud800',
  ];
  const some = (): string => {
    let result = '';
    for (let count = random(4); count >= 0; count--) result += payloads[random(payloads.length)]!;
    return result;
  };
  const bytes = new Uint8Array(RESPONSE_HEAD_SIZE_MAX + RESPONSE_FIELDS_SIZE_MAX);
  const writer = new ResponseWriter(bytes, new DateField());
  const lines = new FieldLines();
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    lines.clear();
    let count = 0;
    for (let line = 0; line < 3; line++) {
      try {
        lines.append(random(2) === 0 ? 'X' : some(), some());
        count++;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    }
    accepted += count;
    const end = writer.head(0, 200, CONNECTION_DEFAULT, 0, null, lines.bytes, 0, lines.size);
    const head = Buffer.from(bytes.subarray(0, end)).toString('latin1');
    // Status line, Date, Content-Length, one line for each that was accepted, the empty line.
    equal(head.split(/\r\n|\r|\n/).length, 3 + count + 2, JSON.stringify(head));
    equal(head.indexOf('\r\n\r\n'), head.length - 4);
  }
  equal(accepted > 1000, true, `${accepted} lines were accepted`);
});
