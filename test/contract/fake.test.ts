import { SimWorld } from '../simulation/contract-world.ts';
import { SimIo } from '../simulation/sim-io.ts';
import { ioContract } from './io-contract.ts';

ioContract(
  'simulated',
  (options, world) => new SimIo((world as SimWorld).kernel, options),
  () => new SimWorld(),
  {
    'accept answers a descriptor that has TCP_NODELAY from its listener':
      'a simulated socket sends every byte at once',
  },
);
