// Why a server did not start: one clear line, with the cause and the remedy, and an exit code of
// sysexits.h. Control plane.

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** EX_UNAVAILABLE: the address. */
export const EXIT_UNAVAILABLE = 69;
/** EX_NOPERM. */
export const EXIT_NO_PERMISSION = 77;
/** EX_CONFIG. */
export const EXIT_CONFIG = 78;

/** Why a server does not start. The message is one line, with the cause and what helps. */
export class StartError extends Error {
  override name = 'StartError';
  /** As the program ends with: 1 failure, 69 address unavailable, 77 permission, 78 config. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What a failed bind means to the person who started the server. */
export function bindError(error: unknown, host: string, port: number): StartError {
  const code = (error as NodeJS.ErrnoException).code;
  const address = formatAddress(host, port);
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(
        `${address} is in use by another server; choose another --port, or end that server`,
        EXIT_UNAVAILABLE,
      );
    case 'EADDRNOTAVAIL':
      return new StartError(
        `${host} is not an address of this machine; choose another --host`,
        EXIT_UNAVAILABLE,
      );
    case 'EACCES':
      return new StartError(
        `no permission to listen on ${address}; choose a --port from 1024 on, or grant ` +
          'CAP_NET_BIND_SERVICE',
        EXIT_NO_PERMISSION,
      );
    default:
      return new StartError(
        `cannot listen on ${address}: ${(error as Error).message}`,
        EXIT_UNAVAILABLE,
      );
  }
}

/** What it means that two of a server are to listen on one port. */
export function portError(port: number, first: string, second: string): StartError {
  return new StartError(
    `${first} and ${second} have the same port, ${port}; give one of them another`,
    EXIT_FAILURE,
  );
}

/** What it means that io_uring was asked for, and does not work. */
export function backendError(fault: string): StartError {
  return new StartError(
    `--backend io_uring: ${fault}; allow it, or use --backend epoll`,
    EXIT_CONFIG,
  );
}

/** What a thread that could not start means: `code` is of the error it met. */
export function threadError(name: string, message: string, errorCode: string): StartError {
  const code = errorCode === 'ERR_WORKER_INIT_FAILED' ? causeOf(message) : errorCode;
  // It worked when the main thread tried it. The first line is without the stack.
  const line = message.split('\n')[0]!;
  if (line.includes('io_uring') && code !== 'EMFILE' && code !== 'ENFILE') {
    const remedy =
      code === 'ENOMEM' ? 'raise what may be locked in memory (ulimit -l) or use' : 'use';
    return new StartError(`${name}: ${line}; ${remedy} --backend epoll`, EXIT_CONFIG);
  }
  switch (code) {
    case 'EMFILE':
    case 'ENFILE':
      return new StartError(
        `${name}: too few descriptors to start; raise the limit (ulimit -n)`,
        EXIT_CONFIG,
      );
    case 'ENOMEM':
      return new StartError(
        `${name}: too little memory; lower --accept-capacity or the number of threads`,
        EXIT_CONFIG,
      );
    default:
      return new StartError(`${name} failed to start: ${message}`, EXIT_FAILURE);
  }
}

// Node could not set the thread up: the system's error stands at the end of its message.
function causeOf(message: string): string {
  return /failure: (E[A-Z]+)/.exec(message)?.[1] ?? '';
}

/** `host:port`, with an IPv6 host in brackets as in a URL. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
