import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { VERIFY } from '../base/assert.ts';
import { createDelegateMemory } from './layout.ts';
import { BUILDING, DONE, FREE, QUEUED, RUNNING, TaskHolders } from './task-holders.ts';

const ACCEPT_THREAD = 1;
const WORKER = 2;

function createHolders(): TaskHolders {
  const options = { acceptThreads: 2, workerThreads: 1, holdersPerAcceptThread: 2 };
  return new TaskHolders(createDelegateMemory({ ...options, holderSize: 128 }));
}

function output(holders: TaskHolders, holder: number): string {
  const offset = holders.payloadOffset(holder);
  return holders.bytes.toString('utf8', offset, offset + holders.outputSize(holder));
}

test('a holder goes round its states, each naming its owner', () => {
  const holders = createHolders();
  holders.build(3, ACCEPT_THREAD, 4, 5, 6);
  equal(holders.state(3), BUILDING);
  equal(holders.thread(3), ACCEPT_THREAD);
  holders.setInput(3, Buffer.from('xx/path'), 2, 5);
  holders.markQueued(3, ACCEPT_THREAD, -7);
  equal(holders.state(3), QUEUED);
  equal(holders.queuePosition(3), -7);
  equal(holders.tryRun(3, WORKER), true);
  equal(holders.tryRun(3, WORKER), false);
  equal(holders.state(3), RUNNING);
  equal(holders.thread(3), WORKER);
  equal(holders.taskIndex(3), 4);
  equal(holders.exchange(3), 5);
  equal(holders.exchangeGeneration(3), 6);
  equal(holders.inputSize(3), 5);
  holders.setStatus(3, 200);
  equal(holders.setOutput(3, 'done'), true);
  holders.markDone(3, WORKER);
  equal(holders.state(3), DONE);
  equal(holders.thread(3), WORKER);
  equal(holders.status(3), 200);
  equal(output(holders, 3), 'done');
  equal(holders.acceptThread(3), ACCEPT_THREAD);
  equal(holders.acceptThread(1), 0);
  holders.markFree(3);
  equal(holders.state(3), FREE);
  if (VERIFY) equal(holders.bytes[holders.payloadOffset(3)], 0xa5);
});

test('only the owner changes a holder, and only to a state that follows', () => {
  const holders = createHolders();
  throws(() => holders.markQueued(0, ACCEPT_THREAD, 0), /changed by its owner/);
  throws(() => holders.markDone(0, WORKER), /has a status/);
  throws(() => holders.markFree(0), /a completion is done/);
  throws(() => holders.setStatus(0, 200), /only a task that runs/);
  throws(() => holders.setOutput(0, ''), /only a task that runs/);
  throws(() => holders.setInput(0, Buffer.alloc(1), 0, 1), /being built/);
  holders.build(0, 0, 0, 0, 0);
  throws(() => holders.build(0, 0, 0, 0, 0), /changed by its owner/);
  throws(() => holders.markQueued(0, ACCEPT_THREAD, 0), /changed by its owner/);
  throws(() => holders.setInput(0, Buffer.alloc(65), 0, 65), /fits its holder/);
  throws(() => holders.setInput(0, Buffer.alloc(8), 4, 5), /within its source/);
  holders.runInline(0, 0);
  holders.setStatus(0, 200);
  throws(() => holders.markDone(0, WORKER), /changed by its owner/);
  throws(() => holders.state(4), /in range/);
  throws(() => holders.acceptThread(-1), /in range/);
});

test('an output that does not fit is refused and leaves the input alone', () => {
  const holders = createHolders();
  holders.build(1, 0, 0, 0, 0);
  holders.setInput(1, Buffer.from('input'), 0, 5);
  holders.runInline(1, 0);
  holders.setStatus(1, 200);
  equal(holders.payloadSize, 64);
  equal(holders.setOutput(1, 'x'.repeat(65)), false);
  equal(holders.setOutput(1, 'é'.repeat(33)), false);
  equal(holders.setOutput(1, new Uint8Array(65)), false);
  equal(holders.outputSize(1), 0);
  const offset = holders.payloadOffset(1);
  equal(holders.bytes.toString('latin1', offset, offset + 5), 'input');
  equal(holders.setOutput(1, 'é'.repeat(32)), true);
  equal(output(holders, 1), 'é'.repeat(32));
  equal(holders.setOutput(1, new Uint8Array(64).fill(0x61)), true);
  equal(output(holders, 1), 'a'.repeat(64));
  equal(holders.state(2), FREE);
});
