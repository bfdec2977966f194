import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ascii } from './characters.ts';
import { METHOD_NAMES, METHOD_OTHER, methodFromBytes, methodFromName } from './method.ts';

test('each method is recognised, by its bytes and by its name: RFC 9110 9.3', () => {
  for (const [code, name] of METHOD_NAMES.entries()) {
    equal(methodFromBytes(ascii(`-${name}-`), 1, name.length), code);
    equal(methodFromName(name), code);
  }
});

test('any other name is METHOD_OTHER; methods are case-sensitive: RFC 9110 9.1', () => {
  for (const name of ['get', 'GOT', 'HEAp', 'POTS', 'GE', 'CONNECTX', 'M', 'DELETF', 'OPTIONs']) {
    equal(methodFromBytes(ascii(name), 0, name.length), METHOD_OTHER, name);
    equal(methodFromName(name), METHOD_OTHER, name);
  }
});
