// What Millrace asks of Node's own event loop, through libuv's functions, which the node binary
// exports. No native callback stays registered: one that did would abort the whole process when its
// thread is ended (`docs/decisions/0003-inside-nodes-loop.md`). Data plane, the constructor apart.

import { assert } from '../base/assert.ts';
import { bind, currentUvLoop, withCallback } from './ffi.ts';

// libuv takes one argument in most of these. A second, ignored one makes the signature one that
// needs no wrapper (see `ffi.ts`); an unused argument register is harmless on x86-64 and arm64.
const updateTime = bind('uv_update_time', ['pointer', 'pointer'], 'void');
const isActive = bind('uv_is_active', ['pointer', 'pointer'], 'int32');
// uint64_t in libuv, but a delay that fits in 31 bits is all that is asked, and no BigInt is made.
const dueIn = bind('uv_timer_get_due_in', ['pointer', 'pointer'], 'int32');
const backendFd = bind('uv_backend_fd', ['pointer'], 'int32');
const walk = bind('uv_walk', ['pointer', 'pointer', 'pointer'], 'void');
const handleType = bind('uv_handle_get_type', ['pointer'], 'int32');
const UV_TIMER = 13;

// Deprecated in Node's documentation alone (DEP0134), and there is nothing in its place. Without it
// what is queued waits for the next turn of Node's.
const runQueued = (process as { _tickCallback?: () => void })._tickCallback;

/** What `nodeTimerDueMs` answers when Node has planned nothing. */
export const NOTHING_PLANNED = -1;

export class NodeLoop {
  /** Readable when libuv has I/O of its own, or a message from another thread, to look at. */
  readonly backendFd: number;
  readonly #loop: bigint;
  readonly #timer: bigint;

  /** Finds the loop of the calling thread and the one timer handle that Node multiplexes. */
  constructor() {
    this.#loop = currentUvLoop();
    this.backendFd = backendFd(this.#loop);
    const timers: bigint[] = [];
    withCallback(
      (handle) => {
        if (handleType(handle) === UV_TIMER) timers.push(handle);
      },
      (callback) => walk(this.#loop, callback, 0n),
    );
    assert(timers.length > 0, 'Node has a timer handle');
    this.#timer = timers[0]!;
  }

  /** Milliseconds until a timer of Node's is due, or NOTHING_PLANNED when none is set. */
  nodeTimerDueMs(): number {
    if (isActive(this.#timer, 0n) === 0) return NOTHING_PLANNED;
    updateTime(this.#loop, 0n);
    return dueIn(this.#timer, 0n);
  }

  /**
   * Runs what promises and `process.nextTick` have queued, as Node does behind each callback. What
   * a callback of `nextTick` throws must not be caught: whoever does leaves Node's async hooks with
   * a context too many, and the process aborts.
   */
  runMicrotasks(): void {
    runQueued?.();
  }

  /**
   * True exactly when an immediate waits that keeps Node alive; within one, others than that. libuv
   * cannot tell it from the one that a turn runs in. About 0.1 us and a small array.
   */
  hasImmediates(): boolean {
    return process.getActiveResourcesInfo().includes('Immediate');
  }
}
