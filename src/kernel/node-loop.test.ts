import { deepEqual, equal, ok } from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NodeLoop } from './node-loop.ts';

// What a fresh thread says within an immediate, whose loop has only what the code plans; `loop` is
// its NodeLoop. As a thread of Millrace it listens for messages.
async function inThread<T = number>(code: string): Promise<T[]> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.on('message', () => {});
    import(workerData).then(async ({ NodeLoop }) => {
      const loop = new NodeLoop();
      const answers = [];
      // V8 has timers of its own, half a minute and more from now.
      const isDue = () => loop.timeoutMs() === 0;
      const nextTurn = () =>
        new Promise((resolve) =>
          setImmediate(() => {
            loop.beginTurn();
            resolve();
            loop.runMicrotasks();
          }),
        );
      await nextTurn();
      ${code}
      parentPort.postMessage(answers);
      process.exit();
    });`;
  const url = new URL('./node-loop.ts', import.meta.url).href;
  const worker = new Worker(source, { eval: true, workerData: url });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('a thread that has planned nothing says so, before and after it looks', async () => {
  const [first, second] = await inThread('answers.push(loop.timeoutMs(), loop.timeoutMs());');
  for (const timeoutMs of [first!, second!]) ok(timeoutMs === -1 || timeoutMs > 0);
});

test('the timeout is that of the earliest timer, and goes down as time passes', async () => {
  const [far, near, later] = await inThread(`
    setTimeout(() => {}, 15_000);
    answers.push(loop.timeoutMs());
    setTimeout(() => {}, 5_000);
    answers.push(loop.timeoutMs());
    const begin = performance.now();
    while (performance.now() - begin < 5);
    answers.push(loop.timeoutMs());`);
  ok(far! > 10_000 && far! <= 15_000);
  ok(near! > 2_000 && near! <= 5_000);
  ok(later! <= near! - 4);
});

test('a timer that is overdue is due in 0 milliseconds', async () => {
  const answers = await inThread(`
    setTimeout(() => {}, 1);
    const begin = performance.now();
    while (performance.now() - begin < 5);
    answers.push(loop.timeoutMs());`);
  deepEqual(answers, [0]);
});

test('an immediate that waits is seen, and not the one that a turn runs in', async () => {
  const answers = await inThread(`
    setImmediate(() => answers.push('ran'));
    answers.push(isDue());
    await nextTurn();
    answers.push(isDue());
    clearImmediate(setImmediate(() => {}));
    answers.push(isDue());
    // Queued by one that ran before the turn, in the same round of Node's.
    setImmediate(() => setImmediate(() => answers.push('ran too')));
    await nextTurn();
    answers.push(isDue());
    await nextTurn();
    answers.push(isDue());`);
  deepEqual(answers, [true, 'ran', false, false, true, 'ran too', false]);
});

test('I/O the kernel does not know of yet is seen, and a handle that is being closed', async () => {
  const answers = await inThread(`
    const server = require('node:net').createServer();
    const listens = new Promise((resolve) => server.listen(0, resolve));
    answers.push(isDue());
    await listens;
    await nextTurn();
    answers.push(isDue());
    const closed = new Promise((resolve) => server.close(resolve));
    answers.push(isDue());
    await closed;
    await nextTurn();
    answers.push(isDue());`);
  deepEqual(answers, [true, false, true, false]);
});

test('the backend descriptor is the epoll descriptor of this thread', async () => {
  const loop = new NodeLoop();
  equal(readlinkSync(`/proc/self/fd/${loop.backendFd}`), 'anon_inode:[eventpoll]');
  equal(new NodeLoop().backendFd, loop.backendFd);
  const [other] = await inThread('answers.push(loop.backendFd);');
  ok(other! > 0 && other !== loop.backendFd);
});

test('a turn begins in the async context of the start, and not of what ran before it', async () => {
  const storage = new AsyncLocalStorage<string>();
  const loop = new NodeLoop();
  const seen = await new Promise((resolve) => {
    storage.run('of a handler', () => loop.nextTurn(() => resolve(storage.getStore())));
  });
  equal(seen, undefined);
});

test('microtasks run within a callback', async () => {
  const answers = await inThread(`
    await new Promise((resolve) => {
      setImmediate(() => {
        process.nextTick(() => answers.push(3));
        Promise.resolve().then(() => answers.push(2));
        answers.push(1);
        loop.runMicrotasks();
        answers.push(4);
        resolve();
      });
    });`);
  deepEqual(answers, [1, 3, 2, 4]);
});

test('what a microtask throws goes to who handles uncaught exceptions', async () => {
  const answers = await inThread(`
    process.on('uncaughtException', (error) => answers.push(error.message));
    const turn = (code) =>
      setImmediate(() => {
        code();
        loop.runMicrotasks();
        answers.push('went on');
      });
    turn(() => process.nextTick(() => { throw new Error('tick'); }));
    turn(() => queueMicrotask(() => { throw new Error('microtask'); }));
    turn(() => void Promise.reject(new Error('rejected')));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));`);
  deepEqual(answers, ['tick', 'microtask', 'went on', 'rejected', 'went on']);
});
