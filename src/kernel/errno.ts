// Error numbers, from <asm-generic/errno-base.h> and <asm-generic/errno.h>: the same on x86-64 and
// arm64. Results of operations carry them negated, as the kernel does. Data plane: constants.

import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { errno } from './ffi.ts';

export const EPERM = 1;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOSPC = 28;
export const EPIPE = 32;
export const ENOSYS = 38;
export const ETIME = 62;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
export const ECANCELED = 125;

/** A system call that failed on the control plane: which one, and why. */
export class SystemError extends Error {
  override name = 'SystemError';
  readonly call: string;
  readonly errno: number;
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}, ${getSystemErrorMessage(-errno)}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}

/** Passes a result through, or throws for -1. Control plane. */
export function checked(call: string, result: number): number {
  if (result === -1) throw new SystemError(call, errno());
  return result;
}

/**
 * Passes a result through, or answers the error number negated for -1: the convention of the
 * kernel. An errno that says nothing, which something else has overwritten, is EIO. Data plane.
 */
export function resultOf(result: number): number {
  if (result !== -1) return result;
  const error = errno();
  return error > 0 ? -error : -EIO;
}
