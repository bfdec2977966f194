import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { createDelegateMemory } from './layout.ts';
import { BoundTask } from './task.ts';
import { TaskHolders } from './task-holders.ts';
import { server } from './task-server.test-data.ts';

function create(input: string) {
  const options = { acceptThreads: 1, workerThreads: 0, holdersPerAcceptThread: 2 };
  const holders = new TaskHolders(createDelegateMemory({ ...options, holderSize: 128 }));
  for (const holder of [0, 1]) {
    const bytes = Buffer.from(input, 'latin1');
    holders.build(holder, 0, 0, 0, 0);
    holders.setInput(holder, bytes, 0, bytes.length);
    holders.runInline(holder, 0);
  }
  const task = new BoundTask(holders, server);
  task.bind(0, 'slow');
  return { holders, task };
}

function output(holders: TaskHolders): string {
  const offset = holders.payloadOffset(0);
  return holders.bytes.toString('utf8', offset, offset + holders.outputSize(0));
}

test('a task has its name and its target, byte for byte', () => {
  const { task } = create('/caf\u00c3\u00a9?x=\u00ff');
  equal(task.name, 'slow');
  equal(task.server.options.slowDuration, 30);
  equal(task.target, '/caf\u00c3\u00a9?x=\u00ff');
  equal(task.target, '/caf\u00c3\u00a9?x=\u00ff');
});

test('the result is 200 and empty until the task ends with another', () => {
  const { holders, task } = create('/');
  equal(holders.status(0), 200);
  equal(task.end('größer', 404), true);
  equal(holders.status(0), 404);
  equal(output(holders), 'größer');
  equal(task.unbind(), true);
});

test('a task ends with bytes, or with nothing', () => {
  const bytes = create('/');
  equal(bytes.task.end(Buffer.from('bytes')), true);
  equal(output(bytes.holders), 'bytes');
  const nothing = create('/');
  equal(nothing.task.end(undefined, 204), true);
  equal(nothing.holders.status(0), 204);
  equal(nothing.holders.outputSize(0), 0);
});

test('a result that does not fit does not end the task, a smaller one does', () => {
  const { holders, task } = create('/target');
  equal(task.end('x'.repeat(65)), false);
  equal(task.target, '/target');
  equal(task.end('x'.repeat(64)), true);
  equal(holders.outputSize(0), 64);
  equal(task.unbind(), true);
  task.bind(1, 'slow');
  equal(task.end('x'.repeat(65)), false);
  equal(task.unbind(), false);
});

test('a task that ended says so', () => {
  const { task } = create('/');
  task.end();
  throws(() => task.end(), /used after it ended/);
  throws(() => task.target, /used after it ended/);
  equal(task.name, 'slow');
  task.unbind();
  throws(() => task.name, /after its function returned/);
  throws(() => task.end('late'), /used after it ended/);
  throws(() => task.unbind(), /is bound/);
});

test('the target is that of the task now bound', () => {
  const { holders, task } = create('/first');
  equal(task.target, '/first');
  throws(() => task.bind(1, 'slow'), /one task at a time/);
  task.unbind();
  holders.bytes.write('/other', holders.payloadOffset(1));
  task.bind(1, 'slow');
  equal(task.target, '/other');
});

test('a wrong status or body is a clear error and does not end the task', () => {
  const { task } = create('/');
  for (const status of [99, 100, 600, 200.5, NaN])
    throws(() => task.end('', status), /a final one of RFC 9110/);
  throws(() => task.end(42 as unknown as string), /string or a Uint8Array/);
  throws(() => task.end(null as unknown as string), /string or a Uint8Array/);
  equal(task.end('now'), true);
});
