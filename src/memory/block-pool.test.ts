import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { VERIFY } from '../base/assert.ts';
import { BlockPool } from './block-pool.ts';
import { NONE } from './pool.ts';

test('blocks lie behind one another from the base on, and run dry', () => {
  const pool = new BlockPool('test', new Uint8Array(400), 100, 3, 100);
  const blocks = [pool.acquire(), pool.acquire(), pool.acquire()];
  deepEqual(blocks.map((block) => pool.offset(block)).toSorted(), [100, 200, 300]);
  equal(pool.acquire(), NONE);
});

test('a released block is overwritten under VERIFY, its neighbours are not', (context) => {
  if (!VERIFY) return context.skip('MILLRACE_VERIFY is not set');
  const bytes = new Uint8Array(300);
  const pool = new BlockPool('test', bytes, 0, 3, 100);
  const block = pool.acquire();
  pool.release(block);
  const offset = pool.offset(block);
  equal(
    bytes.every((byte, index) => (byte === 0xdb) === (index >= offset && index < offset + 100)),
    true,
  );
});
