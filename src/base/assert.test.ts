import { throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError, assert, unreachable } from './assert.ts';

test('assert passes on true and throws its message on false', () => {
  assert(true, 'not thrown');
  throws(() => assert(false, 'the invariant'), new AssertionError('the invariant'));
});

test('unreachable names the value that reached it', () => {
  throws(() => unreachable('surprise' as never), /unreachable: surprise/);
});
