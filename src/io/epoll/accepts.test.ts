import { deepEqual, equal } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { RawPeer } from '../../../test/support/raw-peer.ts';
import { Epoll } from '../../kernel/epoll.ts';
import { ENOMEM, ENOSPC } from '../../kernel/errno.ts';
import { mapMemory, unmapMemory } from '../../kernel/mapping.ts';
import { closeDescriptor } from '../../kernel/sockets.ts';
import { RecvBuffers } from '../../memory/recv-buffers.ts';
import { bindListeners, closeListeners, startListening } from '../listener.ts';
import { ACCEPT } from '../token.ts';
import { Accepts } from './accepts.ts';
import { CompletionQueue } from './completion-queue.ts';
import { DescriptorTable } from './descriptor-table.ts';
import { Streams } from './streams.ts';

const BUFFER_SIZE = 4096;

/** While it is full the kernel says that its user watches as many descriptors as he may. */
class LimitedEpoll extends Epoll {
  isFull = false;

  override add(fd: number, fdPointer: bigint, events: number): number {
    return this.isFull ? -ENOSPC : super.add(fd, fdPointer, events);
  }
}

test('a connection that epoll may not watch is closed, as where memory is short', (t) => {
  const mapping = mapMemory(BUFFER_SIZE);
  const epoll = new LimitedEpoll(8);
  const table = new DescriptorTable();
  const completions = new CompletionQueue(8);
  const buffers = new RecvBuffers(new Uint8Array(mapping.buffer), 0, 1, BUFFER_SIZE);
  const streams = new Streams(epoll, table, completions, buffers, mapping);
  const accepts = new Accepts(epoll, table, completions, streams);
  const listeners = bindListeners('127.0.0.1', 0, 1);
  const { fds, port } = listeners;
  startListening(listeners);
  t.after(() => {
    streams.destroy();
    epoll.close();
    closeListeners(listeners);
    unmapMemory(mapping);
  });

  function accept(slot: number): number {
    accepts.submit(fds[0]!, slot, 1);
    accepts.onEvent(fds[0]!);
    accepts.run();
    completions.publish();
    equal(completions.next(), true);
    deepEqual([completions.operation, completions.slot], [ACCEPT, slot]);
    return completions.result;
  }

  const first = new RawPeer(port);
  const fd = accept(0);
  epoll.isFull = true;
  const refused = new RawPeer(port);
  const before = readdirSync('/proc/self/fd').length;
  equal(accept(1), -ENOMEM);
  equal(readdirSync('/proc/self/fd').length, before);
  equal(refused.recv(), '');
  // The one that was there goes on, and so does accepting.
  equal(first.hasBytes(), false);
  epoll.isFull = false;
  const next = new RawPeer(port);
  const nextFd = accept(1);
  for (const each of [fd, nextFd]) closeDescriptor(each);
  for (const peer of [first, refused, next]) peer.close();
});
