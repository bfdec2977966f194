import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { UpgradeError } from './upgrade-error.ts';

test('the client has to ask for a token, and perhaps a version: RFC 9110 7.8', () => {
  for (const token of ['websocket', 'chat/2', 'HTTP/2.0', "!#$%&'*+-.^_`|~/1"]) {
    const error = new UpgradeError(token);
    deepEqual([error.token, error.status], [token, 426]);
  }
  const wrong = ['', ' ', 'a b', 'a,b', 'a/', '/a', 'a/b/c', 'ü', 'x\r\nSet-Cookie: evil=1', 'x\n'];
  for (const token of [...wrong, 7 as never, undefined as never]) {
    throws(() => new UpgradeError(token), { name: 'TypeError', message: /: no token$/ });
  }
});
