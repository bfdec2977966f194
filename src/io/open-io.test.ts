import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { EINVAL, EMFILE, ENOSYS, EPERM, SystemError } from '../kernel/errno.ts';
import { missingSetupFlag } from '../kernel/io-uring.ts';
import { EpollIo } from './epoll/epoll-io.ts';
import type { IoOptions } from './io-options.ts';
import { chooseBackend, openIo } from './open-io.ts';
import { probeUring } from './uring/probe-uring.ts';

const OPTIONS: IoOptions = {
  submissions: 8,
  completions: 16,
  recvBuffers: 2,
  recvBufferSize: 4096,
  blocksSize: 4096,
};

test('auto is io_uring where it works, and epoll elsewhere', () => {
  deepEqual(
    chooseBackend('auto', [], () => undefined),
    { backend: 'io_uring', reason: 'this kernel allows it' },
  );
  deepEqual(
    chooseBackend('auto', [], () => 'a fault'),
    { backend: 'epoll', reason: 'a fault' },
  );
});

test('what was asked for is not replaced, and epoll needs no probe', () => {
  const probe = (): string => 'a fault';
  throws(() => chooseBackend('io_uring', [], probe), { name: 'BackendError', message: 'a fault' });
  equal(chooseBackend('io_uring', [], () => undefined).backend, 'io_uring');
  equal(chooseBackend('epoll', [], () => 'not called').reason, 'asked for');
});

test('the Io that is opened is of the backend that was chosen', () => {
  const { backend } = chooseBackend('auto');
  for (const name of new Set([backend, 'epoll'] as const)) {
    const io = openIo(name, OPTIONS);
    equal(io.backend, name);
    io.destroy();
  }
});

test('a ring that cannot be opened: the call, the error and its likely cause', () => {
  const probe = (errno: number): string | undefined =>
    probeUring(() => {
      throw new SystemError('io_uring_setup', errno);
    });
  match(probe(EPERM)!, /^io_uring_setup refused, EPERM: seccomp or kernel\.io_uring_disabled$/);
  match(probe(ENOSYS)!, /^io_uring_setup refused, ENOSYS: .*without io_uring$/);
  match(probe(EINVAL)!, /^io_uring_setup refused, EINVAL: it lacks .*Linux 6\.6/);
  match(probe(EMFILE)!, /^io_uring_setup refused, EMFILE: descriptors/);
});

test('the probe asks for what every backend does, and finds what one does not', () => {
  equal(
    probeUring(() => new EpollIo(OPTIONS)),
    undefined,
  );
  class Once extends EpollIo {
    override recv(fd: number, slot: number, generation: number): void {
      super.recv(fd, slot, generation, false);
    }
  }
  match(probeUring(() => new Once(OPTIONS))!, /a receive that repeats \(Linux 6\.0\), no answer/);
  class Refusing extends EpollIo {
    override get result(): number {
      return this.operation === 2 ? -EINVAL : super.result;
    }
  }
  match(probeUring(() => new Refusing(OPTIONS))!, /a receive that repeats .*EINVAL$/);
  class NoCancel extends EpollIo {
    override cancel(): void {}
  }
  match(probeUring(() => new NoCancel(OPTIONS), 20)!, /a cancellation, no answer/);
  class NoMove extends EpollIo {
    #set = false;
    override setTimer(delayMs: number): void {
      if (!this.#set) super.setTimer(delayMs);
      this.#set = true;
    }
  }
  match(probeUring(() => new NoMove(OPTIONS), 20)!, /moving a timeout/);
  class Misused extends EpollIo {
    override submitAndWait(): void {
      throw new Error('the ring is misused');
    }
  }
  equal(
    probeUring(() => new Misused(OPTIONS)),
    'io_uring does not work: the ring is misused',
  );
});

test('the first setup flag that a kernel lacks is named', () => {
  const known = (flags: number) => (asked: number) => (asked & ~flags) === 0;
  equal(missingSetupFlag(known(0xffff_ffff)), undefined);
  equal(missingSetupFlag(known(0)), 'IORING_SETUP_CQSIZE');
  // Linux 6.1 to 6.5.
  equal(missingSetupFlag(known(0xffff)), 'IORING_SETUP_NO_SQARRAY');
});
