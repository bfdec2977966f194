// The only importer of `node:ffi`. Every native function that Millrace calls is bound here.
//
// Control plane: binding. Data plane: calling what was bound, within the rules below.
//
// What a call costs (Node 26.10, measured; `docs/decisions/0001-ffi-signatures.md`):
// - A signature made only of `pointer` and at least two of them gets no JavaScript wrapper at all:
//   V8 calls straight into native code, about as fast as C, and allocates nothing. Arguments are
//   BigInts, so they are computed once and kept. This is the form of every call that runs per tick
//   or request, integers included: on x86-64 and arm64 a pointer and an integer argument use the
//   same register.
// - An integer type (`int32`, `uint64`, ...) adds a wrapper with range checks: 30 to 100 ns for up
//   to three arguments; with four or more a rest array, 350 to 700 ns and about 96 bytes a call.
//   Fine for the control plane.
// - A 64-bit result is a fresh BigInt: declare `int32` where the result fits.

import ffi from 'node:ffi';

type ArgumentType = 'pointer' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'string' | 'buffer';
type ReturnType = 'int32' | 'pointer' | 'void';
type Argument = bigint | number | string | null | Uint8Array;

/** A bound native function. Errors of system calls are -1 with `errno()`. */
export type NativeFunction<R> = (...args: Argument[]) => R;

// The libraries stay reachable for the life of the thread, so that no function outlives its own. A
// library object each, because one object gives one symbol one signature only.
const libraries: ffi.DynamicLibrary[] = [];

/** Binds a symbol of the running process: libc, and all that the node binary exports (libuv). */
export function bind(symbol: string, args: ArgumentType[], result: 'int32'): NativeFunction<number>;
export function bind(
  symbol: string,
  args: ArgumentType[],
  result: 'pointer',
): NativeFunction<bigint>;
export function bind(symbol: string, args: ArgumentType[], result: 'void'): NativeFunction<void>;
export function bind(
  symbol: string,
  args: ArgumentType[],
  result: ReturnType,
): NativeFunction<unknown> {
  const library = new ffi.DynamicLibrary(null);
  libraries.push(library);
  return library.getFunction(symbol, { arguments: args, return: result });
}

/** The `uv_loop_t*` of the calling thread. */
export function currentUvLoop(): bigint {
  return ffi.getCurrentEventLoop();
}

/** A view of native memory; it stays valid exactly as long as the memory stays mapped. */
export function viewMemory(address: bigint, size: number): ArrayBuffer {
  return ffi.toArrayBuffer(address, size, false);
}

/** The address of a buffer's bytes, for as long as the buffer is reachable. Control plane. */
export function addressOf(bytes: Uint8Array): bigint {
  return ffi.getRawPointer(bytes);
}

// `__errno_location` (glibc and musl) answers a thread-local address, which is fixed per thread.
const errnoLocation = bind('__errno_location', [], 'pointer');
const errnoWord = new Int32Array(viewMemory(errnoLocation(), 4));

/**
 * errno(3) of this thread. Read it right after the call that failed, or not at all: the engine may
 * overwrite it whenever it calls the system itself.
 */
export function errno(): number {
  return errnoWord[0]!;
}
