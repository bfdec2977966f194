import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { RequestBody } from './request-body.ts';

function bodyOf(bodyLeft: number): RequestBody {
  return new RequestBody({ bodyLeft, onBodyWanted: () => {} }, false);
}

test('what a handler awaits too late, or never, is no unhandled rejection', async (context) => {
  const unhandled = context.mock.fn();
  process.on('unhandledRejection', unhandled);
  context.after(() => process.off('unhandledRejection', unhandled));
  const broken = bodyOf(0);
  const whole = broken.whole(10);
  const again = broken.whole(10);
  const large = bodyOf(11).whole(10);
  const failed = bodyOf(0);
  failed.fail(new Error('the peer has gone'));
  const afterwards = failed.whole(10);
  const next = failed.next();
  broken.fail(new Error('the peer has gone'));
  await new Promise((resolve) => setImmediate(resolve));
  equal(unhandled.mock.callCount(), 0);
  await rejects(whole, /has gone/);
  await rejects(again, /is read once/);
  await rejects(large, { name: 'ExchangeError', status: 413 });
  await rejects(afterwards, /has gone/);
  await rejects(next, /has gone/);
});
