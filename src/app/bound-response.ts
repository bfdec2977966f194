// What a handler says about its response. The connection turns it into bytes: at once when the
// handler has ended it before it returned, the fast path; otherwise as the handler goes on.
//
// Control plane: exceptions tell of mistakes in the application, and what waits is its own memory.
// The fast path, `bind` and `end` with what the handler has already, allocates nothing.

import { assert } from '../base/assert.ts';
import { abandon, rejected } from '../base/thenable.ts';
import { FieldLines } from '../http/field-lines.ts';
import { RESPONSE_FIELDS_SIZE_MAX } from '../http/response-writer.ts';
import { hasContent, isFinalStatus } from '../http/status.ts';
import { bytesOf, sizeOf } from './body-bytes.ts';
import { encodeLocation } from './location.ts';
import { PieceQueue } from './piece-queue.ts';
import type { Protocol } from './protocol.ts';
import type { Response, UpgradeOptions } from './response.ts';
import { StreamPromise } from './stream-promise.ts';
import type { StreamSource } from './stream-source.ts';
import { PieceWait, piecesOf, streamTo } from './stream-source.ts';

/** The most bytes that wait to be taken when another `write` is allowed. */
export const WRITE_QUEUE_SIZE_MAX = 1024 * 1024;
/** What `length` is when nobody said how long the body will be. */
export const LENGTH_UNKNOWN = -1;

/** Who sends the response: it is told when there is more to send. */
export interface ResponseSink {
  /** True exactly when the request is HEAD: of a body only its length is of interest. */
  readonly headOnly: boolean;
  onResponse(): void;
  /** What was to answer with `response` has failed, and its handler does not wait for it. */
  onRejected(response: BoundResponse, error: unknown): void;
  /** The protocol of this name, if the request asks for it by this token. @throws Error */
  upgradeTo(protocol: string, token: string): Protocol;
}

/** What the connection speaks behind the response. */
export interface Upgrade {
  readonly protocol: Protocol;
  readonly data: unknown;
}

interface Waiting {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

const NO_FIELDS: readonly string[] = [];
const JSON_TYPE = 'application/json';
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
// Fields are checked when they are set, so that the mistake is found where it was made.
const CHECKED = new FieldLines();

export class BoundResponse implements Response {
  /** The only piece of the body, if `end` was given it and nothing was written before. */
  body: string | Uint8Array | undefined;
  /** True exactly when the handler has called `end`. */
  ended = false;
  /** True exactly when the body comes in pieces: `write` was called. */
  streams = false;
  /** True exactly when a Content-Type was set. */
  isTyped = false;
  /** Bytes of the body if `length` said so. */
  bodySize = LENGTH_UNKNOWN;
  /** Set exactly when the handler has called `upgrade`. */
  upgraded: Upgrade | undefined;
  /** True exactly when the connection cannot be upgraded: its handler is one for workers. */
  inWorker = false;
  readonly #sink: ResponseSink;
  #bound = false;
  #status = 200;
  #headSent = false;
  // Names and values in turn.
  #fields: string[] | undefined;
  #fieldsSize = 0;
  #trailers: string[] | undefined;
  readonly #pieces = new PieceQueue();
  #written = 0;
  #waiting: Waiting | undefined;
  // Whoever streams waits for the next piece of its source, or for the end of the peer.
  #pieceWait: PieceWait | undefined;
  #error: Error | undefined;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  // What the handler calls.

  get status(): number {
    this.#checkBound();
    if (this.ended) throw new Error('the response has ended already');
    return this.#status;
  }

  set status(status: number) {
    this.#checkOpen();
    if (!isFinalStatus(status)) {
      throw new RangeError('the status of a response is a final one of RFC 9110, 200 to 599');
    }
    this.#status = status;
  }

  get begun(): boolean {
    return (
      this.ended || this.streams || this.#headSent || !this.#bound || this.#error !== undefined
    );
  }

  field(name: string, value: string): this {
    this.#checkOpen();
    this.#checkField(name, value);
    if (CHECKED.hasContentType) this.isTyped = true;
    this.#fields ??= [];
    this.#fields.push(name, value);
    return this;
  }

  length(size: number): this {
    this.#checkOpen();
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError('the length of a body is a number of bytes');
    }
    this.bodySize = size;
    return this;
  }

  trailer(name: string, value: string): this {
    this.#checkBound();
    if (this.ended) throw new Error('the response has ended already');
    this.#checkField(name, value);
    if (CHECKED.hasUpgrade) throw new TypeError('Upgrade is no field of a trailer');
    this.#trailers ??= [];
    this.#trailers.push(name, value);
    return this;
  }

  write(piece: string | Uint8Array): Promise<void> | undefined {
    this.#checkBound();
    if (this.#error !== undefined) return rejected(this.#error);
    if (this.ended) throw new Error('the response has ended already');
    if (!this.streams && !hasContent(this.#status)) {
      throw new RangeError('a response with 204, 205 or 304 has no body');
    }
    const bytes = bytesOf(piece);
    const waitingSize = this.#pieces.size;
    if (waitingSize > 0 && waitingSize + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      throw new Error(
        `more than ${WRITE_QUEUE_SIZE_MAX} bytes were written that the peer has not taken: ` +
          'await what write() answers',
      );
    }
    this.#checkLength(bytes.length);
    this.streams = true;
    this.#pieces.push(bytes);
    this.#sink.onResponse();
    if (this.#pieces.size === 0) return undefined;
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<void>();
      abandon(this.#waiting.promise);
    }
    return this.#waiting.promise;
  }

  end(body?: string | Uint8Array, status?: number): void {
    if (
      !this.#bound ||
      this.ended ||
      status !== undefined ||
      body !== undefined ||
      this.streams ||
      this.bodySize !== LENGTH_UNKNOWN
    ) {
      this.#checkEnd(body, status);
    }
    this.ended = true;
    if (this.#bound) this.#sink.onResponse();
  }

  // Control plane: it allocates the text.
  json(value: unknown, status?: number): void {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError('the value of a response is not one of JSON');
    if (!this.isTyped) this.field('Content-Type', JSON_TYPE);
    this.end(text, status);
  }

  // Control plane.
  redirect(location: string, status: number = 302): void {
    if (!REDIRECTS.includes(status)) {
      throw new RangeError(`the status of a redirect is one of ${REDIRECTS.join(', ')}`);
    }
    this.field('Location', encodeLocation(location));
    this.end(undefined, status);
  }

  // Control plane.
  stream(source: StreamSource): Promise<void> {
    return new StreamPromise(this.#stream(source), (error) => {
      this.#sink.onRejected(this, error);
    });
  }

  // Control plane.
  async #stream(source: StreamSource): Promise<undefined> {
    this.#checkBound();
    const wait = new PieceWait();
    if (this.#error !== undefined) wait.fail(this.#error);
    this.#pieceWait = wait;
    const pieces = piecesOf(source);
    if (this.#sink.headOnly) {
      pieces.cancel();
      await this.write('');
    } else await streamTo(this, pieces, wait);
    this.end();
  }

  // Control plane: it happens once in the life of a connection.
  upgrade(protocol: string, { token = protocol, data }: UpgradeOptions = {}): void {
    this.#checkOpen();
    // Of an exchange that failed nobody hears any more.
    if (this.#error === undefined) {
      if (this.inWorker) throw new Error('a handler for workers cannot upgrade its connection');
      if (this.bodySize !== LENGTH_UNKNOWN) throw new Error('101 has no body, and no length');
      const isSet = this.#fields?.some((text, at) => at % 2 === 0 && /^upgrade$/i.test(text));
      if (isSet === true) throw new Error('upgrade() sets the field Upgrade itself');
      const found = this.#sink.upgradeTo(protocol, token);
      this.field('Upgrade', token);
      this.upgraded = { protocol: found, data };
    }
    this.ended = true;
    if (this.#bound) this.#sink.onResponse();
  }

  // Control plane: what is thrown here tells of a mistake in the application.
  #checkEnd(body: string | Uint8Array | undefined, status: number | undefined): void {
    this.#checkBound();
    if (this.ended) throw new Error('the response has ended already');
    if (status !== undefined) this.status = status;
    if (body !== undefined) {
      const size = sizeOf(body);
      if (size > 0 && !hasContent(this.#status)) {
        throw new RangeError('a response with 204, 205 or 304 has no body');
      }
      this.#checkLength(size);
      if (this.streams) this.#pieces.push(bytesOf(body));
      else this.body = body;
    }
    // To HEAD, the length may be that of what GET would have answered: RFC 9110 9.3.2.
    const isOfGet = this.#sink.headOnly && this.#written === 0 && hasContent(this.#status);
    if (this.bodySize !== LENGTH_UNKNOWN && this.#written < this.bodySize && !isOfGet) {
      throw new RangeError(
        `the body has ${this.#written} bytes, but ${this.bodySize} were announced`,
      );
    }
  }

  // The announced length is kept to the byte: a peer would take what is too much for the next
  // response.
  #checkLength(size: number): void {
    if (this.bodySize !== LENGTH_UNKNOWN && this.#written + size > this.bodySize) {
      throw new RangeError(`the body is longer than the ${this.bodySize} bytes announced`);
    }
    this.#written += size;
  }

  #checkField(name: string, value: string): void {
    CHECKED.clear();
    CHECKED.append(name, value);
    if (this.#fieldsSize + CHECKED.size > RESPONSE_FIELDS_SIZE_MAX) {
      throw new RangeError(
        `the fields of a response take more than ${RESPONSE_FIELDS_SIZE_MAX} bytes`,
      );
    }
    this.#fieldsSize += CHECKED.size;
  }

  // Of an exchange that failed, such as that of a peer that has gone, nobody hears any more: what
  // its handler still says is of no use, and no mistake.
  #checkBound(): void {
    if (this.#bound || this.#error !== undefined) return;
    throw new Error('the response was used after it had ended');
  }

  #checkOpen(): void {
    this.#checkBound();
    if (this.ended) throw new Error('the response has ended already');
    if (this.streams || this.#headSent) throw new Error('the response has begun already');
  }

  // What the connection calls.

  /** The status, whoever asks. */
  get statusCode(): number {
    return this.#status;
  }

  get fields(): readonly string[] {
    return this.#fields ?? NO_FIELDS;
  }

  get trailers(): readonly string[] {
    return this.#trailers ?? NO_FIELDS;
  }

  /** Bytes of the field lines. */
  get fieldsSize(): number {
    return this.#fieldsSize;
  }

  /** The first piece that was not taken yet, or undefined; of it `pieceTaken` bytes were taken. */
  get piece(): Uint8Array | undefined {
    return this.#pieces.first;
  }

  get pieceTaken(): number {
    return this.#pieces.taken;
  }

  /** Why nothing more is sent, if that is so. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Bytes of all pieces that were not taken yet. */
  get queuedSize(): number {
    return this.#pieces.size;
  }

  /** `size` more bytes of the first piece were taken. */
  take(size: number): void {
    this.#pieces.take(size);
    if (this.#pieces.size === 0 && this.#waiting !== undefined) {
      this.#waiting.resolve();
      this.#waiting = undefined;
    }
  }

  /** The whole body becomes pieces that are taken one after the other. */
  streamBody(): void {
    const { body } = this;
    this.body = undefined;
    if (body !== undefined) this.#pieces.push(bytesOf(body));
  }

  /** From here on status and fields are fixed. */
  beginSending(): void {
    this.#headSent = true;
  }

  bind(): void {
    this.#bound = true;
    this.ended = false;
    this.streams = false;
    this.isTyped = false;
    this.bodySize = LENGTH_UNKNOWN;
    this.upgraded = undefined;
    this.inWorker = false;
    this.body = undefined;
    this.#status = 200;
    this.#headSent = false;
    this.#fields = undefined;
    this.#fieldsSize = 0;
    this.#trailers = undefined;
    this.#written = 0;
  }

  unbind(): void {
    this.#bound = false;
  }

  /** Its handler has failed before it began: who answers instead finds nothing of what it set. */
  restart(): void {
    assert(!this.begun, 'what was sent stays');
    const { inWorker } = this;
    this.bind();
    this.inWorker = inWorker;
  }

  /** Memory of `buffer` is going to be used again: what was not taken of it is copied. */
  detach(buffer: ArrayBufferLike): void {
    if (this.body instanceof Uint8Array && this.body.buffer === buffer) {
      this.body = new Uint8Array(this.body);
    }
    this.#pieces.detach(buffer);
  }

  /** The peer is gone: what was not taken is dropped, and whoever waits is told. */
  fail(error: Error): void {
    this.#error ??= error;
    this.body = undefined;
    this.#pieces.clear();
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#pieceWait?.fail(error);
    this.#pieceWait = undefined;
  }
}
