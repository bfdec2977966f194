import { equal, throws } from 'node:assert/strict';
import { STATUS_CODES as NODE_PHRASES } from 'node:http';
import { test } from 'node:test';
import { reasonPhrase, STATUS_CODES, STATUS_MAX, STATUS_MIN } from './status.ts';

// Where the phrases of Node are those of an older RFC, or of none.
const RENAMED = new Map([
  [413, 'Content Too Large'],
  [422, 'Unprocessable Content'],
]);
const NOT_REGISTERED = new Set(['418', '509']);

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

test('a status without a phrase is asserted', () => {
  throws(() => reasonPhrase(299), /has a reason phrase/);
});
