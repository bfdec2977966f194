import { deepEqual, equal } from 'node:assert/strict';
import { STATUS_CODES as NODE_PHRASES } from 'node:http';
import { test } from 'node:test';
import {
  errorPhrase,
  hasContent,
  isContentLengthAllowed,
  isFinalStatus,
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
    if (status >= 400) equal(errorPhrase(status), RENAMED.get(status) ?? phrase);
  }
  equal(STATUS_CODES.length, expected.length);
});

test('the codes ascend within their range: RFC 9110 15', () => {
  equal(STATUS_CODES[0], STATUS_MIN);
  equal(STATUS_CODES.at(-1)! <= STATUS_MAX, true);
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

test('a status that is not registered has an empty phrase, an error the name of its class', () => {
  for (const status of [199, 299, 306, 420, 499, 512, 599]) equal(reasonPhrase(status), '');
  equal(errorPhrase(499), 'Client Error');
  equal(errorPhrase(512), 'Server Error');
});

test('every status from 200 to 599 is a final one: RFC 9110 15', () => {
  for (let status = 200; status <= 599; status++) equal(isFinalStatus(status), true);
  for (const status of [0, 100, 199, 600, -200, 200.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    equal(isFinalStatus(status), false);
  }
});
