// What the simulated kernel holds of a thread, and what becomes of it: the result of each kind of
// operation, with the faults that its descriptor and its kind allow.

import { ACCEPT, CLOSE, RECV, SEND, TIMER, WAKEUP, WATCH } from '../../src/io/token.ts';
import {
  ECANCELED,
  ECONNABORTED,
  ECONNRESET,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPIPE,
} from '../../src/kernel/errno.ts';
import type { Kernel } from './kernel.ts';
import type { SimIo } from './sim-io.ts';
import type { File, Socket } from './socket.ts';

export const OPERATION_NAMES = 'none accept recv send close timer wakeup watch cancel'.split(' ');
export const EBADF = 9;
const ACCEPT_FAILURES = [EMFILE, ENFILE, ENOBUFS, ENOMEM];

/** What `sendResult` answers when there are bytes left that the kernel goes on with by itself. */
export const GOES_ON = Number.NEGATIVE_INFINITY;

export interface Operation {
  readonly io: SimIo;
  readonly operation: number;
  readonly fd: number;
  readonly slot: number;
  readonly generation: number;
  readonly repeat: boolean;
  /** Of a SEND: where its bytes lie, what they were, and how many were taken. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  taken: number;
  cancelled: boolean;
  /** Of a CLOSE, which is over at once: only its completion comes later. */
  closeResult: number;
  /** Of a WAKEUP: the eventfd was written. */
  pending: boolean;
  /** Of a TIMER: when it runs out. */
  dueMs: number;
  /** Of a CANCEL: the operation that it names. */
  readonly target: number;
  /** What the descriptor was when the kernel got the operation, which holds it. */
  file: File | undefined;
}

/** What an operation is about; a descriptor may have been given away since its thread died. */
export function fileOf(kernel: Kernel, { io, fd, file }: Operation): File | undefined {
  return io.isDead ? file : kernel.file(fd);
}

/** True exactly when the kernel can go on with the operation. */
export function isReady(kernel: Kernel, operation: Operation): boolean {
  if (operation.cancelled) return true;
  const file = fileOf(kernel, operation);
  switch (operation.operation) {
    case ACCEPT:
      return file?.kind !== 'listener' || file.backlog.length > 0;
    case RECV:
      return file?.kind !== 'socket' || file.isReadable;
    case SEND:
      return file?.kind !== 'socket' || file.isWritable;
    case TIMER:
      return kernel.nowMs >= operation.dueMs;
    case WATCH:
      if (file?.kind === 'flag') return file.readable;
      return file?.kind !== 'socket' || file.isReadable;
    case WAKEUP:
      return operation.pending;
    default:
      return operation.operation === CLOSE;
  }
}

/** Answers an open socket's descriptor and the socket, or an error. */
export function acceptResult(
  kernel: Kernel,
  operation: Operation,
): { result: number; socket?: Socket } {
  const { random, faults } = kernel;
  const file = kernel.file(operation.fd);
  if (file?.kind !== 'listener') return { result: -EBADF };
  const waits = file.backlog.length > 0;
  if (operation.cancelled && !(waits && random.chance(faults.lateCancel))) {
    return { result: -ECANCELED };
  }
  if (random.chance(faults.acceptFails)) return { result: -random.pick(ACCEPT_FAILURES) };
  const socket = file.backlog.shift()!;
  if (random.chance(faults.acceptAborted)) {
    socket.abort();
    return { result: -ECONNABORTED };
  }
  return { result: kernel.open(socket), socket };
}

/** Answers how many bytes to receive, 0 or an error. */
export function recvResult(kernel: Kernel, operation: Operation, sizeMax: number): number {
  const { random, faults } = kernel;
  const file = fileOf(kernel, operation);
  if (file?.kind !== 'socket') return -EBADF;
  if (operation.cancelled && !(file.isReadable && random.chance(faults.lateCancel))) {
    return -ECANCELED;
  }
  const { size } = file.toServer;
  if (size === 0) return resetOr(file, 0);
  if (sizeMax === 0 || random.chance(faults.noBuffers)) return -ENOBUFS;
  const most = Math.min(size, sizeMax);
  return random.chance(faults.shortRecv) ? random.between(1, most) : most;
}

/** Sends what can be sent; answers how many bytes were taken, an error, or GOES_ON. */
export function sendResult(kernel: Kernel, operation: Operation): number {
  const { random, faults } = kernel;
  const { bytes } = operation;
  const file = fileOf(kernel, operation);
  if (file?.kind !== 'socket') return -EBADF;
  if (file.shutWrite || file.resetByPeer) return operation.taken || resetOr(file, -EPIPE);
  if (operation.cancelled && !(file.isWritable && random.chance(faults.lateCancel))) {
    return operation.taken || -ECANCELED;
  }
  const most = Math.min(bytes.length - operation.taken, file.toPeer.space);
  const isShort = random.chance(faults.shortSend);
  const taken = isShort ? random.between(1, most) : most;
  file.send(bytes.subarray(operation.taken, operation.taken + taken));
  operation.taken += taken;
  return isShort || operation.taken === bytes.length ? operation.taken : GOES_ON;
}

// A reset is told once; after that the connection is just over.
function resetOr(socket: Socket, otherwise: number): number {
  if (!socket.resetByPeer || socket.resetTold) return otherwise;
  socket.resetTold = true;
  return -ECONNRESET;
}
