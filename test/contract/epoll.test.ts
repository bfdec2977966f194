import { EpollIo } from '../../src/io/epoll/epoll-io.ts';
import { realWorld } from '../support/real-world.ts';
import { ioContract } from './io-contract.ts';
import { ioStreamContract } from './io-stream-contract.ts';

ioContract(
  'epoll',
  (options) => new EpollIo(options),
  () => realWorld,
);
ioStreamContract('epoll', (options) => new EpollIo(options));
