import { equal, match, notEqual, ok, throws } from 'node:assert/strict';
import { closeSync, readFileSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { RawPeer } from '../../test/support/raw-peer.ts';
import { EADDRINUSE, EADDRNOTAVAIL, EAGAIN } from './errno.ts';
import { bind, errno } from './ffi.ts';
import {
  bindSocket,
  closeDescriptor,
  dropSyn,
  isNoDelay,
  listenSocket,
  localPort,
  openTcpSocket,
  SHUT_WR,
  setNoDelay,
  setReuseAddress,
  setReusePort,
  setV6Only,
  shutdownSocket,
} from './sockets.ts';

const EINPROGRESS = 115;
// States of <net/tcp_states.h>, as /proc/net/tcp shows them.
const ESTABLISHED = '01';
const SYN_SENT = '02';

const accept = bind('accept', ['int32', 'pointer', 'pointer'], 'int32');
const setsockopt = bind('setsockopt', ['int32', 'int32', 'int32', 'buffer', 'uint32'], 'int32');
const connect = bind('connect', ['int32', 'buffer', 'uint32'], 'int32');

function listenOn(host: string, port = 0): number {
  const fd = openTcpSocket(host);
  bindSocket(fd, host, port);
  listenSocket(fd, 16);
  return fd;
}

/** Begins a connection to 127.0.0.1 and does not wait for it. */
function beginConnect(port: number): number {
  const fd = openTcpSocket('127.0.0.1');
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  if (connect(fd, address, address.length) === -1) equal(errno(), EINPROGRESS);
  return fd;
}

/** How far the connection of a socket is: what the kernel says of its local port. */
function tcpState(fd: number, remotePort: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const ports = new RegExp(`:${hex(localPort(fd))} \\S+:${hex(remotePort)} (\\S\\S) `);
  return ports.exec(readFileSync('/proc/net/tcp', 'utf8'))?.[1];
}

test('a socket does not block, is closed on exec, and has the port it was bound to', () => {
  const fd = listenOn('127.0.0.1');
  // O_NONBLOCK and O_CLOEXEC, in octal: open(2).
  match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+0*2004002\b/);
  equal(accept(fd, 0n, 0n), -1);
  equal(errno(), EAGAIN);
  const port = localPort(fd);
  ok(port > 0 && port < 65_536);
  new RawPeer(port).close();
  closeDescriptor(fd);
});

test('a port in use, or an address of another machine, is a system error that says so', () => {
  const fd = listenOn('127.0.0.1');
  const other = openTcpSocket('127.0.0.1');
  throws(() => bindSocket(other, '127.0.0.1', localPort(fd)), {
    name: 'SystemError',
    call: 'bind',
    errno: EADDRINUSE,
    code: 'EADDRINUSE',
  });
  // TEST-NET-3, RFC 5737.
  throws(() => bindSocket(other, '203.0.113.1', 0), { errno: EADDRNOTAVAIL });
  closeDescriptor(fd);
  bindSocket(other, '127.0.0.1', 0);
  closeDescriptor(other);
});

test('the address of a listener is a literal one', () => {
  const fd = openTcpSocket('127.0.0.1');
  throws(() => bindSocket(fd, 'localhost', 0), /literal address/);
  closeDescriptor(fd);
});

test('sockets share an address when each of them asks for it', () => {
  const [first, second, third] = [0, 0, 0].map(() => openTcpSocket('127.0.0.1'));
  setReusePort(first!);
  setReusePort(second!);
  bindSocket(first!, '127.0.0.1', 0);
  bindSocket(second!, '127.0.0.1', localPort(first!));
  equal(localPort(second!), localPort(first!));
  throws(() => bindSocket(third!, '127.0.0.1', localPort(first!)), { code: 'EADDRINUSE' });
  for (const fd of [first!, second!, third!]) closeDescriptor(fd);
});

test('an address is used again while its old connections are in TIME_WAIT', () => {
  const fd = openTcpSocket('127.0.0.1');
  setReuseAddress(fd);
  bindSocket(fd, '127.0.0.1', 0);
  listenSocket(fd, 16);
  const port = localPort(fd);
  const peer = new RawPeer(port);
  // Whoever ends first keeps the TIME_WAIT: the listener's side.
  closeSync(accept(fd, 0n, 0n));
  equal(peer.recv(), '');
  peer.close();
  closeDescriptor(fd);
  const again = openTcpSocket('127.0.0.1');
  throws(() => bindSocket(again, '127.0.0.1', port), { code: 'EADDRINUSE' });
  setReuseAddress(again);
  bindSocket(again, '127.0.0.1', port);
  equal(localPort(again), port);
  closeDescriptor(again);
});

test('TCP_NODELAY is off, and inherited by accepted sockets once it is set', () => {
  const fd = listenOn('127.0.0.1');
  equal(isNoDelay(fd), false);
  setNoDelay(fd);
  equal(isNoDelay(fd), true);
  const peer = new RawPeer(localPort(fd));
  const accepted = accept(fd, 0n, 0n);
  equal(isNoDelay(accepted), true);
  closeSync(accepted);
  peer.close();
  closeDescriptor(fd);
});

test('an IPv6 listener is bound as an IPv4 one is, and leaves its port to others', (context) => {
  if (!readFileSync('/proc/net/if_inet6', 'utf8').includes(' lo\n')) {
    return context.skip('this machine has no IPv6');
  }
  const loopback = listenOn('::1');
  ok(localPort(loopback) > 0);
  const listening = new RegExp(`0+1000000:${localPort(loopback).toString(16)} \\S+ 0A `, 'i');
  match(readFileSync('/proc/net/tcp6', 'utf8'), listening);
  closeDescriptor(loopback);

  const v6 = openTcpSocket('::');
  setV6Only(v6);
  bindSocket(v6, '::', 0);
  listenSocket(v6, 1);
  const v4 = listenOn('0.0.0.0', localPort(v6));
  equal(localPort(v4), localPort(v6));
  closeDescriptor(v4);
  closeDescriptor(v6);
});

test('dropSyn: who has connected is accepted, who comes later does not get through', () => {
  const fd = listenOn('127.0.0.1');
  const port = localPort(fd);
  const before = beginConnect(port);
  equal(tcpState(before, port), ESTABLISHED);
  dropSyn(fd);
  const after = beginConnect(port);
  const accepted = accept(fd, 0n, 0n);
  notEqual(accepted, -1);
  equal(accept(fd, 0n, 0n), -1);
  equal(errno(), EAGAIN);
  equal(tcpState(after, port), SYN_SENT);
  equal(tcpState(before, port), ESTABLISHED);
  for (const each of [before, after, accepted, fd]) closeDescriptor(each);
});

test('dropSyn: connections go on, accepted ones and those that wait in the backlog', () => {
  const fd = listenOn('127.0.0.1');
  const peers = [new RawPeer(localPort(fd))];
  const servers = [accept(fd, 0n, 0n)];
  peers.push(new RawPeer(localPort(fd)));
  dropSyn(fd);
  servers.push(accept(fd, 0n, 0n));
  for (const [index, peer] of peers.entries()) {
    const bytes = Buffer.alloc(32);
    peer.send('to the server');
    equal(bytes.toString('latin1', 0, readSync(servers[index]!, bytes)), 'to the server');
    writeSync(servers[index]!, 'and back');
    equal(peer.recv(), 'and back');
    peer.close();
  }
  for (const each of [...servers, fd]) closeDescriptor(each);
});

test('dropSyn: a handshake that is under way completes', () => {
  const fd = openTcpSocket('127.0.0.1');
  bindSocket(fd, '127.0.0.1', 0);
  // TCP_DEFER_ACCEPT keeps a connection in its handshake until it has sent something: tcp(7).
  equal(setsockopt(fd, 6, 9, Buffer.from([30, 0, 0, 0]), 4), 0);
  listenSocket(fd, 16);
  const peer = new RawPeer(localPort(fd));
  equal(accept(fd, 0n, 0n), -1);
  dropSyn(fd);
  peer.send('the handshake ends with this');
  const accepted = accept(fd, 0n, 0n);
  notEqual(accepted, -1);
  peer.close();
  for (const each of [accepted, fd]) closeDescriptor(each);
});

test('a shutdown tells the peer; of a peer that is gone it answers -1 and does not throw', () => {
  const fd = listenOn('127.0.0.1');
  const peer = new RawPeer(localPort(fd));
  const accepted = accept(fd, 0n, 0n);
  equal(shutdownSocket(accepted, SHUT_WR), 0);
  equal(peer.recv(), '');
  equal(shutdownSocket(fd + 100_000, SHUT_WR), -1);
  for (const each of [accepted, fd]) closeDescriptor(each);
  peer.close();
});

test('closing what is not open is a system error', () => {
  const fd = openTcpSocket('127.0.0.1');
  closeDescriptor(fd);
  throws(() => closeDescriptor(fd), { name: 'SystemError', code: 'EBADF' });
});
