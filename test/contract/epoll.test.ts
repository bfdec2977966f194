import { EpollIo } from '../../src/io/epoll/epoll-io.ts';
import { ioContract } from './io-contract.ts';

ioContract('epoll', (options) => new EpollIo(options));
