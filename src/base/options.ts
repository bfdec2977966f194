// The options of a server, as they were resolved at start: plain data that travels to every thread.
// Types only.

/** What a thread asks the kernel with: see `io/io.ts`. */
export type BackendName = 'io_uring' | 'epoll';

export interface ServerOptions {
  /** Listen port; 0 picks a free one. */
  readonly port: number;
  /** Listen address, IPv4 or IPv6. */
  readonly host: string;
  readonly acceptThreads: number;
  /** The most simultaneous connections of one accept thread. */
  readonly acceptCapacity: number;
  /** 0 runs tasks in the accept thread. */
  readonly workerThreads: number;
  /** How long the demo's slow task takes, in milliseconds. */
  readonly slowDuration: number;
  /** How long a connection may be silent before it is closed, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
  readonly backend: 'auto' | BackendName;
  readonly verbose: boolean;
}
