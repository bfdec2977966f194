import { deepEqual, equal, throws } from 'node:assert/strict';
import { STATUS_CODES as NODE_PHRASES } from 'node:http';
import { test } from 'node:test';
import {
  hasContent,
  isContentLengthAllowed,
  reasonPhrase,
  STATUS_CODES,
  STATUS_MAX,
  STATUS_MIN,
} from './status.ts';

// Where the phrases of Node are those of an older RFC, or of none.
const RENAMED = new Map([
  [413, 'Content Too Large'],
  [422, 'Unprocessable Content'],
]);
const NOT_REGISTERED = new Set(['509']);

test('each registered status has its reason phrase: RFC 9110 15', () => {
  const expected = Object.entries(NODE_PHRASES).filter(([code]) => !NOT_REGISTERED.has(code));
  for (const [code, phrase] of expected) {
    const status = Number(code);
    equal(reasonPhrase(status), RENAMED.get(status) ?? phrase);
  }
  equal(STATUS_CODES.length, expected.length);
});

test('the codes ascend from the lowest to the highest', () => {
  equal(STATUS_CODES[0], STATUS_MIN);
  equal(STATUS_CODES.at(-1), STATUS_MAX);
  for (let i = 1; i < STATUS_CODES.length; i++)
    equal(STATUS_CODES[i]! > STATUS_CODES[i - 1]!, true);
});

test('1xx, 204, 205 and 304 have no content: RFC 9110 6.4.1, 15.3.6', () => {
  const without = STATUS_CODES.filter((status) => !hasContent(status));
  deepEqual(without, [100, 101, 102, 103, 204, 205, 304]);
});

test('1xx and 204 have no Content-Length: RFC 9110 8.6', () => {
  const without = STATUS_CODES.filter((status) => !isContentLengthAllowed(status));
  deepEqual(without, [100, 101, 102, 103, 204]);
});

test('a status without a phrase is asserted', () => {
  throws(() => reasonPhrase(299), /has a reason phrase/);
});
