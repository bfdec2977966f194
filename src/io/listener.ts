// Listening sockets: one for each accept thread on the same address, so that the kernel spreads the
// connections over them. The main thread makes and ends them. Control plane.

import { isIPv6 } from 'node:net';
import { SystemError } from '../kernel/errno.ts';
import {
  bindSocket,
  closeDescriptor,
  dropSyn,
  duplicateDescriptor,
  encodeAddress,
  holdName,
  listenSocket,
  localPort,
  openTcpSocket,
  setNoDelay,
  setNotSentMax,
  setReuseAddress,
  setReusePort,
  setV6Only,
} from '../kernel/sockets.ts';

/** The kernel caps it at net.core.somaxconn (listen(2)), 4096 since 5.4. */
const BACKLOG = 4096;
/**
 * Without it a send buffer grows to megabytes for each peer that reads slowly (tcp_wmem), and says
 * that there is space again only when a third of it was taken: too late for a send timeout to tell
 * a slow peer from one that is gone.
 */
const NOT_SENT_SIZE_MAX = 131_072;

export interface Listeners {
  readonly port: number;
  readonly fds: readonly number[];
  /** Held until they listen; none where another server of this process may listen there too. */
  readonly lock?: PortLock;
}

/**
 * Binds `count` sockets to one address; `port` 0 picks a free one. They do not listen yet, and keep
 * others from binding the same address until they do. With `isShared` another server of this
 * process may listen there.
 *
 * @throws SystemError EADDRINUSE also when the other user of the port is a server of the same user
 * with SO_REUSEPORT, which the kernel alone would let share it.
 */
export function bindListeners(
  host: string,
  port: number,
  count: number,
  isShared = false,
): Listeners {
  const fds: number[] = [];
  let lock: PortLock | undefined;
  try {
    if (port !== 0 && !isShared) {
      lock = new PortLock(host, port);
      assertUnused(host, port);
    }
    let boundPort = port;
    for (let index = 0; index < count; index++) {
      const fd = openTcpSocket(host);
      fds.push(fd);
      setReusePort(fd);
      setReuseAddress(fd);
      setNoDelay(fd);
      setNotSentMax(fd, NOT_SENT_SIZE_MAX);
      if (isIPv6(host)) setV6Only(fd);
      bindSocket(fd, host, boundPort);
      boundPort = localPort(fd);
    }
    if (isShared) return { port: boundPort, fds };
    lock ??= new PortLock(host, boundPort);
    return { port: boundPort, fds, lock };
  } catch (error) {
    for (const fd of fds) closeDescriptor(fd);
    lock?.release();
    throw error;
  }
}

/** Lets connections in: until now they were refused. */
export function startListening({ fds, lock }: Listeners): void {
  for (const fd of fds) listenSocket(fd, BACKLOG);
  lock?.release();
}

/**
 * From now on new connections are ignored, and handshakes under way complete. Some systems refuse
 * the filter to users without privileges: then new ones still come in, but no more than one waits
 * at a time, and the others are ignored (listen(2), a backlog of zero). Answers whether all are.
 */
export function refuseNewConnections(fd: number): boolean {
  try {
    dropSyn(fd);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    listenSocket(fd, 0);
    return false;
  }
}

/** Further descriptors of the same listening sockets, with one backlog in common. */
export function duplicateListeners({ port, fds }: Listeners): Listeners {
  return { port, fds: fds.map(duplicateDescriptor) };
}

export function closeListeners({ fds, lock }: Listeners): void {
  for (const fd of fds) closeDescriptor(fd);
  lock?.release();
}

/**
 * Keeps an address for its sockets while they do not listen: until then `assertUnused` does not see
 * them. Of one user, because the kernel refuses SO_REUSEPORT to sockets of several.
 */
class PortLock {
  #fd: number | undefined;

  constructor(host: string, port: number) {
    const address = encodeAddress(host, port).toString('hex');
    this.#fd = holdName(`millrace-port-${process.geteuid!()}-${address}`);
  }

  release(): void {
    if (this.#fd !== undefined) closeDescriptor(this.#fd);
    this.#fd = undefined;
  }
}

// Without SO_REUSEPORT the kernel refuses an address that any socket listens on.
function assertUnused(host: string, port: number): void {
  const fd = openTcpSocket(host);
  try {
    setReuseAddress(fd);
    if (isIPv6(host)) setV6Only(fd);
    bindSocket(fd, host, port);
    listenSocket(fd, 1);
  } finally {
    closeDescriptor(fd);
  }
}
