import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  countHoldings,
  forgetDescriptor,
  HOLDINGS_SIZE,
  keepHoldings,
  noteDescriptor,
} from './holdings.ts';

test('a thread that writes nothing down may hold any number; what it keeps then is bounded', () => {
  // Nobody closes them: these are only numbers.
  for (let fd = 1000; fd < 1700; fd++) noteDescriptor(fd);
  for (let fd = 1000; fd < 1690; fd++) forgetDescriptor(fd);
  const memory = new SharedArrayBuffer(HOLDINGS_SIZE);
  keepHoldings(memory);
  const kept = countHoldings(memory);
  equal(kept >= 10, true);
  forgetDescriptor(1699);
  equal(countHoldings(memory), kept - 1);
  throws(() => {
    for (let fd = 2000; ; fd++) noteDescriptor(fd);
  }, /no more than can be written down/);
});
