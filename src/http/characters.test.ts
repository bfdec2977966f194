import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { isRepeat } from './characters.ts';

test('bytes repeat those before them when every one of them does', () => {
  for (let size = 1; size <= 12; size++) {
    const bytes = Uint8Array.from({ length: 3 + 2 * size }, (_, index) =>
      index < 3 ? index : (index - 3) % size,
    );
    const view = new DataView(bytes.buffer);
    equal(isRepeat(view, 3 + size, size), true, `size ${size}`);
    for (let index = 0; index < size; index++) {
      bytes[3 + size + index]! ^= 0x80;
      equal(isRepeat(view, 3 + size, size), false, `size ${size}, byte ${index}`);
      bytes[3 + size + index]! ^= 0x80;
    }
  }
});
