import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { LogLimiter } from './log-limiter.ts';

function limiter(): { log: LogLimiter; lines: string[]; clock: { now: number } } {
  const lines: string[] = [];
  const clock = { now: 0 };
  const log = new LogLimiter(
    (line) => lines.push(line),
    () => clock.now,
  );
  return { log, lines, clock };
}

test('the same message comes once a second, whichever threads say it', () => {
  const { log, lines, clock } = limiter();
  for (clock.now = 0; clock.now < 3000; clock.now += 100) {
    log.log(`accept-${(clock.now / 100) % 2}`, 'it hurts');
  }
  deepEqual(lines, [
    'accept-0: it hurts',
    'accept-0: it hurts (9 more before)',
    'accept-0: it hurts (9 more before)',
  ]);
});

test('different messages do not hold each other up', () => {
  const { log, lines } = limiter();
  for (let index = 0; index < 10; index++) log.log('worker-0', `task ${index} failed`);
  equal(lines.length, 10);
});

test('what is remembered is bounded', () => {
  const { log, lines } = limiter();
  for (let index = 0; index < 2000; index++) log.log('worker-0', `message ${index}`);
  log.log('worker-0', 'message 1999');
  equal(lines.length, 2000);
  log.log('worker-0', 'message 0');
  equal(lines.length, 2001);
});
