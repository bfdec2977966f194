import { equal, ok, throws } from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import * as errnoModule from './errno.ts';
import { checked, EADDRINUSE, errnoName, SystemError } from './errno.ts';
import { bind, errno } from './ffi.ts';

test('every constant has the number that this system gives it, and that name', () => {
  const exported = Object.entries(errnoModule).filter(([name]) => /^E[A-Z]+$/.test(name));
  ok(exported.length >= 15);
  const numbers: Record<string, number> = constants.errno;
  for (const [name, number] of exported) {
    equal(number, numbers[name], name);
    // libuv has no name for ETIME, which no call that is checked here answers.
    if (name !== 'ETIME') equal(errnoName(number as number), name);
  }
});

test('a system error says which call failed, and why, for people and for code', () => {
  const error = new SystemError('bind', EADDRINUSE);
  equal(error.name, 'SystemError');
  equal(error.call, 'bind');
  equal(error.errno, 98);
  equal(error.code, 'EADDRINUSE');
  equal(error.message, 'bind: EADDRINUSE, address already in use');
  ok(error instanceof Error);
});

test('checked passes a result through and throws for -1, with the errno of the call', () => {
  const close = bind('close', ['int32'], 'int32');
  equal(checked('close', 0), 0);
  equal(checked('close', 7), 7);
  throws(() => checked('close', close(1_000_000)), { name: 'SystemError', code: 'EBADF' });
  equal(errno(), 9);
});
