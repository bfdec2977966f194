import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EMFILE,
  ENFILE,
  ENOMEM,
  EPERM,
  errnoName,
  SystemError,
} from '../kernel/errno.ts';
import { backendError, bindError, formatAddress, StartError, threadError } from './start-error.ts';

// sysexits.h, and what the help says.
const UNAVAILABLE = 69;
const NO_PERMISSION = 77;
const CONFIG = 78;
const FAILURE = 1;

function expect(error: StartError, exitCode: number, message: RegExp): void {
  ok(error instanceof StartError);
  equal(error.name, 'StartError');
  equal(error.exitCode, exitCode);
  match(error.message, message);
  ok(!error.message.includes('\n'), 'a person gets one line');
}

test('a failed bind names the address, the cause and what to do', () => {
  const bind = (errno: number, host = '127.0.0.1'): StartError =>
    bindError(new SystemError('bind', errno), host, 9000);
  expect(bind(EADDRINUSE), UNAVAILABLE, /^127\.0\.0\.1:9000 is in use .*--port/);
  expect(bind(EADDRNOTAVAIL), UNAVAILABLE, /^127\.0\.0\.1 is not an address .*--host/);
  expect(bind(EACCES), NO_PERMISSION, /no permission .*127\.0\.0\.1:9000.*CAP_NET_BIND_SERVICE/);
  expect(bind(EMFILE), UNAVAILABLE, /cannot listen on 127\.0\.0\.1:9000: bind: EMFILE/);
  expect(bind(EADDRINUSE, '::1'), UNAVAILABLE, /^\[::1\]:9000 is in use/);
});

test('a thread that could not start: the cause and what to do, by the error it met', () => {
  const thread = (code: string, message = 'it broke'): StartError =>
    threadError('accept-1', message, code);
  for (const errno of [EMFILE, ENFILE]) {
    expect(thread(errnoName(errno)), CONFIG, /^accept-1: too few descriptors.*ulimit -n/);
  }
  expect(thread(errnoName(ENOMEM)), CONFIG, /^accept-1: too little memory.*--accept-capacity/);
  expect(
    thread(errnoName(EPERM), 'SystemError: io_uring_setup: EPERM, not permitted\n    at open'),
    CONFIG,
    /^accept-1: SystemError: io_uring_setup: EPERM, not permitted; use --backend epoll$/,
  );
  expect(
    thread(errnoName(ENOMEM), 'io_uring_setup: ENOMEM'),
    CONFIG,
    /^accept-1: io_uring_setup: ENOMEM; .*ulimit -l.*--backend epoll$/,
  );
  const unset = 'Error [ERR_WORKER_INIT_FAILED]: Worker initialization failure: EMFILE';
  expect(thread('ERR_WORKER_INIT_FAILED', unset), CONFIG, /^accept-1: too few descr.*ulimit -n/);
  expect(thread('ERR_WORKER_INIT_FAILED'), FAILURE, /^accept-1 failed to start: it broke$/);
  expect(thread(''), FAILURE, /^accept-1 failed to start: it broke$/);
  expect(thread('ERR_MODULE_NOT_FOUND'), FAILURE, /^accept-1 failed to start: it broke$/);
});

test('io_uring that was asked for and does not work: the fault and what to do', () => {
  expect(
    backendError('io_uring_setup refused, EPERM'),
    CONFIG,
    /^--backend io_uring: io_uring_setup refused, EPERM; .*--backend epoll/,
  );
});

test('an IPv6 address stands in brackets before its port', () => {
  equal(formatAddress('127.0.0.1', 80), '127.0.0.1:80');
  equal(formatAddress('::', 9000), '[::]:9000');
});
