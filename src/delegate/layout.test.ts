import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  cellHolder,
  cellLap,
  cellOf,
  createDelegateMemory,
  type DelegateOptions,
  delegateLayout,
  HOLDERS_MAX,
  LINE_WORDS,
  lapOf,
} from './layout.ts';

const options = { acceptThreads: 2, workerThreads: 3, holdersPerAcceptThread: 5 };

test('the parts follow each other, each on cache lines of its own', () => {
  const layout = delegateLayout({ ...options, workerThreads: 600 });
  const { head, tail, workerSleepers, acceptSleepers, completions, links, cells, holders } = layout;
  const parts = [head, tail, workerSleepers, acceptSleepers, completions, links, cells, holders];
  for (const part of parts) equal(part % LINE_WORDS, 0);
  deepEqual(
    parts.toSorted((a, b) => a - b).filter((part, i) => part !== parts[i]),
    [],
  );
  ok((acceptSleepers - workerSleepers) * 32 >= 600);
  equal(links - completions, 2 * LINE_WORDS);
  ok(cells - links >= 10);
  equal(layout.size, (holders + 10 * 512) * 4);
});

test('there are more cells than holders, by one for each thread', () => {
  equal(2 ** delegateLayout(options).cellsShift, 16);
  equal(2 ** delegateLayout({ ...options, workerThreads: 4 }).cellsShift, 16);
  equal(2 ** delegateLayout({ ...options, workerThreads: 5 }).cellsShift, 32);
});

test('a cell keeps its lap and its holder, at the ends of both', () => {
  for (const position of [0, 1, 2 ** 31 - 1, -(2 ** 31), -1]) {
    for (const holder of [0, 1, HOLDERS_MAX - 1]) {
      const cell = cellOf(position, 4, holder);
      equal(cell, cell | 0);
      equal(cellHolder(cell), holder);
      equal(cellLap(cell), lapOf(position, 4));
    }
  }
  equal(lapOf(-1, 14), 2 ** 18 - 1);
  equal(lapOf(16 * 2 ** 18, 4), 0);
});

test('the memory is plain data with its options complete', () => {
  const memory = createDelegateMemory(options);
  deepEqual(memory.options, {
    ...options,
    holderSize: 2048,
    queueStart: 0,
    handOffsPerAcceptThread: 0,
    unreadBlockSize: 0,
  });
  const clone = structuredClone(memory);
  new Int32Array(clone.buffer)[0] = 77;
  equal(new Int32Array(memory.buffer)[0], 77);
});

test('options out of range are asserted', () => {
  const bad: [Partial<DelegateOptions>, RegExp][] = [
    [{ acceptThreads: 0 }, /there is an accept thread/],
    [{ workerThreads: -1 }, /worker threads are counted/],
    [{ holdersPerAcceptThread: 0 }, /has a holder/],
    [{ holdersPerAcceptThread: HOLDERS_MAX }, /fits a cell/],
    [{ holderSize: 100 }, /whole cache lines/],
    [{ holderSize: 64 }, /payload besides/],
    [{ holderSize: 2 ** 26 }, /not larger than its limit/],
  ];
  for (const [change, message] of bad)
    throws(() => delegateLayout({ ...options, ...change }), message);
});
