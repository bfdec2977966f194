// What a thread is given when it is started, and what it and the main thread tell each other. Plain
// data and types; the channel is the thread's message port, on the control plane only.

import type { BackendName, ServerOptions } from './options.ts';

/** Sizes of the pools of a thread with connections: argued in `server/memory-plan.ts`. */
export interface PoolSizes {
  readonly submissions: number;
  readonly completions: number;
  readonly recvBuffers: number;
  readonly recvBufferSize: number;
  readonly sendBlocks: number;
  readonly sendBlockSize: number;
  readonly largeSendBlocks: number;
  readonly largeSendBlockSize: number;
  readonly recvBlocks: number;
  readonly recvBlockSize: number;
}

export interface ThreadPlan<DelegateMemory> {
  /** Among the threads of its kind. */
  readonly index: number;
  readonly options: ServerOptions;
  /** The same for all threads of a server. */
  readonly backend: BackendName;
  /** The URL of the application's module. */
  readonly app: string;
  readonly delegateMemory: DelegateMemory;
  /** By task, a word each: 1 while it is refused, because it ended too many workers. */
  readonly refusedTasks: SharedArrayBuffer;
  /** The eventfds that wake the threads, by index. */
  readonly acceptWakeups: readonly number[];
  readonly workerWakeups: readonly number[];
  readonly counters: SharedArrayBuffer;
  /** What the thread holds of the process: see `kernel/holdings.ts`. */
  readonly holdings: SharedArrayBuffer;
}

export interface AcceptThreadPlan<DelegateMemory> extends ThreadPlan<DelegateMemory> {
  readonly listenerFd: number;
  readonly pools: PoolSizes;
  /** The rows of the connections. */
  readonly rows: SharedArrayBuffer;
}

export interface WorkerThreadPlan<DelegateMemory> extends ThreadPlan<DelegateMemory> {
  /** Of the connections that the worker adopts. */
  readonly pools: PoolSizes;
  /** The most of them. */
  readonly guests: number;
}

export interface ProtocolPort {
  readonly name: string;
  readonly port: number;
}

/** From the main thread. */
export type Command =
  /** The listener listens: accept. */
  | { readonly kind: 'serve'; readonly protocolFds: readonly number[] }
  /** To a worker: the server drains, connections go home when they are served. */
  | { readonly kind: 'recall' }
  /** Answer what is in flight, then end. */
  | { readonly kind: 'drain' }
  /** As `drain`, but leave the listener to the threads that take over. */
  | { readonly kind: 'retire' }
  /** Tell how the heap of the thread is. */
  | { readonly kind: 'report' };

/** To the main thread. */
export type Report =
  /** `tasks`: the names of tasks, and behind them those of connection handlers, by index. */
  | {
      readonly kind: 'ready';
      readonly tasks: readonly string[];
      /** The names and ports of the application's protocols. */
      readonly protocols: readonly ProtocolPort[];
    }
  /** After `retire`: this thread accepts nothing more. */
  | { readonly kind: 'retired' }
  /** The thread may be ended: timers or sockets of the application may keep it alive. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'log'; readonly message: string }
  | { readonly kind: 'heap'; readonly usedBytes: number; readonly allocatedBytes: number }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string };
