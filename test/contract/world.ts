// What the contract of `Io` needs of the world around a backend: the kernel's, or a simulated one.

/** The other end of a connection. Its calls wait for what they need. */
export interface Peer {
  send(text: string): void;
  /** Bytes as they come, or an empty string when the connection has ended. */
  recv(sizeMax?: number): string;
  /** True exactly when `recv` would not wait. */
  hasBytes(): boolean;
  recvExactly(size: number): string;
  endSending(): void;
  close(): void;
  /** Closes with a reset instead of an orderly end. */
  reset(): void;
}

export interface World {
  /** A listening socket's descriptor. */
  listen(): number;
  /** Connects to a listener; a small `receiveBuffer` makes a slow reader. */
  connect(listenerFd: number, receiveBuffer?: number): Peer;
  openEventfd(): number;
  /** Writes an eventfd. */
  signal(fd: number): void;
  close(fd: number): void;
  isOpen(fd: number): boolean;
  isNoDelay(fd: number): boolean;
  passTime(ms: number): void;
}
