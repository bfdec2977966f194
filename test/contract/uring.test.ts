import { UringIo } from '../../src/io/uring/uring-io.ts';
import { ioContract } from './io-contract.ts';
import { ioStreamContract } from './io-stream-contract.ts';

ioContract('io_uring', (options) => new UringIo(options));
ioStreamContract('io_uring', (options) => new UringIo(options));
