import { UringIo } from '../../src/io/uring/uring-io.ts';
import { ioContract } from './io-contract.ts';

ioContract('io_uring', (options) => new UringIo(options));
