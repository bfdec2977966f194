// The response side of the connections of a thread: turns what handlers, tasks and errors answer
// into bytes in the send blocks, in the order of the requests.
//
// A response that is complete when its handler returns, fits, and is the next to be sent, is
// written at once (`writeWhole`): that is the fast path. Every other one has its exchange in the
// queue of its connection, and `pump` goes on with it whenever there may be more to write: the
// handler wrote a piece, the task is done, the send block has drained, the one before is complete.
// Pieces that do not fit stay where the handler has them, and the handler is told to wait.
//
// Owner: one thread. Data plane.

import type { Upgrade } from '../app/bound-response.ts';
import { LENGTH_UNKNOWN } from '../app/bound-response.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { StaticResponse } from '../app/static-response.ts';
import type { Counters } from '../base/counters.ts';
import { count } from '../base/counters.ts';
import { FieldLines } from '../http/field-lines.ts';
import type { PreparedResponse } from '../http/prepared-response.ts';
import type { ResponseWriter } from '../http/response-writer.ts';
import {
  CHUNK_END_SIZE,
  CHUNK_HEAD_SIZE_MAX,
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  LAST_CHUNK_SIZE,
  LENGTH_CHUNKED,
  LENGTH_UNKNOWN as LENGTH_UNSAID,
  LENGTH_UNTIL_CLOSE,
  RESPONSE_HEAD_SIZE_MAX,
  TEXT_PLAIN,
} from '../http/response-writer.ts';
import { NONE } from '../memory/pool.ts';
import { BODY_DROP_MAX } from './body-side.ts';
import type { ConnectionTable } from './connection-table.ts';
import { CLOSE_AFTER_SEND, LINGER_AFTER_SEND } from './connection-table.ts';
import type { Exchange } from './exchange.ts';
import { BODY_DONE, BODY_DROPPED, BODY_OPEN, BY_HANDLER } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';
import {
  BYTES,
  bodySize,
  contentSize,
  contentType,
  isTransferred,
  isWhole,
  responseCounter,
  resultType,
} from './response-content.ts';
import type { SendSide } from './send-side.ts';

/** Space that is free before a response is begun: a head with its fields, and what ends a body. */
export const RESPONSE_SPACE_MIN = 8192;
/** Rather than a smaller piece of a body, none is written until the block has drained. */
const PIECE_SIZE_MIN = 512;
const CHUNK_FRAME_SIZE_MAX = CHUNK_HEAD_SIZE_MAX + CHUNK_END_SIZE + LAST_CHUNK_SIZE;

export interface ResponseSideOptions {
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly exchanges: Exchanges;
  readonly sendSide: SendSide;
  readonly writer: ResponseWriter;
  readonly counters: Counters;
  /** The send blocks are dry: the connection must end. */
  readonly onDry: (slot: number) => void;
  /** Tells the loop that code of the user is going to run. */
  readonly onUserCode: () => void;
  /** The connection may go on with bytes that wait to be looked at. */
  readonly onProgress: (slot: number) => void;
  /** The last response of the connection was written: it speaks another protocol from here on. */
  readonly onUpgrade: (slot: number, upgrade: Upgrade) => void;
}

export class ResponseSide {
  /** True exactly when responses tell their peers that the connection ends: the server drains. */
  draining = false;
  readonly #bytes: Uint8Array;
  readonly #text: Buffer;
  readonly #table: ConnectionTable;
  readonly #exchanges: Exchanges;
  readonly #sendSide: SendSide;
  readonly #writer: ResponseWriter;
  readonly #counters: Counters;
  readonly #onDry: (slot: number) => void;
  readonly #onUserCode: () => void;
  readonly #onProgress: (slot: number) => void;
  readonly #onUpgrade: (slot: number, upgrade: Upgrade) => void;
  readonly #fields = new FieldLines();

  constructor(options: ResponseSideOptions) {
    this.#bytes = options.bytes;
    const { buffer, byteOffset, length } = options.bytes;
    this.#text = Buffer.from(buffer, byteOffset, length);
    this.#table = options.table;
    this.#exchanges = options.exchanges;
    this.#sendSide = options.sendSide;
    this.#writer = options.writer;
    this.#counters = options.counters;
    this.#onDry = options.onDry;
    this.#onUserCode = options.onUserCode;
    this.#onProgress = options.onProgress;
    this.#onUpgrade = options.onUpgrade;
  }

  /**
   * Writes the response that the handler of the current exchange has ended, all of it, at `space`.
   * Answers where it ends, or NONE when it does not fit before `limit`.
   */
  writeWhole(space: number, limit: number, exchange: Exchange): number {
    const { response, connection } = exchange;
    const { statusCode: status, body, fields } = response;
    const size = contentSize(response);
    if (size === 0 && body === undefined && fields.length === 0) {
      this.#count(status);
      return this.#writer.empty(space, status, connection);
    }
    if (space + RESPONSE_HEAD_SIZE_MAX + response.fieldsSize + size > limit) return NONE;
    const next = this.#head(space, exchange, size, contentType(response));
    if (exchange.headOnly || body === undefined) return next;
    if (typeof body === 'string') this.#text.write(body, next);
    else this.#bytes.set(body, next);
    return next + size;
  }

  /** Lays out a response that is always the same. Control plane. */
  prepare({ status, body, fields }: StaticResponse): PreparedResponse {
    const lines = this.#lines(fields.flat());
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const text = typeof body === 'string' ? TEXT_PLAIN : BYTES;
    const type = lines.hasContentType || bytes.length === 0 ? null : text;
    return this.#writer.prepare(status, lines.bytes.slice(0, lines.size), type, bytes);
  }

  /** Writes a prepared response at `space`, or answers NONE when it does not fit. */
  writePrepared(
    space: number,
    limit: number,
    exchange: Exchange,
    prepared: PreparedResponse,
  ): number {
    if (space + prepared.sizeMax > limit) return NONE;
    this.#count(prepared.status);
    return this.#writer.writePrepared(space, prepared, exchange.connection, exchange.headOnly);
  }

  /** Writes an error response at `space`, where there is RESPONSE_SPACE_MIN. */
  writeError(space: number, exchange: Exchange, status: number, extra: Uint8Array | null): number {
    this.#count(status);
    return this.#writer.error(space, status, exchange.connection, exchange.headOnly, extra);
  }

  /** Goes on with the responses of a connection as far as they and the space go. */
  pump(slot: number): void {
    const exchanges = this.#exchanges;
    let progress = false;
    for (let first = exchanges.first(slot); first !== undefined; first = exchanges.first(slot)) {
      if (!this.#write(slot, first)) break;
      progress = true;
      const upgrade = first.status === BY_HANDLER ? first.response.upgraded : undefined;
      this.#complete(slot, first);
      if (upgrade !== undefined) this.#onUpgrade(slot, upgrade);
    }
    if (!this.#sendSide.isOwing(slot)) this.#sendSide.release(slot);
    if (progress) this.#onProgress(slot);
  }

  // True exactly when the response is complete.
  #write(slot: number, exchange: Exchange): boolean {
    if (exchange.delegated || exchange.responding) return false;
    const { response } = exchange;
    if (!exchange.headWritten) {
      if (exchange.expectsContinue && exchange.requestBody?.isWanted === true) {
        if (!this.#continue(slot, exchange)) return false;
      }
      const isReady = exchange.status !== BY_HANDLER || response.ended || response.streams;
      if (!isReady) return false;
      if (response.upgraded !== undefined) this.#checkUpgrade(slot, exchange);
      if (isTransferred(response.body)) return exchange.onTransferred();
      if (!this.#begin(slot, exchange)) return false;
    }
    return exchange.status !== BY_HANDLER || this.#pieces(slot, exchange);
  }

  // A handler before it was late, or the like: bytes of the other protocol may be lost already.
  #checkUpgrade(slot: number, exchange: Exchange): void {
    if (exchange.status !== BY_HANDLER || !this.#table.has(slot, LINGER_AFTER_SEND)) return;
    exchange.fail(503, null);
  }

  // RFC 9110 15.2.1.
  #continue(slot: number, exchange: Exchange): boolean {
    const at = this.#reserve(slot, 0);
    if (at === NONE) return false;
    exchange.expectsContinue = false;
    this.#sendSide.commit(slot, this.#writer.interimContinue(at));
    return true;
  }

  // The head, and with it a response that the server or a task gives.
  #begin(slot: number, exchange: Exchange): boolean {
    const { response } = exchange;
    const at = this.#reserve(slot, bodySize(response.body) + response.queuedSize);
    if (at === NONE) return false;
    exchange.headWritten = true;
    if (exchange.status === BY_HANDLER && response.upgraded !== undefined) {
      this.#sendSide.commit(slot, this.#switching(at, exchange));
      return true;
    }
    this.#decideConnection(slot, exchange);
    const end =
      exchange.status === BY_HANDLER
        ? this.#beginByHandler(at, exchange)
        : this.#given(at, exchange);
    this.#sendSide.commit(slot, end);
    return true;
  }

  // RFC 9110 15.2.2. The lines have Upgrade, and Connection with it. It is counted as no response:
  // what it answers is said in the other protocol.
  #switching(at: number, { response }: Exchange): number {
    const lines = this.#lines(response.fields);
    return this.#writer.head(
      at,
      101,
      CONNECTION_DEFAULT,
      LENGTH_UNSAID,
      null,
      lines.bytes,
      0,
      lines.size,
    );
  }

  // Where there is space for a head; NONE when it has to be waited for.
  #reserve(slot: number, size: number): number {
    const at = this.#sendSide.reserve(slot, size);
    if (at === NONE) {
      this.#onDry(slot);
      return NONE;
    }
    return at + RESPONSE_SPACE_MIN > this.#sendSide.limit(slot) ? NONE : at;
  }

  #decideConnection(slot: number, exchange: Exchange): void {
    const table = this.#table;
    const isLast = this.#exchanges.last(slot) === exchange;
    // A drain announces the close with the last response, and the peer may be sending meanwhile.
    const closes = (this.draining && isLast) || this.#leavesBody(exchange);
    if (closes) table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    // Such as one whose body cannot be read to its end: RFC 9112 section 9.6.
    const ends = isLast && table.has(slot, LINGER_AFTER_SEND);
    if (closes || ends) exchange.connection = CONNECTION_CLOSE;
  }

  // True exactly when what is still to come of the request's body might never come, because its
  // peer was told a final status in place of 100 (RFC 9110 10.1.1); or when the response is
  // complete, and it is more than is worth dropping.
  #leavesBody(exchange: Exchange): boolean {
    if (exchange.bodyState !== BODY_OPEN) return false;
    if (exchange.expectsContinue) return true;
    const isComplete = exchange.status !== BY_HANDLER || exchange.response.ended;
    return isComplete && exchange.bodyLeft > BODY_DROP_MAX;
  }

  // What the server or a task answers with.
  #given(at: number, exchange: Exchange): number {
    const { status, connection, headOnly } = exchange;
    this.#count(status);
    if (exchange.isError) {
      return this.#writer.error(at, status, connection, headOnly, exchange.extra);
    }
    const size = exchange.resultSize;
    if (size === 0) return this.#writer.empty(at, status, connection);
    const type = resultType(exchange.resultKind);
    const end = this.#writer.head(at, status, connection, size, type);
    if (headOnly) return end;
    const from = exchange.resultOffset;
    for (let index = 0; index < size; index++) {
      this.#bytes[end + index] = exchange.result![from + index]!;
    }
    return end + size;
  }

  // The whole of a response, or the head of one that does not fit or comes in pieces. Its length is
  // known if it has ended already.
  #beginByHandler(at: number, exchange: Exchange): number {
    const { response } = exchange;
    response.beginSending();
    if (!response.streams) {
      const end = this.writeWhole(at, this.#sendSide.limit(exchange.slot), exchange);
      if (end !== NONE) {
        response.body = undefined;
        return end;
      }
    }
    const type = contentType(response);
    let size = response.bodySize;
    if (!response.streams) {
      size = contentSize(response);
      response.streamBody();
    } else if (size === LENGTH_UNKNOWN && isWhole(response, exchange.headOnly))
      size = response.queuedSize;
    if (size !== LENGTH_UNKNOWN) return this.#head(at, exchange, size, type);
    exchange.chunked = exchange.version === 11;
    // HTTP/1.0 knows no chunks: the end of the connection ends the body, RFC 9112 6.3.
    if (!exchange.chunked && exchange.connection !== CONNECTION_CLOSE) {
      // The peer did not ask for the close, and may be sending its next request.
      exchange.connection = CONNECTION_CLOSE;
      this.#table.setFlag(exchange.slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    }
    return this.#head(at, exchange, exchange.chunked ? LENGTH_CHUNKED : LENGTH_UNTIL_CLOSE, type);
  }

  #head(at: number, exchange: Exchange, length: number, type: Uint8Array | null): number {
    const { response, connection } = exchange;
    const { statusCode: status, fields } = response;
    this.#count(status);
    const lines = this.#lines(fields);
    // A 304 has the length of what GET would have answered, which is not nothing: RFC 9110 8.6.
    const size = status === 304 ? LENGTH_UNSAID : length;
    return this.#writer.head(at, status, connection, size, type, lines.bytes, 0, lines.size);
  }

  #lines(fields: readonly string[]): FieldLines {
    const lines = this.#fields;
    lines.clear();
    for (let index = 0; index < fields.length; index += 2) {
      lines.append(fields[index]!, fields[index + 1]!);
    }
    return lines;
  }

  // As many pieces of the body as there is space for, and its end.
  #pieces(slot: number, exchange: Exchange): boolean {
    const { response, chunked, headOnly } = exchange;
    const sendSide = this.#sendSide;
    const begin = sendSide.reserve(slot, response.queuedSize);
    if (begin === NONE) {
      this.#onDry(slot);
      return false;
    }
    const limit = sendSide.limit(slot);
    let at = begin;
    // Who waits until a piece was taken goes on behind this tick.
    this.#onUserCode();
    for (let piece = response.piece; piece !== undefined; piece = response.piece) {
      const left = piece.length - response.pieceTaken;
      if (left <= 0) return exchange.onTransferred();
      if (headOnly) {
        response.take(left);
        continue;
      }
      const size = Math.min(left, limit - at - (chunked ? CHUNK_FRAME_SIZE_MAX : 0));
      if (size < Math.min(left, PIECE_SIZE_MIN)) break;
      if (chunked) at = this.#writer.chunkHead(at, size);
      const from = response.pieceTaken;
      this.#bytes.set(
        from === 0 && size === piece.length ? piece : piece.subarray(from, from + size),
        at,
      );
      at += size;
      if (chunked) at = this.#writer.chunkEnd(at);
      response.take(size);
    }
    if (response.piece === undefined) exchange.giveTime();
    let done = response.ended && response.piece === undefined;
    if (done && chunked && !headOnly) {
      const lines = this.#lines(response.trailers);
      if (at + lines.size + LAST_CHUNK_SIZE > limit) done = false;
      else at = this.#writer.lastChunk(at, lines.bytes, 0, lines.size);
    }
    if (at !== begin) sendSide.commit(slot, at);
    return done;
  }

  // The response is complete. What the handler did not read of the body is dropped, or ends the
  // connection.
  #complete(slot: number, exchange: Exchange): void {
    const exchanges = this.#exchanges;
    exchanges.shift(slot);
    exchange.responseDone = true;
    if (exchange.bodyState === BODY_DONE) {
      exchanges.release(exchange);
      return;
    }
    this.#onUserCode();
    exchange.requestBody?.fail(new ExchangeError('the response has ended', 0));
    exchange.bodyState = BODY_DROPPED;
    // Who was not told to go on may send another request in place of the body.
    if (!this.#table.has(slot, CLOSE_AFTER_SEND) && !exchange.expectsContinue) return;
    this.#table.setFlag(slot, CLOSE_AFTER_SEND | LINGER_AFTER_SEND);
    exchanges.setReceiving(slot, NONE);
    exchanges.release(exchange);
  }

  #count(status: number): void {
    count(this.#counters, responseCounter(status));
  }
}
