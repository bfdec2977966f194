import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { GENERATION_MASK } from '../memory/pool.ts';
import * as token from './token.ts';
import { CANCEL, tokenGeneration, tokenOperation, tokenWord } from './token.ts';

const OPERATIONS = Object.entries(token).filter(([, value]) => typeof value === 'number');

test('operations have numbers of their own, which fit beside a generation', () => {
  equal(new Set(OPERATIONS.map(([, number]) => number)).size, OPERATIONS.length);
  equal(OPERATIONS.length, CANCEL);
  for (const [, number] of OPERATIONS)
    equal((number as number) > 0 && (number as number) < 128, true);
});

test('a word names its operation and its generation, up to the largest of both', () => {
  for (const operation of [...OPERATIONS.map(([, number]) => number as number), 127]) {
    for (const generation of [0, 1, 0x80_0000, 0xab_cdef, GENERATION_MASK - 1, GENERATION_MASK]) {
      // As the kernel hands it back: a signed 32-bit word.
      const words = Int32Array.of(tokenWord(operation, generation));
      equal(words[0], tokenWord(operation, generation));
      equal(tokenOperation(words[0]!), operation);
      equal(tokenGeneration(words[0]!), generation);
    }
  }
});
