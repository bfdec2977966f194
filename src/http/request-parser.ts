// The parser of one HTTP/1.x request head (RFC 9112 sections 2 to 6): bytes in, offsets out.
//
// Owner: one thread, whose connections share one parser. Data plane: parse allocates nothing.
// A head that is not complete yet is kept as PARSER_STATE_WORDS integers (`save`, `restore`). Every
// offset is relative to where the head begins: the bytes may move. It resumes line by line:
//
//     start                position            searched        end
//       | lines parsed       | an unfinished line  |  new bytes  |
//
// A line that has just begun is parsed at once, in one pass over its bytes. One that arrives in
// pieces is first searched, from `searched` on, for its end or an error, and then parsed: a head
// that arrives byte by byte costs a few passes. How the bytes were cut never decides what the
// outcome is, only how early within a line an error is seen.
//
// Strict by intent: where RFC 9112 lets a recipient repair a message, this one refuses it, because
// what two readers repair differently is a smuggled request. The first error of the stream wins.

import { assert } from '../base/assert.ts';
import {
  CLASSES,
  COLON,
  CR,
  DIGIT_0,
  HTAB,
  LF,
  PATH,
  SLASH,
  SP,
  TARGET,
  TEXT,
  TOKEN,
  trimSpace,
} from './characters.ts';
import {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_EXPECT,
  FIELD_TRANSFER_ENCODING,
  fieldOf,
  isHostName,
} from './field-names.ts';
import {
  connectionOptions,
  EXPECT_CONTINUE,
  EXPECT_OTHER,
  expectations,
  isHostPort,
  OPTION_CLOSE,
  OPTION_KEEP_ALIVE,
  OPTION_UPGRADE,
  plainHostEnd,
  VALUE_INVALID,
} from './field-values.ts';
import { CODING_CHUNKED, contentLengthValue, framingStatus, transferCodings } from './framing.ts';
import {
  CODINGS_SHIFT,
  CONTENT_LENGTH,
  ENDED,
  EXPECT_SHIFT,
  HOST,
  OPTIONS_SHIFT,
  REQUEST_LINE,
  TRANSFER_ENCODING,
  VERSION_11,
} from './head-bits.ts';
import { LastHead } from './last-head.ts';
import { isGet, METHOD_CONNECT, METHOD_GET, METHOD_OTHER, methodFromBytes } from './method.ts';
import { ParsedHead } from './parsed-head.ts';
import type { RequestLimits } from './request-limits.ts';
import {
  authorityOffset,
  pathOf,
  TARGET_INVALID,
  VERSION_INVALID,
  VERSION_LINE_SIZE,
  versionLineEnd,
} from './request-line.ts';

/** What `parse` answers; any other answer is the status to reject the request with. */
export const PARSE_COMPLETE = 0;
export const PARSE_INCOMPLETE = -1;
// A line is done and the head goes on; `parse` never answers it.
const LINE_COMPLETE = -2;

/** How many words `save` writes. */
export const PARSER_STATE_WORDS = 13;

/** Empty lines skipped before a request line, RFC 9112 2.2: after a body some clients send one. */
export const EMPTY_LINES_MAX = 2;

const WORD = 2 ** 32;

export class RequestParser extends ParsedHead {
  readonly #requestLineSizeMax: number;
  readonly #headSizeMax: number;
  readonly #fieldCountMax: number;
  #position = 0;
  #searched = 0;
  #fieldCount = 0;
  #flags = 0;
  // All that is said above of a head holds again for one that repeats it, but for what `begin`
  // forgets.
  readonly #last = new LastHead();
  #lastMethod = METHOD_OTHER;

  constructor(limits: RequestLimits) {
    super();
    assert(limits.requestLineSizeMax > 0, 'a request line has a positive limit');
    assert(limits.headSizeMax >= limits.requestLineSizeMax, 'a head can hold its request line');
    assert(limits.fieldCountMax > 0, 'a head can hold a field');
    this.#requestLineSizeMax = limits.requestLineSizeMax;
    this.#headSizeMax = limits.headSizeMax;
    this.#fieldCountMax = limits.fieldCountMax;
  }

  /** Forgets the last head: the next `parse` begins another. */
  begin(): void {
    this.#position = 0;
    this.#searched = 0;
    this.#fieldCount = 0;
    this.#flags = 0;
    this.method = METHOD_OTHER;
    this.contentLength = 0;
  }

  /** Keeps an incomplete head's state in PARSER_STATE_WORDS words. */
  save(words: Int32Array, at: number): void {
    assert(at + PARSER_STATE_WORDS <= words.length, 'the state fits behind its offset');
    assert((this.#flags & ENDED) === 0, 'only an incomplete head is saved');
    words[at] = this.#position;
    words[at + 1] = this.#searched;
    words[at + 2] = this.#fieldCount;
    words[at + 3] = this.#flags;
    // Its lower 32 bits: a number that is stored in a word is taken modulo 2^32.
    words[at + 4] = this.contentLength;
    words[at + 5] = this.methodOffset;
    words[at + 6] = this.methodSize;
    words[at + 7] = this.targetSize;
    words[at + 8] = this.pathOffset;
    words[at + 9] = this.pathSize;
    words[at + 10] = this.method;
    words[at + 11] = this.fieldsOffset;
    words[at + 12] = this.contentLength / WORD;
  }

  /** Goes on where `save` was; `bytes` are needed again only by `parse`. */
  restore(words: Int32Array, at: number): void {
    assert(at + PARSER_STATE_WORDS <= words.length, 'the state fits behind its offset');
    this.#last.forget();
    this.#position = words[at]!;
    this.#searched = words[at + 1]!;
    this.#fieldCount = words[at + 2]!;
    this.#flags = words[at + 3]!;
    this.contentLength = words[at + 12]! * WORD + (words[at + 4]! >>> 0);
    this.methodOffset = words[at + 5]!;
    this.methodSize = words[at + 6]!;
    this.targetOffset = this.methodOffset + this.methodSize + 1;
    this.targetSize = words[at + 7]!;
    this.pathOffset = words[at + 8]!;
    this.pathSize = words[at + 9]!;
    this.method = words[at + 10]!;
    this.fieldsOffset = words[at + 11]!;
    assert((this.#flags & ENDED) === 0, 'only an incomplete head is restored');
  }

  /**
   * Parses the head that begins at `start`, of which the bytes before `end` were received. Answers
   * PARSE_COMPLETE, and the next request begins `size` bytes later; PARSE_INCOMPLETE, and the
   * caller calls again with the same head and more bytes; or the status to reject with: the caller
   * answers with it and closes, since where another request would begin is not known.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    assert((this.#flags & ENDED) === 0, 'begin() comes before each head');
    assert(end <= bytes.length, 'the received bytes are within the buffer');
    assert(start + this.#searched <= end, 'a head never shrinks');
    let result = LINE_COMPLETE;
    if (this.#position === 0 && this.#last.isAt(bytes, start, end)) return this.#repeat();
    this.#last.forget();
    if (this.#searched > this.#position) result = this.#search(bytes, start, end);
    while (result === LINE_COMPLETE && (this.#flags & REQUEST_LINE) === 0)
      result = this.#requestLine(bytes, start, end);
    while (result === LINE_COMPLETE) result = this.#fieldLine(bytes, start, end);
    if (result !== PARSE_INCOMPLETE) this.#flags |= ENDED;
    if (result === PARSE_COMPLETE) this.#complete(bytes, start);
    return result;
  }

  #complete(bytes: Uint8Array, start: number): void {
    this.heads = (this.heads + 1) | 0;
    this.#lastMethod = this.method;
    if (!this.hasBody) this.#last.offer(bytes, start, this.size);
  }

  #repeat(): number {
    this.#flags = ENDED;
    this.method = this.#lastMethod;
    return PARSE_COMPLETE;
  }

  // Looks at the new bytes of an unfinished line. LINE_COMPLETE when it is time to parse it: a byte
  // that ends a line or that no line may hold has arrived, or the line is as long as it may be.
  #search(bytes: Uint8Array, start: number, end: number): number {
    const classOf = CLASSES;
    let at = start + this.#searched;
    while (at < end && (classOf[bytes[at]!]! & TEXT) !== 0) at++;
    if (at < end || end >= this.#lineLimit(start)) return LINE_COMPLETE;
    this.#searched = at - start;
    return PARSE_INCOMPLETE;
  }

  // The first byte that the current line cannot have.
  #lineLimit(start: number): number {
    if ((this.#flags & REQUEST_LINE) !== 0) return start + this.#headSizeMax;
    return start + this.#position + this.#requestLineSizeMax;
  }

  // The bytes ended within a line: it is too long, or the rest has yet to arrive. A CR at the end
  // is left to be searched again, so that anything but a LF behind it is refused at once.
  #cut(bytes: Uint8Array, start: number, end: number): number {
    if (end >= this.#lineLimit(start)) return (this.#flags & REQUEST_LINE) === 0 ? 414 : 431;
    const cutAt = end > start + this.#position && bytes[end - 1] === CR ? end - 1 : end;
    this.#searched = cutAt - start;
    return PARSE_INCOMPLETE;
  }

  // method SP request-target SP HTTP-version CRLF, RFC 9112 3.
  #requestLine(bytes: Uint8Array, start: number, end: number): number {
    const classOf = CLASSES;
    const methodAt = start + this.#position;
    const stop = Math.min(end, methodAt + this.#requestLineSizeMax);
    const get = isGet(bytes, methodAt, stop);
    let at = get ? methodAt + 3 : methodAt;
    while (at < stop && (classOf[bytes[at]!]! & TOKEN) !== 0) at++;
    if (at === stop) return this.#cut(bytes, start, end);
    if (at === methodAt) return this.#emptyLine(bytes, start, end);
    if (bytes[at] !== SP) return 400;

    const targetAt = ++at;
    while (at < stop && (classOf[bytes[at]!]! & PATH) !== 0) at++;
    const pathEnd = at;
    while (at < stop && (classOf[bytes[at]!]! & TARGET) !== 0) at++;
    if (at === stop) return this.#cut(bytes, start, end);
    if (bytes[at] !== SP || at === targetAt) return 400;

    const versionAt = at + 1;
    const read = versionLineEnd(bytes, versionAt, stop);
    if (read === VERSION_INVALID) return 400;
    if (read < versionAt + VERSION_LINE_SIZE) return this.#cut(bytes, start, end);
    this.#position = read - start;
    this.fieldsOffset = this.#position;
    this.methodOffset = methodAt - start;
    this.methodSize = targetAt - 1 - methodAt;
    this.targetOffset = targetAt - start;
    this.targetSize = at - targetAt;
    this.method =
      get && this.methodSize === 3 ? METHOD_GET : methodFromBytes(bytes, methodAt, this.methodSize);
    return this.#requestLineEnd(bytes, start, pathEnd, versionAt);
  }

  // A version that is not spoken here comes before its target, which it could define anew.
  #requestLineEnd(bytes: Uint8Array, start: number, pathEnd: number, versionAt: number): number {
    const minor = bytes[versionAt + 7]! - DIGIT_0;
    if (bytes[versionAt + 5] !== DIGIT_0 + 1 || minor > 1) return 505;
    this.#flags |= minor === 1 ? REQUEST_LINE | VERSION_11 : REQUEST_LINE;
    const targetAt = start + this.targetOffset;
    this.pathOffset = this.targetOffset;
    this.pathSize = pathEnd - targetAt;
    const origin = bytes[targetAt] === SLASH && this.method !== METHOD_CONNECT;
    return origin ? LINE_COMPLETE : this.#otherTarget(bytes, start, targetAt, pathEnd);
  }

  #otherTarget(bytes: Uint8Array, start: number, targetAt: number, pathEnd: number): number {
    const pathAt = pathOf(bytes, targetAt, pathEnd, targetAt + this.targetSize, this.method);
    if (pathAt === TARGET_INVALID) return 400;
    this.pathOffset = pathAt - start;
    this.pathSize = pathEnd - pathAt;
    if (this.pathSize > 0) return LINE_COMPLETE;
    // An empty path is "/", RFC 9112 3.2.1: the second slash before the authority stands for it.
    this.pathOffset = authorityOffset(bytes, targetAt, pathEnd) - 1 - start;
    this.pathSize = 1;
    return LINE_COMPLETE;
  }

  // Before a request line, RFC 9112 2.2. The empty lines are the only ones that moved `position`.
  #emptyLine(bytes: Uint8Array, start: number, end: number): number {
    const at = start + this.#position;
    if (bytes[at] !== CR || this.#position >= 2 * EMPTY_LINES_MAX) return 400;
    if (at + 1 === end) return this.#cut(bytes, start, end);
    if (bytes[at + 1] !== LF) return 400;
    this.#position += 2;
    return LINE_COMPLETE;
  }

  // field-name ":" OWS field-value OWS CRLF, RFC 9112 5. A line that begins with white space, which
  // was once a folded value (RFC 9112 5.2), has no name.
  #fieldLine(bytes: Uint8Array, start: number, end: number): number {
    const classOf = CLASSES;
    const stop = Math.min(end, start + this.#headSizeMax);
    const nameAt = start + this.#position;
    let at = nameAt;
    if (at >= stop) return this.#cut(bytes, start, end);
    if (bytes[at] === CR) return this.#lastLine(bytes, start, stop);
    if (this.#fieldCount === this.#fieldCountMax) return 431;
    while (at < stop && (classOf[bytes[at]!]! & TOKEN) !== 0) at++;
    if (at === stop) return this.#cut(bytes, start, end);
    if (bytes[at] !== COLON || at === nameAt) return 400;
    const nameSize = at++ - nameAt;
    while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    const valueAt = at;
    const isHost = nameSize === 4 && isHostName(bytes, nameAt);
    if (isHost) at = plainHostEnd(bytes, valueAt, stop);
    const plainEnd = at;
    while (at < stop && (classOf[bytes[at]!]! & TEXT) !== 0) at++;
    if (at === stop) return this.#cut(bytes, start, end);
    if (bytes[at] !== CR) return 400;
    if (at + 1 === stop) return this.#cut(bytes, start, end);
    if (bytes[at + 1] !== LF) return 400;
    this.#position = at + 2 - start;
    this.#fieldCount++;
    if (isHost) return this.#host(bytes, valueAt, plainEnd, at);
    return this.#field(bytes, nameAt, nameSize, valueAt, at);
  }

  #field(bytes: Uint8Array, nameAt: number, nameSize: number, at: number, end: number): number {
    switch (fieldOf(bytes, nameAt, nameSize)) {
      case FIELD_CONNECTION:
        this.#flags |= connectionOptions(bytes, at, end) << OPTIONS_SHIFT;
        return LINE_COMPLETE;
      case FIELD_CONTENT_LENGTH:
        return this.#contentLength(bytes, at, trimSpace(bytes, at, end));
      case FIELD_EXPECT:
        this.#flags |= expectations(bytes, at, end) << EXPECT_SHIFT;
        return LINE_COMPLETE;
      case FIELD_TRANSFER_ENCODING:
        return this.#transferEncoding(bytes, at, trimSpace(bytes, at, end));
      default:
        return LINE_COMPLETE;
    }
  }

  // Once, and with a valid value: RFC 9112 3.2.
  #host(bytes: Uint8Array, at: number, plainEnd: number, end: number): number {
    const once = (this.#flags & HOST) === 0;
    this.#flags |= HOST;
    const valid = plainEnd === end || isHostPort(bytes, at, trimSpace(bytes, at, end));
    return once && valid ? LINE_COMPLETE : 400;
  }

  // RFC 9112 6.3 lets a recipient accept a repeated length; one that repeats it is refused here.
  #contentLength(bytes: Uint8Array, at: number, end: number): number {
    if ((this.#flags & (CONTENT_LENGTH | TRANSFER_ENCODING)) !== 0) return 400;
    const length = contentLengthValue(bytes, at, end);
    if (length === VALUE_INVALID) return 400;
    this.#flags |= CONTENT_LENGTH;
    this.contentLength = length;
    return LINE_COMPLETE;
  }

  // Not in HTTP/1.0 and not with a length, RFC 9112 6.1: both are how requests are smuggled.
  #transferEncoding(bytes: Uint8Array, at: number, end: number): number {
    const flags = this.#flags;
    if ((flags & CONTENT_LENGTH) !== 0 || (flags & VERSION_11) === 0) return 400;
    const codings = transferCodings(bytes, at, end, flags >> CODINGS_SHIFT);
    if (codings === VALUE_INVALID) return 400;
    this.#flags |= TRANSFER_ENCODING | (codings << CODINGS_SHIFT);
    return LINE_COMPLETE;
  }

  // The empty line: what a head as a whole must be is checked, and the last results are set.
  #lastLine(bytes: Uint8Array, start: number, stop: number): number {
    const at = start + this.#position;
    if (at + 1 === stop) return this.#cut(bytes, start, stop);
    if (bytes[at + 1] !== LF) return 400;
    const flags = this.#flags;
    const is11 = (flags & VERSION_11) !== 0;
    if (is11 && (flags & HOST) === 0) return 400; // RFC 9112 3.2.
    const options = flags >> OPTIONS_SHIFT;
    this.size = this.#position + 2;
    this.version = is11 ? 11 : 10;
    // RFC 9112 9.3.
    this.keepAlive =
      (options & OPTION_CLOSE) === 0 && (is11 || (options & OPTION_KEEP_ALIVE) !== 0);
    this.upgrades = is11 && (options & (OPTION_CLOSE | OPTION_UPGRADE)) === OPTION_UPGRADE;
    return this.#body(flags);
  }

  // What follows the head; if nobody can know, that comes before an expectation.
  #body(flags: number): number {
    const codings = flags >> CODINGS_SHIFT;
    this.chunked = (codings & CODING_CHUNKED) !== 0;
    this.hasBody = this.chunked || this.contentLength > 0;
    const expected = flags >> EXPECT_SHIFT;
    // In HTTP/1.0 there is no 100, and who expects it there does not get it: RFC 9110 10.1.1.
    this.expectsContinue = (flags & VERSION_11) !== 0 && (expected & EXPECT_CONTINUE) !== 0;
    const status = framingStatus(codings, this.contentLength);
    return status === PARSE_COMPLETE && (expected & EXPECT_OTHER) !== 0 ? 417 : status;
  }
}
