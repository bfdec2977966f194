// Loaded before a program (`node --import`): from then on the kernel refuses one system call to the
// process and its threads, as a container's seccomp profile does. Needs no privilege: seccomp(2).
//
// REFUSE_SYSCALL names the call and the error: `425:1` is io_uring_setup and EPERM.

import { isMainThread } from 'node:worker_threads';
import { checked } from '../../src/kernel/errno.ts';
import { addressOf, bind } from '../../src/kernel/ffi.ts';

const prctl = bind('prctl', ['int32', 'uint64', 'uint64', 'uint64', 'uint64'], 'int32');
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2n;

// Classic BPF (bpf(4)) over struct seccomp_data, which begins with the number of the call.
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const SECCOMP_RET_ERRNO = 0x0005_0000;
const SECCOMP_RET_ALLOW = 0x7fff_0000;

function refuse(syscall: number, errno: number): void {
  const program = Buffer.alloc(4 * 8);
  const instructions = [
    [LOAD_WORD, 0, 0, 0],
    [JUMP_IF_EQUAL, 0, 1, syscall],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ] as const;
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(ifTrue, index * 8 + 2);
    program.writeUInt8(ifFalse, index * 8 + 3);
    program.writeUInt32LE(value, index * 8 + 4);
  }
  // struct sock_fprog {u16 len; padding; struct sock_filter *filter}.
  const header = Buffer.alloc(16);
  header.writeUInt16LE(instructions.length, 0);
  header.writeBigUInt64LE(addressOf(program), 8);
  checked('prctl', prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  checked('prctl', prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addressOf(header), 0n, 0n));
  // Both stay reachable until the kernel has copied them.
  program.fill(0);
  header.fill(0);
}

// Threads inherit it.
if (isMainThread) {
  const [syscall, errno] = process.env.REFUSE_SYSCALL!.split(':').map(Number);
  refuse(syscall!, errno!);
}
