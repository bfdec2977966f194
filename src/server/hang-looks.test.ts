import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { HangLooks, IDLE_LOOKS_MAX } from './hang-looks.ts';

// Looks until there are no more; answers how many there were.
function looks(hangLooks: HangLooks, taken: number): number {
  let count = 0;
  while (hangLooks.begin(taken)) count++;
  equal(hangLooks.begin(taken), false);
  return count;
}

test('looking stops when no task was taken for some looks, and begins again with the next', () => {
  const hangLooks = new HangLooks();
  equal(looks(hangLooks, 0), IDLE_LOOKS_MAX);
  for (const taken of [1, 7, -5]) equal(looks(hangLooks, taken), IDLE_LOOKS_MAX);
});

test('looking goes on as long as a task runs', () => {
  const hangLooks = new HangLooks();
  for (let look = 0; look < 3 * IDLE_LOOKS_MAX; look++) {
    equal(hangLooks.begin(1), true);
    hangLooks.foundRunning();
  }
  equal(looks(hangLooks, 1), IDLE_LOOKS_MAX);
});
