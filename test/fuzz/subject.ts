// The parser and the decoder as a connection uses them: a stream arrives in pieces, the bytes that
// are not consumed yet move, and between two pieces other connections use the same objects.

import {
  BODY_DATA,
  BODY_INCOMPLETE,
  BODY_STATE_WORDS,
  BodyDecoder,
} from '../../src/http/body-decoder.ts';
import { Fields } from '../../src/http/fields.ts';
import type { RequestLimits } from '../../src/http/request-limits.ts';
import {
  PARSE_COMPLETE,
  PARSE_INCOMPLETE,
  PARSER_STATE_WORDS,
  RequestParser,
} from '../../src/http/request-parser.ts';
import type { ParsedRequest } from './reference-parser.ts';

export type SubjectStream = {
  readonly requests: ParsedRequest[];
  end: 'incomplete' | 'rejected' | 'closed';
  /** 0 unless it is rejected. */
  status: number;
};

const STATUSES = [400, 413, 414, 417, 431, 501, 505];
// What is around the bytes of a piece: nothing there may be read.
const POISON = '\r\n\r\n0\r\n\r\nGET /poison HTTP/1.1\r\nHost: poison\r\n\r\n';
const MARGIN = POISON.length;
const OTHER = new Uint8Array(Buffer.from('HEAD /other HTTP/1.0\r\nHost: o\r\nExpect: x\r\n'));

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export class Subject {
  /** True exactly when every read is watched: slow. */
  watched = false;
  readonly #parser: RequestParser;
  readonly #decoder = new BodyDecoder();
  readonly #fields = new Fields();
  readonly #head = new Int32Array(PARSER_STATE_WORDS);
  readonly #body = new Int32Array(BODY_STATE_WORDS);
  #memory = new Uint8Array(0);
  #readable: Uint8Array = this.#memory;
  #start = 0;
  #end = 0;
  #inBody = false;
  #result: SubjectStream = { requests: [], end: 'incomplete', status: 0 };

  constructor(limits: RequestLimits) {
    this.#parser = new RequestParser(limits);
  }

  /** Reads the stream, cut at ascending offsets. */
  run(stream: Uint8Array, cuts: readonly number[]): SubjectStream {
    this.#result = { requests: [], end: 'incomplete', status: 0 };
    this.#inBody = false;
    this.#parser.begin();
    this.#parser.save(this.#head, 0);
    // From here on the bytes are not consumed yet.
    let from = 0;
    for (const [index, cut] of [...cuts, stream.length].entries()) {
      this.#place(stream.subarray(from, cut), (index * 7) % 16);
      const before = this.#start;
      const goesOn = this.#serve();
      expect(this.#start >= before && this.#start <= this.#end, 'what was consumed had arrived');
      from += this.#start - before;
      if (!goesOn) break;
      expect(!this.#inBody || from === cut, 'all of an incomplete body was consumed');
    }
    return this.#result;
  }

  #place(piece: Uint8Array, shift: number): void {
    const poison = new Uint8Array(Buffer.from(POISON));
    this.#memory = new Uint8Array(piece.length + 2 * MARGIN + 16);
    for (let at = 0; at < this.#memory.length; at++) this.#memory[at] = poison[at % MARGIN]!;
    this.#start = MARGIN + shift;
    this.#end = this.#start + piece.length;
    this.#memory.set(piece, this.#start);
    this.#memory.set(poison, this.#end);
    this.#readable = this.watched ? watch(this.#memory, this.#start, this.#end) : this.#memory;
  }

  // False when the stream has ended.
  #serve(): boolean {
    for (;;) {
      if (!this.#inBody && !this.#serveHead()) return this.#result.end === 'incomplete';
      if (!this.#serveBody()) return this.#result.end === 'incomplete';
    }
  }

  #serveHead(): boolean {
    const parser = this.#parser;
    parser.restore(this.#head, 0);
    const result = parser.parse(this.#readable, this.#start, this.#end);
    if (result === PARSE_INCOMPLETE) {
      parser.save(this.#head, 0);
      parser.begin();
      parser.parse(OTHER, 0, OTHER.length);
      return false;
    }
    if (result !== PARSE_COMPLETE) return this.#reject(result);
    this.#result.requests.push(this.#request());
    this.#start += parser.size;
    this.#decoder.begin(parser.chunked, parser.contentLength);
    this.#decoder.save(this.#body, 0);
    this.#inBody = true;
    return true;
  }

  #serveBody(): boolean {
    const decoder = this.#decoder;
    const request = this.#result.requests.at(-1)!;
    decoder.restore(this.#body, 0);
    let result = BODY_DATA;
    while (result === BODY_DATA) {
      result = decoder.decode(this.#readable, this.#start, this.#end);
      expect(decoder.next >= this.#start && decoder.next <= this.#end, 'next is within the piece');
      if (result === BODY_DATA) {
        const { dataOffset, dataSize, next } = decoder;
        expect(dataSize > 0 && dataOffset >= this.#start, 'a run has bytes that arrived');
        expect(dataOffset + dataSize === next, 'a run ends where the next byte is');
        request.body += this.#text(dataOffset, dataSize);
        expect(decoder.received === request.body.length, 'all bytes of a body are counted');
      }
      this.#start = decoder.next;
    }
    if (result === BODY_INCOMPLETE) {
      expect(this.#start === this.#end, 'an incomplete body takes all bytes');
      decoder.save(this.#body, 0);
      decoder.begin(true, 0);
      decoder.decode(OTHER, 0, 0);
      return false;
    }
    if (result > 0) return this.#reject(result);
    this.#inBody = false;
    request.complete = true;
    if (!request.keepAlive) {
      this.#result.end = 'closed';
      return false;
    }
    this.#parser.begin();
    this.#parser.save(this.#head, 0);
    return true;
  }

  #reject(status: number): boolean {
    expect(STATUSES.includes(status), 'a status to reject with is one of them');
    this.#result.end = 'rejected';
    this.#result.status = status;
    return false;
  }

  #request(): ParsedRequest {
    const parser = this.#parser;
    const head = this.#start + parser.size;
    expect(head <= this.#end, 'a head has arrived');
    expect(parser.targetOffset + parser.targetSize < parser.size, 'a target is in its head');
    expect(parser.pathOffset + parser.pathSize < parser.size, 'a path is in its head');
    expect(parser.fieldsOffset + 2 <= parser.size, 'the fields are in their head');
    expect(parser.hasBody === (parser.chunked || parser.contentLength > 0), 'a body is framed');
    const fields: [string, string][] = [];
    const list = this.#fields;
    let at = this.#start + parser.fieldsOffset;
    for (; list.nextField(this.#readable, at, head); at = list.next)
      fields.push([
        this.#text(list.nameOffset, list.nameSize),
        this.#text(list.valueOffset, list.valueSize),
      ]);
    return {
      method: this.#text(this.#start + parser.methodOffset, parser.methodSize),
      target: this.#text(this.#start + parser.targetOffset, parser.targetSize),
      path: this.#text(this.#start + parser.pathOffset, parser.pathSize),
      version: parser.version,
      fields,
      keepAlive: parser.keepAlive,
      upgrades: parser.upgrades,
      chunked: parser.chunked,
      contentLength: parser.contentLength,
      expectsContinue: parser.expectsContinue,
      body: '',
      complete: false,
    };
  }

  #text(offset: number, size: number): string {
    return Buffer.from(this.#memory.buffer, offset, size).toString('latin1');
  }
}

/** The same bytes; a read of one that has not arrived throws. */
function watch(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Proxy(bytes, {
    get(of, key) {
      const index = typeof key === 'string' ? Number(key) : Number.NaN;
      if (!Number.isNaN(index)) expect(index >= start && index < end, 'a read is within the piece');
      return Reflect.get(of, key, of);
    },
  });
}
