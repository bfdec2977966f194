// The world of the contract suite as it is: descriptors, sockets and time of this machine.

import { closeSync, fstatSync } from 'node:fs';
import { bindListeners, startListening } from '../../src/io/listener.ts';
import { openEventfd, Wakeup } from '../../src/kernel/eventfd.ts';
import { isNoDelay, localPort } from '../../src/kernel/sockets.ts';
import type { World } from '../contract/world.ts';
import { RawPeer } from './raw-peer.ts';

export const realWorld: World = {
  listen() {
    const listeners = bindListeners('127.0.0.1', 0, 1);
    const { fds } = listeners;
    startListening(listeners);
    return fds[0]!;
  },
  connect: (listenerFd, receiveBuffer) => new RawPeer(localPort(listenerFd), receiveBuffer),
  openEventfd,
  signal: (fd) => new Wakeup(fd).signal(),
  close: closeSync,
  isOpen(fd) {
    try {
      fstatSync(fd);
      return true;
    } catch {
      return false;
    }
  },
  isNoDelay,
  passTime(ms) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },
};
