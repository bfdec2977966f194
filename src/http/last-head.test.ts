import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { LAST_HEAD_SIZE_MAX, LastHead } from './last-head.ts';

// `size` bytes from 3 on, with others before and behind them.
function bytesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size + 5 }, (_, index) => index % 251);
}

test('a head is at a place when every byte of it is', () => {
  for (const size of [1, 2, 3, 4, 5, 7, 8, 11, LAST_HEAD_SIZE_MAX]) {
    const last = new LastHead();
    const bytes = bytesOf(size);
    last.offer(bytes, 3, size);
    equal(last.isAt(bytes, 3, 3 + size), false, 'the first of its size is not kept');
    last.offer(bytes, 3, size);
    equal(last.isAt(bytes, 3, 3 + size), true, `size ${size}`);
    equal(last.isAt(bytes, 3, 2 + size), false, 'it has not arrived in full');
    for (let index = 0; index < size; index++) {
      const other = bytes.slice();
      other[3 + index]! ^= 0x80;
      equal(last.isAt(other, 3, other.length), false, `size ${size}, byte ${index}`);
    }
    equal(last.isAt(bytes.subarray(3), 0, size), true, 'in a part of the memory');
    last.forget();
    equal(last.isAt(bytes, 3, 3 + size), false, 'forgotten');
  }
});

test('one that is longer or shorter than the one before is not kept, nor a too long one', () => {
  const last = new LastHead();
  const bytes = bytesOf(LAST_HEAD_SIZE_MAX + 1);
  for (const size of [8, 8]) last.offer(bytes, 3, size);
  last.forget();
  last.offer(bytes, 3, 9);
  equal(last.isAt(bytes, 3, bytes.length), false);
  for (let time = 0; time < 2; time++) last.offer(bytes, 3, LAST_HEAD_SIZE_MAX + 1);
  equal(last.isAt(bytes, 3, bytes.length), false);
  throws(() => last.offer(bytes, 3, 0), /a head has bytes/);
});
