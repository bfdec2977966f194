// What Millrace asks of the kernel, in completion style: submit operations, later take their
// results. Backends stand in folders of their own; nothing above this folder knows which one runs.
//
// Owner: one thread. Data plane, `destroy` excepted.
//
// Rules that every backend keeps, and `test/contract/` checks:
// - A submission ends in exactly one completion, which names its operation, slot and generation
//   and carries a result: a count or descriptor, or an error number negated. WAKEUP, and a RECV
//   that was asked to repeat, have completions before their last one, with `more` set.
// - Nothing completes within the submitting call; `submitAndWait` is the only place that sleeps.
// - A descriptor has at most one RECV in flight, and one SEND that waits; it is closed when it has
//   neither. A listener is closed when no ACCEPT is in flight, and not used again.
// - Memory given to `send` belongs to the kernel until the completion.
// - A cancelled operation completes with -ECANCELED, or with its result if that came first. The
//   cancellation itself has no completion.

import type { BackendName } from '../base/options.ts';

/** Memory that the kernel may read and write. */
export interface IoMemory {
  /** All of it, receive buffers included: offsets in this interface are into these bytes. */
  readonly bytes: Uint8Array;
  /** Where the caller's own part begins, of the size it asked for. */
  readonly blocksOffset: number;
}

export interface Io {
  readonly backend: BackendName;
  readonly memory: IoMemory;
  /** Operations submitted whose completion was not yet taken, TIMER, WAKEUP and WATCH excepted. */
  readonly inFlight: number;

  /** Accepts one connection. Result: a non-blocking, close-on-exec descriptor. */
  accept(listenerFd: number, slot: number, generation: number): void;
  /**
   * Receives when bytes arrive: once, or with `repeat` each time until it fails or is cancelled.
   * Result: how many, in the buffer `buffer`, to be given back with `releaseBuffer`; 0 when the
   * peer has ended its side; -ENOBUFS when every buffer is taken.
   */
  recv(fd: number, slot: number, generation: number, repeat: boolean): void;
  /** Sends `size` bytes of `memory` from `offset` on. Result: how many were taken, maybe fewer. */
  send(fd: number, offset: number, size: number, slot: number, generation: number): void;
  close(fd: number, slot: number, generation: number): void;
  /**
   * Another thread goes on with this descriptor, of which nothing is in flight: at once and without
   * a completion. It may come back, and is used again like one that was accepted.
   */
  detach(fd: number): void;
  /** Asks to end the ACCEPT, RECV or SEND of a slot early. */
  cancel(operation: number, slot: number, generation: number): void;
  /** shutdown(2), at once and without a completion. */
  shutdown(fd: number, how: number): void;

  /** Asks for one TIMER completion in `delayMs` milliseconds; moves the timer if it is set. */
  setTimer(delayMs: number): void;
  /** Asks for one WATCH completion when `fd` is readable. */
  watch(fd: number): void;
  /** From now on, a WAKEUP completion follows each write to this eventfd. */
  watchWakeups(fd: number): void;

  /** Gives the kernel what was submitted and, with `wait`, sleeps until there is a completion. */
  submitAndWait(wait: boolean): void;
  /** True exactly when something was submitted that waits for `submitAndWait`. */
  readonly hasSubmissions: boolean;
  /** Completions that `nextCompletion` has not answered yet. */
  readonly completionsReady: number;
  /** Moves on to the next completion, whose parts then stand below; false when there is none. */
  nextCompletion(): boolean;
  readonly operation: number;
  readonly slot: number;
  readonly generation: number;
  readonly result: number;
  /** The receive buffer that a RECV filled, or -1. */
  readonly buffer: number;

  /** True exactly when the operation goes on: this was not its last completion. */
  readonly more: boolean;

  /** Where the bytes of a receive buffer begin. */
  bufferOffset(buffer: number): number;
  /** A receive buffer for bytes of the caller's, as if a RECV had filled it, or -1. */
  takeBuffer(): number;
  releaseBuffer(buffer: number): void;
  /** Receive buffers there are, and the bytes of one. */
  readonly bufferCount: number;
  readonly bufferSize: number;
  /** Receive buffers that hold bytes now. */
  readonly buffersUsed: number;
  readonly buffersHighWater: number;

  /** Ends everything and releases the memory. The thread no longer uses any view of it. */
  destroy(): void;
}
