import { UringIo } from '../../src/io/uring/uring-io.ts';
import { realWorld } from '../support/real-world.ts';
import { ioContract } from './io-contract.ts';

ioContract(
  'io_uring',
  (options) => new UringIo(options),
  () => realWorld,
);
