import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { EAGAIN, EBADF, EPIPE, resultOf } from './errno.ts';
import { mapMemory, unmapMemory } from './mapping.ts';
import { closeDescriptor, openStreamPair } from './sockets.ts';
import { acceptStream, closeStream, Message, recvStream } from './stream-calls.ts';

function withPair(run: (fd: bigint, peer: bigint) => void): void {
  const pair = openStreamPair();
  run(BigInt(pair[0]), BigInt(pair[1]));
  for (const fd of pair) closeDescriptor(fd);
}

test('a message takes the bytes from where it is told, as many as it is told', () => {
  withPair((fd, peer) => {
    const memory = mapMemory(4096);
    const bytes = Buffer.from(memory.buffer);
    bytes.write('abcdef', 100);
    const message = new Message();
    equal(message.send(fd, memory.addressLow + 101, memory.addressHigh, 4), 4);
    equal(message.send(fd, memory.addressLow + 105, memory.addressHigh, 1), 1);
    equal(recvStream(peer, memory.address, 4096n), 5);
    equal(bytes.toString('latin1', 0, 5), 'bcdef');
    message.release();
    unmapMemory(memory);
  });
});

test('what fails is an error number, negated', () => {
  const bad = 1_000_000n;
  equal(acceptStream(bad), -EBADF);
  equal(recvStream(bad, 0n, 1n), -EBADF);
  equal(closeStream(bad), -EBADF);
  const memory = mapMemory(16);
  const message = new Message();
  equal(message.send(bad, memory.addressLow, memory.addressHigh, 1), -EBADF);
  const [fd, peer] = openStreamPair();
  equal(recvStream(BigInt(fd), memory.address, 16n), -EAGAIN);
  equal(closeStream(BigInt(peer)), 0);
  equal(message.send(BigInt(fd), memory.addressLow, memory.addressHigh, 1), -EPIPE);
  equal(recvStream(BigInt(fd), memory.address, 16n), 0);
  closeDescriptor(fd);
  message.release();
  unmapMemory(memory);
});

// The engine itself calls the system, for memory mostly: garbage is made and collected meanwhile.
test('the error number is right however often it is read, garbage collections or not', () => {
  withPair((fd) => {
    const memory = mapMemory(16);
    const first = getHeapStatistics().total_allocated_bytes;
    let garbage: object[] = [];
    let wrong = 0;
    for (let call = 0; call < 500_000; call++) {
      if (recvStream(fd, memory.address, 16n) !== -EAGAIN) wrong++;
      garbage.push({ call });
      if (garbage.length === 20_000) garbage = [];
    }
    equal(wrong, 0);
    // Several young generations.
    ok(getHeapStatistics().total_allocated_bytes - first > 16 * 1024 * 1024);
    unmapMemory(memory);
  });
});

test('an errno that says nothing is an error all the same', () => {
  equal(resultOf(7), 7);
  ok(resultOf(-1) < 0);
});
