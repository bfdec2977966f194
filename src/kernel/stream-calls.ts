// What a backend without completions calls for each connection: accept4(2), recv(2), sendmsg(2),
// close(2). Data plane: every signature is of pointers only (see `ffi.ts`), and the result is a
// count or a descriptor, or an error number negated.

import { resultOf } from './errno.ts';
import { bind } from './ffi.ts';
import type { Mapping } from './mapping.ts';
import { mapMemory, unmapMemory } from './mapping.ts';
import { MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK } from './sockets.ts';

const accept4 = bind('accept4', ['pointer', 'pointer', 'pointer', 'pointer'], 'int32');
const recv = bind('recv', ['pointer', 'pointer', 'pointer', 'pointer'], 'int32');
const sendmsg = bind('sendmsg', ['pointer', 'pointer', 'pointer'], 'int32');
// A second, ignored argument makes the signature one that needs no wrapper (see `node-loop.ts`).
const close = bind('close', ['pointer', 'pointer'], 'int32');

const ACCEPT_FLAGS = BigInt(SOCK_NONBLOCK | SOCK_CLOEXEC);
const SEND_FLAGS = BigInt(MSG_NOSIGNAL);

/** A non-blocking, close-on-exec descriptor. */
export function acceptStream(listenerPointer: bigint): number {
  return resultOf(accept4(listenerPointer, 0n, 0n, ACCEPT_FLAGS));
}

export function recvStream(fdPointer: bigint, address: bigint, size: bigint): number {
  return resultOf(recv(fdPointer, address, size, 0n));
}

export function closeStream(fdPointer: bigint): number {
  return resultOf(close(fdPointer, 0n));
}

// struct msghdr (56 bytes: name and its size, vector at 16, its count at 24, control, flags), and
// the one struct iovec (base, size) it points to.
const IOVEC_OFFSET = 64;
const IOVEC_BASE_WORD = IOVEC_OFFSET / 4;
const IOVEC_SIZE_WORD = IOVEC_BASE_WORD + 2;
const MESSAGE_SIZE = IOVEC_OFFSET + 16;

/**
 * A message in mapped memory that the kernel is pointed to for each send. What varies, where the
 * bytes are and how many, is written as 32-bit words: no BigInt is made.
 */
export class Message {
  readonly #mapping: Mapping = mapMemory(MESSAGE_SIZE);
  readonly #words = new Int32Array(this.#mapping.buffer);

  constructor() {
    const wide = new BigUint64Array(this.#mapping.buffer);
    wide[2] = this.#mapping.address + BigInt(IOVEC_OFFSET);
    wide[3] = 1n;
  }

  /** Sends `size` bytes from the address with these halves on; maybe fewer are taken. */
  send(fdPointer: bigint, addressLow: number, addressHigh: number, size: number): number {
    const words = this.#words;
    words[IOVEC_BASE_WORD] = addressLow;
    words[IOVEC_BASE_WORD + 1] = addressHigh;
    words[IOVEC_SIZE_WORD] = size;
    return resultOf(sendmsg(fdPointer, this.#mapping.address, SEND_FLAGS));
  }

  /** Control plane. */
  release(): void {
    unmapMemory(this.#mapping);
  }
}
