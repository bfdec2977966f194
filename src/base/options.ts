// The options of a server, as they were resolved at start: plain data that travels to every thread.
// Types only.

/** What a thread asks the kernel with: see `io/io.ts`. */
export type BackendName = 'io_uring' | 'epoll';

export interface RequestOptions {
  /** How long a connection may wait for its next request, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** How long the head of a request may take from its first byte, in milliseconds. */
  readonly headerTimeoutMs: number;
  /**
   * How long the body of a request may make no progress, in milliseconds. As a whole it may take
   * this long and one second more for each 1024 bytes.
   */
  readonly bodyTimeoutMs: number;
  /** How long a peer may take for one send block of its responses, in milliseconds. */
  readonly sendTimeoutMs: number;
  /**
   * How long a handler may take, in milliseconds: from its call, or the last bytes of the body it
   * was given, until its response begins.
   */
  readonly handlerTimeoutMs: number;
  /** The most bytes of a body that a handler may read as a whole. */
  readonly bodySizeMax: number;
  /** The most requests of one connection. */
  readonly requestsMax: number;
}

/** The options of a server, all of them. The defaults are those of the command line. */
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
  /** The most async tasks that a worker runs at a time. */
  readonly workerConcurrency: number;
  /** How long a task may take from its delegation, in milliseconds. */
  readonly taskTimeoutMs: number;
  /** Bytes that the input or the result of a task may have at least. */
  readonly taskSize: number;
  /** The most tasks of one accept thread that wait or run; 0: what the memory plan says. */
  readonly taskQueue: number;
  /** What becomes of a task beyond them: 503, or it runs in the accept thread. */
  readonly taskQueueFull: 'refuse' | 'inline';
  /** The most workers that a task may end within a minute before it is refused; 0: any number. */
  readonly taskDeaths: number;
  /** By how much worker threads stand back when CPUs are short: nice(2), 0 to 19. */
  readonly workerNice: number;
  /** The most MiB of a worker's JavaScript heap; 0: what Node says. */
  readonly workerHeap: number;
  /** The demo has routes that harm: see `demo/app.ts`. */
  readonly demoFaults: boolean;
  /** How long the demo's slow task takes, in milliseconds. */
  readonly slowDuration: number;
  /** Timeouts and limits of requests. */
  readonly requests: RequestOptions;
  /** How long a server that ends waits for what is in flight, in milliseconds. */
  readonly drainTimeoutMs: number;
  readonly backend: 'auto' | BackendName;
  readonly verbose: boolean;
}
