import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Spinner } from './spinner.ts';

const SILENT = { hasMessages: () => false };
const BUSY = { hasMessages: () => true };

function worthwhileOf(spinner: Spinner, sleeps: number): number {
  let count = 0;
  for (let sleep = 0; sleep < sleeps; sleep++) if (spinner.isWorthwhile()) count++;
  return count;
}

test('a message that comes while it is looked for is found', () => {
  let looks = 0;
  const source = { hasMessages: () => ++looks === 100 };
  equal(new Spinner().spin(source), true);
  equal(looks, 100);
});

test('it is not looked for ever, and a few times for nothing do not matter', () => {
  const spinner = new Spinner();
  equal(spinner.spin(SILENT), false);
  equal(worthwhileOf(spinner, 100), 100);
});

test('after some vain times it is tried now and then, until a message is found', () => {
  const spinner = new Spinner();
  for (let time = 0; time < 10; time++) equal(spinner.spin(SILENT), false);
  equal(worthwhileOf(spinner, 640), 10);
  equal(spinner.spin(SILENT), false);
  equal(worthwhileOf(spinner, 640), 10);
  equal(spinner.spin(BUSY), true);
  equal(worthwhileOf(spinner, 100), 100);
});
