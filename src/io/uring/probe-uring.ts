// Does io_uring work here? The answer is found by doing, once, what the server will do: seccomp, a
// sysctl, an old kernel and an emulated one refuse in different places, and a version number tells
// of none of them. Control plane.

import {
  ECANCELED,
  EINVAL,
  ENOMEM,
  ENOSYS,
  EPERM,
  errnoName,
  SystemError,
} from '../../kernel/errno.ts';
import { openEventfd, Wakeup } from '../../kernel/eventfd.ts';
import { missingSetupFlag } from '../../kernel/io-uring.ts';
import { closeDescriptor, openStreamPair } from '../../kernel/sockets.ts';
import type { Io } from '../io.ts';
import { CLOSE, RECV, SEND, TIMER, WAKEUP, WATCH } from '../token.ts';
import { UringIo } from './uring-io.ts';

const OPTIONS = {
  submissions: 8,
  completions: 16,
  recvBuffers: 2,
  recvBufferSize: 4096,
  blocksSize: 4096,
};
/** An operation that has not completed by then never will. */
const ANSWER_MS = 2000;

/** Answers undefined when io_uring does all that is asked of it, else what it refuses, and why. */
export function probeUring(open: () => Io = openSmall, answerMs = ANSWER_MS): string | undefined {
  let io: Io | undefined;
  const fds: number[] = [];
  try {
    io = open();
    fds.push(...openStreamPair(), openEventfd());
    return firstFault(io, fds as [number, number, number], answerMs);
  } catch (error) {
    return error instanceof SystemError
      ? refusal(error)
      : `io_uring does not work: ${(error as Error).message}`;
  } finally {
    io?.destroy();
    for (const fd of fds) closeDescriptor(fd);
  }
}

function openSmall(): Io {
  return new UringIo(OPTIONS);
}

function refusal({ call, errno, code }: SystemError): string {
  return `${call} refused, ${code}: ${causeOf(errno)}`;
}

function causeOf(errno: number): string {
  switch (errno) {
    case EPERM:
      return 'seccomp or kernel.io_uring_disabled';
    case ENOSYS:
      return 'seccomp, or a kernel without io_uring';
    case EINVAL:
      return `it lacks ${missingSetupFlag() ?? 'what is asked for'}; Linux 6.6 is needed`;
    case ENOMEM:
      return 'too little memory can be locked (ulimit -l)';
    default:
      return 'descriptors are short';
  }
}

// Two messages over a connection, with the kinds of operations that came last to io_uring.
function firstFault(
  io: Io,
  [fd, peer, eventfd]: [number, number, number],
  answerMs: number,
): string | undefined {
  const began = performance.now();
  io.setTimer(answerMs);
  io.watchWakeups(eventfd);
  io.watch(fd);
  io.recv(fd, 1, 1, true);
  for (let round = 0; round < 2; round++) {
    io.send(peer, io.memory.blocksOffset, 1, 2, 1);
    if (!completes(io, SEND) || io.result !== 1) return fault(io, 'a send');
    if (!completes(io, RECV) || io.result !== 1 || !io.more || io.buffer < 0) {
      return fault(io, 'a receive that repeats (Linux 6.0)');
    }
    io.releaseBuffer(io.buffer);
    new Wakeup(eventfd).signal();
    if (!completes(io, WAKEUP) || !io.more) return fault(io, 'a poll that repeats (Linux 5.13)');
  }
  io.cancel(RECV, 1, 1);
  if (!completes(io, RECV) || io.result !== -ECANCELED) return fault(io, 'a cancellation');
  io.setTimer(0);
  if (!completes(io, TIMER) || performance.now() - began >= answerMs) {
    return fault(io, 'moving a timeout (Linux 5.11)');
  }
  return undefined;
}

// Moves on to the next completion of an operation; false when the timer comes before it.
function completes(io: Io, operation: number): boolean {
  for (;;) {
    while (!io.nextCompletion()) io.submitAndWait(true);
    if (io.operation === operation) return true;
    if (io.operation === TIMER) return false;
    // The watch tells once, somewhere in between; all else comes in order.
    if (io.operation !== WATCH && io.operation <= CLOSE) return false;
  }
}

function fault(io: Io, what: string): string {
  const result = io.operation !== TIMER && io.result < 0 ? errnoName(-io.result) : 'no answer';
  return `io_uring refuses ${what}, ${result}`;
}
