// The decoder of request bodies, RFC 9112 sections 6 and 7: bytes in, runs of body bytes out, where
// they lie. Nothing is kept of the bytes: what the decoder knows between two of them is
// BODY_STATE_WORDS integers (`save`, `restore`). `chunk-grammar.ts` has the states of a chunked
// body.
//
// Owner: one thread, whose connections share one decoder. Data plane.
//
// A trailer section is validated and dropped: no handler sees it, as RFC 9112 7.1.2 allows.

import { assert } from '../base/assert.ts';
import { ascii } from './characters.ts';
import {
  CHUNK,
  DATA,
  DATA_CR,
  ENDED,
  EXTENSION_SPACE,
  INVALID,
  LENGTH,
  SIZE,
  SIZE_START,
  TRAILER_NAME,
  TRAILER_START,
  TRAILER_VALUE,
  TRANSITIONS,
  VALUE_END,
} from './chunk-grammar.ts';
import { CONTENT_LENGTH_MAX } from './framing.ts';

/** What `decode` answers; any other answer is the status to reject the request with. */
export const BODY_COMPLETE = 0;
export const BODY_INCOMPLETE = -1;
export const BODY_DATA = -2;
// The body goes on; `decode` never answers it.
const GO_ON = -3;

/** How many words `save` writes. */
export const BODY_STATE_WORDS = 10;

/** Digits of a chunk's size, with its leading zeros. Beyond: 400. Larger than 2^53 - 1: 413. */
export const CHUNK_DIGITS_MAX = 16;
/** Bytes of the extensions of one chunk. Beyond: 413, see RFC 9112 7.1.1. */
export const EXTENSION_SIZE_MAX = 1024;
/** Bytes of all extensions of a body. Beyond: 413. */
export const EXTENSIONS_SIZE_MAX = 16_384;
/** Bytes of a trailer section, its last, empty line included. Beyond: 431. */
export const TRAILERS_SIZE_MAX = 8192;
/** Field lines of a trailer section. Beyond: 431. */
export const TRAILER_COUNT_MAX = 64;

// Fields that no trailer section may have, because they say where the message ends and whom it is
// for: RFC 9110 6.5.1. Dropping them would do here; but who sends them hopes for a reader that does
// not, so they are refused.
const FORBIDDEN: readonly Uint8Array[] = [
  ascii('content-length'),
  ascii('transfer-encoding'),
  ascii('host'),
];
const FORBIDDEN_MASK: number = (1 << FORBIDDEN.length) - 1;

const WORD = 2 ** 32;

export class BodyDecoder {
  /** Where a run of body bytes stands in the bytes that were given. Set when `decode` said DATA. */
  dataOffset = 0;
  dataSize = 0;
  /** The first byte that was not consumed, an offset into the bytes that were given. */
  next = 0;
  /** Bytes of the body so far, at most 2^53 - 1. */
  received = 0;

  #state = INVALID;
  // Bytes left of the body or the chunk; while its line is read, the size of the chunk.
  #left = 0;
  // Of the line that is read: digits of the size, bytes of the extensions, or of a trailer's name.
  #count = 0;
  #extensionsSize = 0;
  #trailersSize = 0;
  #trailerCount = 0;
  // The names of FORBIDDEN, a bit each, that a trailer's name may still become.
  #forbidden = 0;

  /** Forgets the last body: the next `decode` begins one that is framed as the parser said. */
  begin(chunked: boolean, contentLength: number): void {
    assert(contentLength >= 0, 'a length is not negative');
    assert(contentLength <= CONTENT_LENGTH_MAX, 'a length can be counted');
    assert(!chunked || contentLength === 0, 'a chunked body has no length');
    this.received = 0;
    this.#left = contentLength;
    this.#count = 0;
    this.#extensionsSize = 0;
    this.#trailersSize = 0;
    this.#trailerCount = 0;
    this.#forbidden = 0;
    if (chunked) this.#state = SIZE_START;
    else this.#state = contentLength === 0 ? ENDED : LENGTH;
  }

  /** Keeps the state of a body that goes on in BODY_STATE_WORDS words. */
  save(words: Int32Array, at: number): void {
    assert(at + BODY_STATE_WORDS <= words.length, 'the state fits behind its offset');
    assert(this.#state !== INVALID, 'only a body that goes on is saved');
    words[at] = this.#state;
    // Lower and upper 32 bits: a number that is stored in a word is taken modulo 2^32.
    words[at + 1] = this.#left;
    words[at + 2] = this.#left / WORD;
    words[at + 3] = this.received;
    words[at + 4] = this.received / WORD;
    words[at + 5] = this.#count;
    words[at + 6] = this.#extensionsSize;
    words[at + 7] = this.#trailersSize;
    words[at + 8] = this.#trailerCount;
    words[at + 9] = this.#forbidden;
  }

  /** Goes on where `save` was. */
  restore(words: Int32Array, at: number): void {
    assert(at + BODY_STATE_WORDS <= words.length, 'the state fits behind its offset');
    this.#state = words[at]!;
    this.#left = words[at + 2]! * WORD + (words[at + 1]! >>> 0);
    this.received = words[at + 4]! * WORD + (words[at + 3]! >>> 0);
    this.#count = words[at + 5]!;
    this.#extensionsSize = words[at + 6]!;
    this.#trailersSize = words[at + 7]!;
    this.#trailerCount = words[at + 8]!;
    this.#forbidden = words[at + 9]!;
    assert(this.#state !== INVALID, 'only a body that goes on is restored');
  }

  /**
   * Looks at the bytes from `start`, the `next` of the call before, up to `end`. Answers BODY_DATA,
   * and the caller calls again from `next`; BODY_COMPLETE; BODY_INCOMPLETE, and all bytes were
   * consumed; or the status to reject the request with: where another one would begin is not known.
   */
  decode(bytes: Uint8Array, start: number, end: number): number {
    assert(this.#state !== INVALID, 'begin() comes before each body');
    assert(start >= 0 && start <= end, 'the bytes begin before they end');
    assert(end <= bytes.length, 'the received bytes are within the buffer');
    const transitions = TRANSITIONS;
    let state = this.#state;
    let at = start;
    let result = GO_ON;
    while (state > DATA && at < end) {
      const byte = bytes[at]!;
      const next = transitions[(state << 8) | byte]!;
      if (next === INVALID) result = 400;
      else if (state >= TRAILER_START) result = this.#trailer(state, next, byte);
      else if (next === CHUNK) result = this.#chunk();
      else if (next <= VALUE_END) result = this.#sizeLine(state, next, byte);
      if (result >= 0) return this.#reject(result, at);
      state = next === CHUNK ? this.#state : next;
      at++;
    }
    this.#state = state;
    this.next = at;
    if (state === ENDED) return BODY_COMPLETE;
    return at === end ? BODY_INCOMPLETE : this.#run(end);
  }

  #reject(status: number, at: number): number {
    this.#state = INVALID;
    this.next = at;
    return status;
  }

  // As many bytes of the body as there are.
  #run(end: number): number {
    const at = this.next;
    const size = Math.min(this.#left, end - at);
    this.dataOffset = at;
    this.dataSize = size;
    this.next = at + size;
    this.received += size;
    this.#left -= size;
    if (this.#left === 0) this.#state = this.#state === LENGTH ? ENDED : DATA_CR;
    return BODY_DATA;
  }

  // A byte of the line of a chunk's size. The digits are counted, then the bytes behind them.
  #sizeLine(state: number, next: number, byte: number): number {
    if (next === SIZE) return this.#digit(byte);
    if (next === SIZE_START) {
      this.#count = 0;
      return GO_ON;
    }
    assert(next >= EXTENSION_SPACE, 'the other states have no line');
    if (state === SIZE) this.#count = 0;
    this.#count++;
    this.#extensionsSize++;
    const within = this.#count <= EXTENSION_SIZE_MAX && this.#extensionsSize <= EXTENSIONS_SIZE_MAX;
    return within ? GO_ON : 413;
  }

  #digit(byte: number): number {
    if (this.#count === CHUNK_DIGITS_MAX) return 400;
    this.#count++;
    // The lower four bits of a letter count from 1.
    const digit = byte > 0x39 ? (byte & 0xf) + 9 : byte & 0xf;
    // Sixteen times a number that can be counted is exact, and with a digit rounded only if it is
    // beyond what can be counted anyway.
    this.#left = this.#left * 16 + digit;
    return this.#left <= CONTENT_LENGTH_MAX ? GO_ON : 413;
  }

  // The line of a size has ended.
  #chunk(): number {
    if (this.received + this.#left > CONTENT_LENGTH_MAX) return 413;
    this.#state = this.#left === 0 ? TRAILER_START : DATA;
    return GO_ON;
  }

  // A byte of the trailer section.
  #trailer(state: number, next: number, byte: number): number {
    this.#trailersSize++;
    if (this.#trailersSize > TRAILERS_SIZE_MAX) return 431;
    if (next === TRAILER_NAME) {
      if (state === TRAILER_START) {
        if (this.#trailerCount === TRAILER_COUNT_MAX) return 431;
        this.#trailerCount++;
        this.#count = 0;
        this.#forbidden = FORBIDDEN_MASK;
      }
      if (this.#forbidden !== 0) this.#compare(byte | 0x20);
      return GO_ON;
    }
    if (next === TRAILER_VALUE && state === TRAILER_NAME && this.#isForbidden()) return 400;
    return GO_ON;
  }

  // Which of the names the name may still become: see `equalsIgnoreCase` for the bit that is set.
  #compare(lower: number): void {
    for (let index = 0; index < FORBIDDEN.length; index++) {
      const name = FORBIDDEN[index]!;
      if (this.#count >= name.length || name[this.#count] !== lower)
        this.#forbidden &= ~(1 << index);
    }
    this.#count++;
  }

  #isForbidden(): boolean {
    for (let index = 0; index < FORBIDDEN.length; index++) {
      if ((this.#forbidden & (1 << index)) !== 0 && this.#count === FORBIDDEN[index]!.length)
        return true;
    }
    return false;
  }
}
