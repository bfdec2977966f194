import { test } from 'node:test';
import { probeUring } from '../../src/io/uring/probe-uring.ts';
import { UringIo } from '../../src/io/uring/uring-io.ts';
import { realWorld } from '../support/real-world.ts';
import { ioContract } from './io-contract.ts';
import { ioStreamContract } from './io-stream-contract.ts';

const fault = probeUring();
if (fault !== undefined) test('io_uring', { skip: fault });
else {
  ioContract(
    'io_uring',
    (options) => new UringIo(options),
    () => realWorld,
  );
  ioStreamContract('io_uring', (options) => new UringIo(options));
}
