import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { errorText } from './error-text.ts';

function fail(): never {
  throw new Error('on purpose');
}

function withFailing(property: 'stack' | 'message'): Error {
  const error = new Error('text');
  if (property === 'message') Reflect.set(error, 'stack', undefined);
  return Object.defineProperty(error, property, { get: fail });
}

test('an error is told by its stack, a string by itself, anything else as Node shows it', () => {
  match(errorText(new RangeError('text')), /^RangeError: text\n +at /);
  equal(errorText('text'), 'text');
  equal(errorText(undefined), 'undefined');
  equal(errorText(7), '7');
  equal(errorText(Symbol('text')), 'Symbol(text)');
  equal(errorText({ code: 1 }), '{ code: 1 }');
  equal(errorText(Object.create(null)), '[Object: null prototype] {}');
});

test('what cannot be told is told so', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const odd = Object.assign(new Error('text'), { stack: Object.create(null) });
  for (const each of [withFailing('stack'), withFailing('message'), odd, proxy]) {
    equal(typeof errorText(each), 'string');
  }
  equal(errorText({ [inspect.custom]: fail }), 'what was thrown cannot be told');
});
