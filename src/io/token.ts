// A token names the operation, and the slot it was made for, in the 64 bits of `user_data` that the
// kernel hands back: two 32-bit words, so no BigInt is ever made. Data plane.
//
//     word 0:  slot (32 bits)
//     word 1:  operation (8 bits, below 128) | generation (24 bits)

import { GENERATION_MASK } from '../memory/pool.ts';

const OPERATION_SHIFT = 24;

/** What was asked of the kernel. */
export const ACCEPT = 1;
export const RECV = 2;
export const SEND = 3;
export const CLOSE = 4;
export const TIMER = 5;
export const WAKEUP = 6;
export const WATCH = 7;
export const CANCEL = 8;

export function tokenWord(operation: number, generation: number): number {
  return (operation << OPERATION_SHIFT) | generation;
}

export function tokenOperation(word: number): number {
  return word >>> OPERATION_SHIFT;
}

export function tokenGeneration(word: number): number {
  return word & GENERATION_MASK;
}
