import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RawPeer } from '../../test/support/raw-peer.ts';
import { errnoName } from '../kernel/errno.ts';
import { bind, errno } from '../kernel/ffi.ts';
import { closeDescriptor, isNoDelay, localPort, openTcpSocket } from '../kernel/sockets.ts';
import { acceptStream } from '../kernel/stream-calls.ts';
import { bindListeners, closeListeners, refuseNewConnections, startListening } from './listener.ts';

const HOST = '127.0.0.1';

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('several sockets are bound to one port, which is picked when none is named', () => {
  const first = bindListeners(HOST, 0, 3);
  const second = bindListeners(HOST, 0, 1);
  equal(new Set(first.fds).size, 3);
  deepEqual(first.fds.map(localPort), [first.port, first.port, first.port]);
  ok(first.port > 0);
  notEqual(second.port, first.port);
  deepEqual(first.fds.map(isNoDelay), [true, true, true]);
  closeListeners(first);
  closeListeners(second);
});

test('connections are refused until the sockets listen, and then served by any of them', () => {
  const listeners = bindListeners(HOST, 0, 2);
  const { port } = listeners;
  throws(() => new RawPeer(port), { code: 'ECONNREFUSED' });
  startListening(listeners);
  const peers = Array.from({ length: 16 }, () => new RawPeer(port));
  for (const peer of peers) peer.close();
  closeListeners(listeners);
  throws(() => new RawPeer(port), { code: 'ECONNREFUSED' });
});

test('a port is refused while another server listens on it, although that one shares it', () => {
  const first = bindListeners(HOST, 0, 2);
  startListening(first);
  const before = openDescriptors();
  throws(() => bindListeners(HOST, first.port, 2), { name: 'SystemError', code: 'EADDRINUSE' });
  throws(() => bindListeners('0.0.0.0', first.port, 1), { code: 'EADDRINUSE' });
  equal(openDescriptors(), before);
  closeListeners(first);
});

test('a port is refused while another server is bound to it and does not listen yet', () => {
  for (const port of [0, unusedPort()]) {
    const first = bindListeners(HOST, port, 2);
    const before = openDescriptors();
    throws(() => bindListeners(HOST, first.port, 2), { name: 'SystemError', code: 'EADDRINUSE' });
    equal(openDescriptors(), before);
    const elsewhere = bindListeners('127.0.0.2', first.port, 1);
    closeListeners(elsewhere);
    closeListeners(first);
    const second = bindListeners(HOST, first.port, 2);
    closeListeners(second);
  }
});

function unusedPort(): number {
  const listeners = bindListeners(HOST, 0, 1);
  closeListeners(listeners);
  return listeners.port;
}

test('a port that is free again is taken at once, at the address that is asked for', () => {
  const first = bindListeners(HOST, 0, 2);
  startListening(first);
  new RawPeer(first.port).close();
  closeListeners(first);
  const second = bindListeners(HOST, first.port, 2);
  equal(second.port, first.port);
  deepEqual(second.fds.map(localPort), [first.port, first.port]);
  startListening(second);
  const before = openDescriptors();
  closeListeners(second);
  equal(openDescriptors(), before - 2);
});

test('an address of another machine is refused, and no descriptor stays open', () => {
  const before = openDescriptors();
  // TEST-NET-3, RFC 5737.
  throws(() => bindListeners('203.0.113.1', 0, 4), { code: 'EADDRNOTAVAIL' });
  throws(() => bindListeners('203.0.113.1', 9000, 4), { code: 'EADDRNOTAVAIL' });
  equal(openDescriptors(), before);
});

test('when one socket of many fails, those before it are closed', () => {
  const url = new URL('./listener.ts', import.meta.url).href;
  const script = `
    import { readdirSync } from 'node:fs';
    import { bindListeners } from ${JSON.stringify(url)};
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    let code;
    try {
      bindListeners('127.0.0.1', 0, 100);
    } catch (error) {
      code = error.code;
    }
    console.log(code, open() - before);`;
  const flags = '--disable-warning=ExperimentalWarning --input-type=module';
  const command = `ulimit -n 60; exec "$0" ${flags} -e "$1"`;
  const output = execFileSync('/bin/sh', ['-c', command, process.execPath, script], {
    encoding: 'utf8',
  });
  equal(output, 'EMFILE 0\n');
});

test('an IPv6 server and an IPv4 server have the same port', (context) => {
  if (!readFileSync('/proc/net/if_inet6', 'utf8').includes(' lo\n')) {
    return context.skip('this machine has no IPv6');
  }
  const v6 = bindListeners('::', 0, 2);
  startListening(v6);
  const v4 = bindListeners('0.0.0.0', v6.port, 2);
  startListening(v4);
  new RawPeer(v4.port).close();
  throws(() => bindListeners('::1', v6.port, 1), { code: 'EADDRINUSE' });
  closeListeners(v6);
  closeListeners(v4);
});

const connect = bind('connect', ['int32', 'buffer', 'uint32'], 'int32');
const setsockopt = bind('setsockopt', ['int32', 'int32', 'int32', 'buffer', 'uint32'], 'int32');
const SOL_SOCKET = 1;
const SO_LOCK_FILTER = 44;

/** Begins to connect without waiting, then asks how it went: EISCONN, or EALREADY. */
function stateOfConnect(fd: number, port: number): string {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  let code = '';
  // The first call answers EINPROGRESS, or 0; the one after it tells.
  for (let call = 0; call < 3; call++) {
    code = connect(fd, address, address.length) === 0 ? '' : errnoName(errno());
  }
  return code;
}

const poll = bind('poll', ['buffer', 'uint64', 'int32'], 'int32');
const POLLOUT = 4;

/** Waits until a socket that connects is connected; false when it is not in so many seconds. */
function isConnected(fd: number, seconds: number): boolean {
  const sockets = Buffer.alloc(8);
  sockets.writeInt32LE(fd, 0);
  sockets.writeInt16LE(POLLOUT, 4);
  return poll(sockets, 1n, seconds * 1000) === 1 && sockets.readInt16LE(6) === POLLOUT;
}

test('4096 connections wait to be accepted, and the SYN of another is dropped and repeated', () => {
  const listeners = bindListeners(HOST, 0, 1);
  const { fds, port } = listeners;
  startListening(listeners);
  const cap = Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'));
  // A queue is full with one more than its length. Those that have gone keep their places.
  for (let left = Math.min(4096, cap) + 1; left > 0; left--) {
    const fd = openTcpSocket(HOST);
    stateOfConnect(fd, port);
    ok(isConnected(fd, 5), `${left} are missing`);
    closeDescriptor(fd);
  }
  const late = openTcpSocket(HOST);
  equal(stateOfConnect(late, port), 'EALREADY');
  closeDescriptor(acceptStream(BigInt(fds[0]!)));
  // By the next repetition there is a place: the first is a second later (tcp(7)).
  ok(isConnected(late, 30));
  closeDescriptor(late);
  closeListeners(listeners);
});

test('without the filter, which some systems refuse, one new connection waits at a time', () => {
  const listeners = bindListeners(HOST, 0, 1);
  const { fds, port } = listeners;
  startListening(listeners);
  const lock = Buffer.from([1, 0, 0, 0]);
  equal(setsockopt(fds[0]!, SOL_SOCKET, SO_LOCK_FILTER, lock, lock.length), 0);
  equal(refuseNewConnections(fds[0]!), false);
  const peers = [openTcpSocket(HOST), openTcpSocket(HOST)];
  deepEqual(
    peers.map((fd) => stateOfConnect(fd, port)),
    ['EISCONN', 'EALREADY'],
  );
  for (const fd of peers) closeDescriptor(fd);
  closeListeners(listeners);
});
