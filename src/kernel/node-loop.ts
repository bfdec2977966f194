// What Millrace asks of Node's own event loop, through libuv's functions, which the node binary
// exports. No native callback stays registered: one that did would abort the whole process when its
// thread is ended (`docs/decisions/0003-inside-nodes-loop.md`). Data plane, the constructor apart.

import { AsyncLocalStorage } from 'node:async_hooks';
import { bind, currentUvLoop } from './ffi.ts';

// libuv takes one argument in most of these. A second, ignored one makes the signature one that
// needs no wrapper (see `ffi.ts`); an unused argument register is harmless on x86-64 and arm64.
const updateTime = bind('uv_update_time', ['pointer', 'pointer'], 'void');
const backendTimeout = bind('uv_backend_timeout', ['pointer', 'pointer'], 'int32');
const backendFd = bind('uv_backend_fd', ['pointer'], 'int32');

// Deprecated in Node's documentation alone (DEP0134), and there is nothing in its place. Without it
// what is queued waits for the next turn of Node's.
const runQueued = (process as { _tickCallback?: () => void })._tickCallback;

/** What `timeoutMs` answers when Node has planned nothing. */
export const NOTHING_PLANNED = -1;

export class NodeLoop {
  /** Readable when libuv has I/O of its own, or a message from another thread, to look at. */
  readonly backendFd: number;
  /** Calls back in Node's next turn, in the async context in which this was made. */
  readonly nextTurn: (turn: () => void) => void;
  readonly #loop: bigint;

  /** Finds the loop of the calling thread. */
  constructor() {
    // Code of the user may have entered a context of its own by then (`AsyncLocalStorage`).
    const inContext = AsyncLocalStorage.snapshot();
    this.nextTurn = (turn) => inContext(setImmediate, turn);
    this.#loop = currentUvLoop();
    this.backendFd = backendFd(this.#loop);
  }

  /**
   * Within an immediate: from here on `timeoutMs` does not count that one. While Node works through
   * immediates, libuv believes that some wait; one that is given up makes Node tell it whether.
   */
  beginTurn(): void {
    const none = setImmediate(nothing);
    none.unref();
    clearImmediate(none);
  }

  /**
   * How long libuv may be left alone, in milliseconds: until the next timer is due, V8's included,
   * or 0 when it has something to do now: an immediate waits, I/O that code of the user began is
   * not known to the kernel yet, a handle is being closed, or nothing keeps the thread alive.
   * NOTHING_PLANNED: until the backend descriptor is readable.
   */
  timeoutMs(): number {
    updateTime(this.#loop, 0n);
    return backendTimeout(this.#loop, 0n);
  }

  /**
   * Runs what promises and `process.nextTick` have queued, as Node does behind each callback. What
   * a callback of `nextTick` throws must not be caught: whoever does leaves Node's async hooks with
   * a context too many, and the process aborts.
   */
  runMicrotasks(): void {
    runQueued?.();
  }

  /** An application's handlers of uncaught errors are not asked about what is thrown now. */
  failForGood(): void {
    process.removeAllListeners('uncaughtException');
    process.setUncaughtExceptionCaptureCallback(null);
  }
}

function nothing(): void {}
