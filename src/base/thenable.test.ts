import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { abandon, isThenable } from './thenable.ts';

function withThen(target: object, then: unknown): object {
  Reflect.set(target, 'then', then);
  return target;
}

test('what can be awaited is told from what cannot', () => {
  equal(isThenable(Promise.resolve()), true);
  equal(isThenable(withThen({}, () => {})), true);
  equal(
    isThenable(
      withThen(
        () => {},
        () => {},
      ),
    ),
    true,
  );
  equal(isThenable(withThen({}, 1)), false);
  for (const value of [undefined, null, 0, '', 'then', true, {}, [], () => {}, Symbol('then')]) {
    equal(isThenable(value), false);
  }
});

test('the rejection of a promise that is abandoned is not an unhandled one', async (context) => {
  const unhandled = context.mock.fn();
  process.once('unhandledRejection', unhandled);
  context.after(() => process.off('unhandledRejection', unhandled));
  abandon(Promise.reject(new Error('nobody waits')));
  abandon(Promise.resolve());
  await new Promise((resolve) => setImmediate(resolve));
  equal(unhandled.mock.callCount(), 0);
});
