import { EpollIo } from '../../src/io/epoll/epoll-io.ts';
import { ioContract } from './io-contract.ts';
import { ioStreamContract } from './io-stream-contract.ts';

ioContract('epoll', (options) => new EpollIo(options));
ioStreamContract('epoll', (options) => new EpollIo(options));
