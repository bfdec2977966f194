import { deepEqual, equal, ok } from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NodeLoop } from './node-loop.ts';

// What a fresh thread says, whose loop has only the timers that the code plans; `loop` is its
// NodeLoop.
async function inThread<T = number>(code: string): Promise<T[]> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData).then(async ({ NodeLoop }) => {
      const loop = new NodeLoop();
      const answers = [];
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
  deepEqual(
    await inThread('answers.push(loop.nodeTimerDueMs(), loop.nodeTimerDueMs());'),
    [-1, -1],
  );
});

test('the due time is that of the earliest timer, and goes down as time passes', async () => {
  const [far, near, later] = await inThread(`
    setTimeout(() => {}, 50_000);
    answers.push(loop.nodeTimerDueMs());
    setTimeout(() => {}, 20_000);
    answers.push(loop.nodeTimerDueMs());
    const begin = performance.now();
    while (performance.now() - begin < 5);
    answers.push(loop.nodeTimerDueMs());`);
  ok(far! > 40_000 && far! <= 50_000);
  ok(near! > 15_000 && near! <= 20_000);
  ok(later! <= near! - 4);
});

test('a timer that is overdue is due in 0 milliseconds', async () => {
  const answers = await inThread(`
    setTimeout(() => {}, 1);
    const begin = performance.now();
    while (performance.now() - begin < 5);
    answers.push(loop.nodeTimerDueMs());`);
  deepEqual(answers, [0]);
});

test('an immediate that waits is seen, within another one as well, and not that one', async () => {
  const answers = await inThread(`
    answers.push(loop.hasImmediates());
    setImmediate(() => {});
    answers.push(loop.hasImmediates());
    await new Promise((resolve) => setTimeout(resolve, 1));
    answers.push(loop.hasImmediates());
    await new Promise((resolve) => setImmediate(() => {
      answers.push(loop.hasImmediates());
      setImmediate(() => {});
      answers.push(loop.hasImmediates());
      resolve();
    }));`);
  deepEqual(answers, [false, true, false, false, true]);
});

test('the backend descriptor is the epoll descriptor of this thread', async () => {
  const loop = new NodeLoop();
  equal(readlinkSync(`/proc/self/fd/${loop.backendFd}`), 'anon_inode:[eventpoll]');
  equal(new NodeLoop().backendFd, loop.backendFd);
  const [other] = await inThread('answers.push(loop.backendFd);');
  ok(other! > 0 && other !== loop.backendFd);
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
