// Sockets on the control plane: socket(7), tcp(7), ip(7), bind(2), listen(2), shutdown(2). What
// runs per connection is submitted to an `Io` instead, `shutdownSocket` excepted (data plane).
// Constants are those of <asm-generic/socket.h>: the same on x86-64 and arm64.

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { assert } from '../base/assert.ts';
import { checked, SystemError } from './errno.ts';
import { addressOf, bind, errno } from './ffi.ts';

export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
/** In `msg_flags`: a peer that is gone is an EPIPE, not a signal. */
export const MSG_NOSIGNAL = 0x4000;
/** In `msg_flags` of a send on io_uring: the kernel retries a short send by itself (5.19). */
export const MSG_WAITALL = 0x100;
/** `linux/fcntl.h`. */
const F_DUPFD_CLOEXEC = 1030;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_ATTACH_FILTER = 26;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_NOTSENT_LOWAT = 25;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

const socket = bind('socket', ['int32', 'int32', 'int32'], 'int32');
const setsockopt = bind('setsockopt', ['int32', 'int32', 'int32', 'buffer', 'uint32'], 'int32');
const getsockopt = bind('getsockopt', ['int32', 'int32', 'int32', 'buffer', 'buffer'], 'int32');
const bindCall = bind('bind', ['int32', 'buffer', 'uint32'], 'int32');
const listen = bind('listen', ['int32', 'int32'], 'int32');
const getsockname = bind('getsockname', ['int32', 'buffer', 'buffer'], 'int32');
const getpeername = bind('getpeername', ['int32', 'buffer', 'buffer'], 'int32');
const inetPton = bind('inet_pton', ['int32', 'string', 'buffer'], 'int32');
const socketpair = bind('socketpair', ['int32', 'int32', 'int32', 'buffer'], 'int32');
// The third argument of F_DUPFD_CLOEXEC is an int.
const fcntl = bind('fcntl', ['int32', 'int32', 'int32'], 'int32');
const close = bind('close', ['int32'], 'int32');
const shutdown = bind('shutdown', ['int32', 'int32'], 'int32');

/** A non-blocking TCP socket for the family of `host`, an IPv4 or IPv6 address. */
export function openTcpSocket(host: string): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return checked('socket', socket(isIPv6(host) ? AF_INET6 : AF_INET, type, 0));
}

/** Two connected, non-blocking sockets that are of no network: unix(7). */
export function openStreamPair(): [number, number] {
  const fds = Buffer.alloc(8);
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  checked('socketpair', socketpair(AF_UNIX, type, 0, fds));
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/**
 * A descriptor that holds `name` as long as it is open: an abstract address of unix(7), which is of
 * the network namespace, as ports are. @throws SystemError EADDRINUSE while another one holds it.
 */
export function holdName(name: string): number {
  const fd = checked('socket', socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // struct sockaddr_un: the family, then a zero byte and the name, as long as the address is.
  const address = Buffer.from(`\0\0\0${name}`, 'latin1');
  assert(address.length <= 110, 'a name fits in sockaddr_un');
  address.writeUInt16LE(AF_UNIX, 0);
  try {
    checked('bind', bindCall(fd, address, address.length));
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return fd;
}

export function bindSocket(fd: number, host: string, port: number): void {
  const address = encodeAddress(host, port);
  checked('bind', bindCall(fd, address, address.length));
}

export function listenSocket(fd: number, backlog: number): void {
  checked('listen', listen(fd, backlog));
}

/** The port a socket is bound to. */
export function localPort(fd: number): number {
  const address = Buffer.alloc(28);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(address.length);
  checked('getsockname', getsockname(fd, address, size));
  return address.readUInt16BE(2);
}

/** Where the other end of a connection is. */
export interface PeerAddress {
  /** IPv4 or IPv6. */
  readonly address: string;
  readonly port: number;
}

/** getpeername(2), or undefined for what is no connection over a network. Control plane. */
export function peerAddress(fd: number): PeerAddress | undefined {
  const bytes = Buffer.alloc(28);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  if (getpeername(fd, bytes, size) !== 0) return undefined;
  const family = bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (family === AF_INET) return { address: bytes.subarray(4, 8).join('.'), port };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + 2 * index));
  const text = groups.map((group) => group.toString(16)).join(':');
  return { address: new SocketAddress({ address: text, family: 'ipv6' }).address, port };
}

/** Several sockets of one user may listen on one address; the kernel spreads connections (3.9). */
export function setReusePort(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/** Binding does not wait for connections in TIME_WAIT; another listener still makes it fail. */
export function setReuseAddress(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/** On a listening socket: accepted sockets inherit it on Linux, which saves a call for each. */
export function setNoDelay(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * The most bytes that wait in the kernel to be sent for the first time; more find no space. On a
 * listening socket: accepted sockets inherit it (tcp(7), TCP_NOTSENT_LOWAT, 3.12).
 */
export function setNotSentMax(fd: number, size: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, size);
}

export function isNoDelay(fd: number): boolean {
  const value = Buffer.alloc(4);
  const size = Buffer.from([4, 0, 0, 0]);
  checked('getsockopt', getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, value, size));
  return value.readInt32LE() !== 0;
}

/** An IPv6 listener leaves the IPv4 port to others. */
export function setV6Only(fd: number): void {
  setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

/**
 * Makes a listening socket ignore new connection attempts while handshakes under way complete:
 * a classic BPF program (socket(7), SO_ATTACH_FILTER) that drops every segment with SYN set. The
 * peer repeats its SYN a second later and then meets whoever listens by that time.
 */
export function dropSyn(fd: number): void {
  // struct sock_filter {u16 code; u8 jt; u8 jf; u32 k}; the packet begins at the TCP header.
  const program = Buffer.alloc(4 * 8);
  const instruction = (at: number, code: number, jt: number, jf: number, k: number): void => {
    program.writeUInt16LE(code, at * 8);
    program.writeUInt8(jt, at * 8 + 2);
    program.writeUInt8(jf, at * 8 + 3);
    program.writeUInt32LE(k, at * 8 + 4);
  };
  const LOAD_BYTE = 0x30;
  const JUMP_IF_SET = 0x45;
  const RETURN = 0x06;
  instruction(0, LOAD_BYTE, 0, 0, 13);
  instruction(1, JUMP_IF_SET, 0, 1, 0x02);
  instruction(2, RETURN, 0, 0, 0);
  instruction(3, RETURN, 0, 0, 0xffff_ffff);
  // struct sock_fprog {u16 len; padding; struct sock_filter *filter}.
  const header = Buffer.alloc(16);
  header.writeUInt16LE(4, 0);
  header.writeBigUInt64LE(addressOf(program), 8);
  checked('setsockopt', setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, header, header.length));
  assert(program.length === 32, 'the program stays reachable until the kernel has copied it');
}

function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  checked('setsockopt', setsockopt(fd, level, name, bytes, bytes.length));
}

// struct sockaddr_in (ip(7)) and struct sockaddr_in6 (ipv6(7)).
export function encodeAddress(host: string, port: number): Buffer {
  assert(isIPv4(host) || isIPv6(host), 'a listener is bound to a literal address');
  const v6 = isIPv6(host);
  const address = Buffer.alloc(v6 ? 28 : 16);
  address.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
  address.writeUInt16BE(port, 2);
  const bytes = address.subarray(v6 ? 8 : 4, v6 ? 24 : 8);
  if (inetPton(v6 ? AF_INET6 : AF_INET, host, bytes) !== 1) throw new SystemError('inet_pton', 22);
  return address;
}

/** Answers 0, or -1 with errno: a peer that is gone already is no error to act on. Data plane. */
export function shutdownSocket(fd: number, how: number): number {
  return shutdown(fd, how);
}

/**
 * Ends a connection whose thread is gone: a ring that is not quite closed may hold the socket for a
 * while, and its peer is told at once. Control plane.
 */
export function abandonSocket(fd: number): void {
  shutdown(fd, SHUT_RDWR);
  close(fd);
}

/** close(2). An error is a programmer's: the descriptor was not open. Control plane. */
/** Another descriptor of the same socket, which is closed by itself: fcntl(2), F_DUPFD_CLOEXEC. */
export function duplicateDescriptor(fd: number): number {
  return checked('fcntl', fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

export function closeDescriptor(fd: number): void {
  if (close(fd) === -1) throw new SystemError('close', errno());
}
