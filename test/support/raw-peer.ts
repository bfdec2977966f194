// A TCP peer made of plain, blocking system calls, for tests that drive an `Io` by hand: the
// thread's own event loop does not run while such a test waits.

import { checked } from '../../src/kernel/errno.ts';
import { bind } from '../../src/kernel/ffi.ts';
import { closeDescriptor, shutdownSocket } from '../../src/kernel/sockets.ts';

const socket = bind('socket', ['int32', 'int32', 'int32'], 'int32');
const connect = bind('connect', ['int32', 'buffer', 'uint32'], 'int32');
const send = bind('send', ['int32', 'buffer', 'uint64', 'int32'], 'int32');
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const recv = bind('recv', ['int32', 'buffer', 'uint64', 'int32'], 'int32');
const setsockopt = bind('setsockopt', ['int32', 'int32', 'int32', 'buffer', 'uint32'], 'int32');
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const MSG_OOB = 1;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;

export class RawPeer {
  readonly fd: number;

  /** Connects to 127.0.0.1; a small `receiveBuffer` makes a slow reader. */
  constructor(port: number, receiveBuffer = 0) {
    this.fd = checked('socket', socket(AF_INET, SOCK_STREAM, 0));
    if (receiveBuffer > 0) {
      const size = Buffer.alloc(4);
      size.writeInt32LE(receiveBuffer);
      checked('setsockopt', setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, size, 4));
    }
    const address = Buffer.alloc(16);
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.set([127, 0, 0, 1], 4);
    checked('connect', connect(this.fd, address, address.length));
  }

  /** From now on `recv` throws EAGAIN when nothing came for so many seconds: socket(7). */
  setTimeout(seconds: number): void {
    const time = Buffer.alloc(16);
    time.writeInt32LE(seconds);
    checked('setsockopt', setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, time, time.length));
  }

  send(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    checked('send', send(this.fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL));
  }

  /** Sends bytes of which the last one is urgent: recv(2), MSG_OOB. */
  sendUrgent(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    checked('send', send(this.fd, bytes, BigInt(bytes.length), MSG_OOB));
  }

  /** Blocks until bytes, or the end (an empty string), arrive. */
  recv(sizeMax = 65536): string {
    const bytes = Buffer.alloc(sizeMax);
    const size = checked('recv', recv(this.fd, bytes, BigInt(sizeMax), 0));
    return bytes.toString('latin1', 0, size);
  }

  /** True exactly when `recv` would not wait. */
  hasBytes(): boolean {
    return recv(this.fd, Buffer.alloc(1), 1n, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }

  recvExactly(size: number): string {
    let text = '';
    while (text.length < size) {
      const part = this.recv(size - text.length);
      if (part === '') break;
      text += part;
    }
    return text;
  }

  endSending(): void {
    shutdownSocket(this.fd, SHUT_WR);
  }

  close(): void {
    closeDescriptor(this.fd);
  }

  /** Closes with a reset instead of an orderly end: socket(7), SO_LINGER with a time of zero. */
  reset(): void {
    const linger = Buffer.alloc(8);
    linger.writeInt32LE(1, 0);
    checked('setsockopt', setsockopt(this.fd, SOL_SOCKET, SO_LINGER, linger, linger.length));
    this.close();
  }
}
