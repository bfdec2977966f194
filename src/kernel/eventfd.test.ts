import { equal, match, throws } from 'node:assert/strict';
import { readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { openEventfd, Wakeup } from './eventfd.ts';
import { closeDescriptor } from './sockets.ts';

function readCounter(fd: number): bigint {
  const bytes = Buffer.alloc(8);
  equal(readSync(fd, bytes), 8);
  return bytes.readBigUInt64LE();
}

test('each signal adds one, from any number of writing ends', () => {
  const fd = openEventfd();
  const first = new Wakeup(fd);
  const second = new Wakeup(fd);
  first.signal();
  second.signal();
  first.signal();
  equal(readCounter(fd), 3n);
  second.signal();
  equal(readCounter(fd), 1n);
  closeDescriptor(fd);
});

test('a descriptor that was not signalled has nothing to read, and does not block', () => {
  const fd = openEventfd();
  throws(() => readCounter(fd), { code: 'EAGAIN' });
  // O_NONBLOCK and O_CLOEXEC, in octal: open(2).
  match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+0*2004002\b/);
  closeDescriptor(fd);
});

test('signals to two descriptors do not mix', () => {
  const fds = [openEventfd(), openEventfd()] as const;
  new Wakeup(fds[1]).signal();
  throws(() => readCounter(fds[0]), { code: 'EAGAIN' });
  equal(readCounter(fds[1]), 1n);
  for (const fd of fds) closeDescriptor(fd);
});
