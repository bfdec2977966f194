import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { createDelegateMemory } from './layout.ts';
import { BYTES, JSON_TEXT, TEXT } from './payload-kind.ts';
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

/** A task in holder 0 with an input; holder 1 is free. */
function createWith(input: string | Uint8Array, kind: number) {
  const options = { acceptThreads: 1, workerThreads: 0, holdersPerAcceptThread: 2 };
  const holders = new TaskHolders(createDelegateMemory({ ...options, holderSize: 128 }));
  holders.build(0, 0, 0, 0, 0);
  holders.writeInput(0, input, kind);
  holders.runInline(0, 0);
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
  equal(task.settle('ignored'), undefined);
  equal(output(holders), 'größer');
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
  equal(task.settle(undefined), undefined);
  task.unbind();
  task.bind(1, 'slow');
  equal(task.end('x'.repeat(65)), false);
  match(String(task.settle(undefined)), /the result has 65 bytes, and a task holder 64/);
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
    throws(() => task.end('', status), /a final one of RFC 9110, 200 to 599/);
  throws(() => task.end(42 as unknown as string), /string or a Uint8Array/);
  throws(() => task.end(null as unknown as string), /string or a Uint8Array/);
  equal(task.end('now'), true);
});

test('a task ends with any final status, registered or not', () => {
  for (const status of [200, 299, 420, 499, 599]) {
    const { task, holders } = create('/');
    equal(task.end('text', status), true);
    equal(holders.status(0), status);
  }
});

test('an input is a value of JSON, or bytes where they lie; then there is no target', () => {
  const value = createWith(JSON.stringify({ größe: 1 }), JSON_TEXT);
  deepEqual(value.task.input, { größe: 1 });
  equal(value.task.input, value.task.input);
  equal(value.task.target, '');
  const bytes = createWith(Buffer.from('bytes'), BYTES);
  equal(Buffer.from(bytes.task.inputBytes).toString(), 'bytes');
  equal(bytes.task.input, bytes.task.inputBytes);
  equal(bytes.task.inputBytes.buffer, bytes.holders.bytes.buffer);
  const none = create('/target');
  equal(none.task.input, undefined);
});

test('the input is that of the task now bound', () => {
  const { holders, task } = createWith('[1]', JSON_TEXT);
  deepEqual(task.input, [1]);
  task.unbind();
  throws(() => task.input, /used after it ended/);
  holders.build(1, 0, 0, 0, 0);
  holders.writeInput(1, '[2]', JSON_TEXT);
  holders.runInline(1, 0);
  task.bind(1, 'slow');
  deepEqual(task.input, [2]);
});

test('what is returned is the result: bytes, JSON, or nothing', () => {
  const json = create('/');
  equal(json.task.settle({ größe: [1, null] }), undefined);
  deepEqual([output(json.holders), json.holders.outputKind(0)], ['{"größe":[1,null]}', JSON_TEXT]);
  const bytes = create('/');
  equal(bytes.task.settle(Buffer.from('bytes')), undefined);
  deepEqual([output(bytes.holders), bytes.holders.outputKind(0)], ['bytes', BYTES]);
  const nothing = create('/');
  equal(nothing.task.settle(undefined), undefined);
  deepEqual([nothing.holders.outputSize(0), nothing.holders.outputKind(0)], [0, TEXT]);
  match(String(nothing.task.settle(() => {})), /nothing that JSON can say/);
  throws(() => nothing.task.settle(1n), /BigInt/);
});

test('bytes are changed in place and returned without a copy, or a part of them is', () => {
  const { holders, task } = createWith(Buffer.from('abcdef'), BYTES);
  task.inputBytes[0] = 0x41;
  equal(task.settle(task.inputBytes), undefined);
  equal(output(holders), 'Abcdef');
  const part = createWith(Buffer.from('abcdef'), BYTES);
  equal(part.task.settle(part.task.inputBytes.subarray(2)), undefined);
  equal(output(part.holders), 'cdef');
  const more = createWith(Buffer.from('ab'), BYTES);
  const result = more.task.outputBytes(4);
  result.set(more.task.inputBytes, 2);
  equal(more.task.settle(result), undefined);
  equal(output(more.holders), 'abab');
  throws(() => create('/').task.outputBytes(65), /the result has 65 bytes, and a task holder 64/);
});

test('the view of a holder is the same one for as long as the size is', () => {
  const { holders } = create('/');
  equal(holders.view(0, 8), holders.view(0, 8));
  equal(holders.view(0, 9).length, 9);
  throws(() => holders.view(0, 65), /within its payload/);
});
