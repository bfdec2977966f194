import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP, Epoll } from './epoll.ts';
import { openEventfd, Wakeup } from './eventfd.ts';
import { closeDescriptor, openStreamPair } from './sockets.ts';
import { TimerFd } from './timerfd.ts';

const { EBADF, EEXIST, ENOENT } = constants.errno;

function events(epoll: Epoll, sleep = false): [fd: number, bits: number][] {
  const count = epoll.wait(sleep);
  return Array.from({ length: count }, (_, index) => [
    epoll.eventFd(index),
    epoll.eventBits(index),
  ]);
}

test('an event names its descriptor and what it is ready for, each in its own place', () => {
  const epoll = new Epoll(8);
  const pair = openStreamPair();
  equal(epoll.add(pair[0], BigInt(pair[0]), EPOLLIN | EPOLLOUT), 0);
  equal(epoll.add(pair[1], BigInt(pair[1]), EPOLLIN | EPOLLRDHUP), 0);
  deepEqual(events(epoll), [[pair[0], EPOLLOUT]]);
  closeDescriptor(pair[0]);
  const [[fd, bits]] = events(epoll) as [[number, number]];
  equal(fd, pair[1]);
  equal(bits & EPOLLRDHUP, EPOLLRDHUP);
  closeDescriptor(pair[1]);
  epoll.close();
});

test('what is refused is an error number, negated', () => {
  const epoll = new Epoll(1);
  const fd = openEventfd();
  const pointer = BigInt(fd);
  equal(epoll.modify(fd, pointer, EPOLLIN), -ENOENT);
  equal(epoll.add(fd, pointer, EPOLLIN), 0);
  equal(epoll.add(fd, pointer, EPOLLIN), -EEXIST);
  equal(epoll.add(1_000_000, 1_000_000n, EPOLLIN), -EBADF);
  closeDescriptor(fd);
  epoll.close();
});

test('no more events at a time than there is room for, and the others after them', () => {
  const epoll = new Epoll(2);
  const fds = [openEventfd(), openEventfd(), openEventfd()];
  for (const fd of fds) {
    epoll.add(fd, BigInt(fd), EPOLLIN | EPOLLET);
    new Wakeup(fd).signal();
  }
  const seen = [...events(epoll), ...events(epoll)].map(([fd]) => fd);
  deepEqual(seen.toSorted(), fds.toSorted());
  deepEqual(events(epoll), []);
  for (const fd of fds) closeDescriptor(fd);
  epoll.close();
});

test('an eventfd on its edge tells each signal, without being read', () => {
  const epoll = new Epoll(2);
  const fd = openEventfd();
  epoll.add(fd, BigInt(fd), EPOLLIN | EPOLLET);
  const wakeup = new Wakeup(fd);
  for (let round = 0; round < 3; round++) {
    wakeup.signal();
    deepEqual(events(epoll, true), [[fd, EPOLLIN]]);
    deepEqual(events(epoll), []);
  }
  closeDescriptor(fd);
  epoll.close();
});

test('a descriptor that tells once tells again when it is modified', () => {
  const epoll = new Epoll(2);
  const fd = openEventfd();
  epoll.add(fd, BigInt(fd), EPOLLIN | EPOLLONESHOT);
  new Wakeup(fd).signal();
  equal(events(epoll).length, 1);
  new Wakeup(fd).signal();
  equal(events(epoll).length, 0);
  epoll.modify(fd, BigInt(fd), EPOLLIN | EPOLLONESHOT);
  equal(events(epoll).length, 1);
  closeDescriptor(fd);
  epoll.close();
});

test('a timer is no event until it is due, and not when it was set to later', () => {
  const epoll = new Epoll(2);
  const timer = new TimerFd();
  epoll.add(timer.fd, timer.pointer, EPOLLIN | EPOLLET);
  timer.set(3_600_000);
  deepEqual(events(epoll), []);
  const began = performance.now();
  timer.set(20);
  deepEqual(events(epoll, true), [[timer.fd, EPOLLIN]]);
  ok(performance.now() - began >= 19.9);
  timer.set(0);
  deepEqual(events(epoll, true), [[timer.fd, EPOLLIN]]);
  timer.set(0);
  timer.set(3_600_000);
  deepEqual(events(epoll), []);
  timer.close();
  epoll.close();
});

test('closing leaves no descriptor', () => {
  const before = readdirSync('/proc/self/fd').length;
  new TimerFd().close();
  new Epoll(1).close();
  equal(readdirSync('/proc/self/fd').length, before);
});
