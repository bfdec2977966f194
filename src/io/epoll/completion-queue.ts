// Completions of a backend that makes them itself: a queue in one typed array. What is pushed is
// seen only after `publish`, so that nothing completes within a submitting call.
//
//     [ taken ][ published ][ pushed ][ free ]
//      ^head                ^visible  ^tail
//
// Its capacity is a limit that the backend keeps, by doing nothing more while the queue is full.
// Only what completes at once, a submission that is refused, may go beyond it; then it doubles.
//
// Data plane. Owner: one thread.

import { tokenGeneration, tokenOperation, tokenWord } from '../token.ts';

// Words of a completion: slot, operation and generation, result, buffer and whether more follow.
const ENTRY_WORDS = 4;

export class CompletionQueue {
  operation = 0;
  slot = 0;
  generation = 0;
  result = 0;
  buffer = -1;
  more = false;
  readonly capacity: number;
  #words: Int32Array;
  #mask: number;
  #head = 0;
  #visible = 0;
  #tail = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    const entries = 2 ** Math.ceil(Math.log2(capacity));
    this.#words = new Int32Array(entries * ENTRY_WORDS);
    this.#mask = entries - 1;
  }

  /** Completions that were pushed and not taken. */
  get count(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** Completions that `next` would answer. */
  get ready(): number {
    return (this.#visible - this.#head) | 0;
  }

  get isFull(): boolean {
    return this.count >= this.capacity;
  }

  push(
    operation: number,
    slot: number,
    generation: number,
    result: number,
    buffer: number,
    more: boolean,
  ): void {
    if (this.count > this.#mask) this.#grow();
    const words = this.#words;
    const word = (this.#tail & this.#mask) * ENTRY_WORDS;
    words[word] = slot;
    words[word + 1] = tokenWord(operation, generation);
    words[word + 2] = result;
    words[word + 3] = (buffer << 1) | (more ? 1 : 0);
    this.#tail = (this.#tail + 1) | 0;
  }

  publish(): void {
    this.#visible = this.#tail;
  }

  /** Takes the oldest completion that was published; false when there is none. */
  next(): boolean {
    if (this.#head === this.#visible) return false;
    const words = this.#words;
    const word = (this.#head & this.#mask) * ENTRY_WORDS;
    this.#head = (this.#head + 1) | 0;
    const token = words[word + 1]!;
    this.slot = words[word]!;
    this.operation = tokenOperation(token);
    this.generation = tokenGeneration(token);
    this.result = words[word + 2]!;
    this.buffer = words[word + 3]! >> 1;
    this.more = (words[word + 3]! & 1) !== 0;
    return true;
  }

  // Control plane.
  #grow(): void {
    const count = this.count;
    const entries = this.#mask + 1;
    const words = new Int32Array(2 * entries * ENTRY_WORDS);
    for (let index = 0; index < count; index++) {
      const from = ((this.#head + index) & this.#mask) * ENTRY_WORDS;
      words.set(this.#words.subarray(from, from + ENTRY_WORDS), index * ENTRY_WORDS);
    }
    this.#visible = this.ready;
    this.#words = words;
    this.#mask = 2 * entries - 1;
    this.#head = 0;
    this.#tail = count;
  }
}
