import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { BODY_COMPLETE, BODY_DATA, BODY_STATE_WORDS, BodyDecoder } from './body-decoder.ts';
import { ascii } from './characters.ts';
import { DateField } from './date-field.ts';
import { FieldLines } from './field-lines.ts';
import { Fields } from './fields.ts';
import { PARSE_COMPLETE, PARSER_STATE_WORDS, RequestParser } from './request-parser.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
  CONNECTION_KEEP_ALIVE,
  LENGTH_CHUNKED,
  RESPONSE_HEAD_SIZE_MAX,
  ResponseWriter,
} from './response-writer.ts';
import { Router } from './router.ts';

const ITERATIONS = 200_000;
const REQUEST = ascii('GET /test/fast HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n');
const ODD_REQUEST = ascii(
  'HEAD http://a:1/x?y HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
);

const parser = new RequestParser({ requestLineSizeMax: 256, headSizeMax: 1024, fieldCountMax: 16 });
const router = new Router([{ method: 'GET', path: '/test/fast' }]);
const date = new DateField();
const writer = new ResponseWriter(new Uint8Array(2 * RESPONSE_HEAD_SIZE_MAX), date);
const prepared = writer.prepare(404, ascii('A: b\r\n'), null, ascii('not here'));
const words = new Int32Array(PARSER_STATE_WORDS);

/**
 * Bytes allocated per call of `step`. The least of some rounds: the first ones also pay for the
 * compiler, and only what each call allocates is in all of them.
 */
function allocatedPerCall(step: (iteration: number) => number): number {
  let sum = 0;
  let least = Number.MAX_VALUE;
  for (let round = 0; round < 6; round++) {
    const before = getHeapStatistics().total_allocated_bytes;
    for (let i = 0; i < ITERATIONS; i++) sum = (sum + step(i)) | 0;
    const after = getHeapStatistics().total_allocated_bytes;
    least = Math.min(least, (after - before) / ITERATIONS);
  }
  equal(Number.isInteger(sum), true);
  return least;
}

/** A request parsed, routed and answered. */
function answer(): number {
  parser.begin();
  const result = parser.parse(REQUEST, 0, REQUEST.length);
  const route = router.find(REQUEST, parser.pathOffset, parser.pathSize, parser.method);
  return writer.empty(0, 200, CONNECTION_DEFAULT) + result + route;
}

/** The same in two pieces, with the ways that are taken less often, under a clock that ticks. */
function answerOdd(iteration: number): number {
  date.set(iteration);
  parser.begin();
  parser.parse(ODD_REQUEST, 0, 40);
  parser.save(words, 0);
  parser.restore(words, 0);
  const result = parser.parse(ODD_REQUEST, 0, ODD_REQUEST.length);
  const route = router.find(ODD_REQUEST, parser.pathOffset, parser.pathSize, parser.method);
  return writer.error(0, 404, CONNECTION_CLOSE, false, null) + result + route;
}

const CHUNKED_HEAD = ascii(
  'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n',
);
const CHUNKED_BODY = ascii('5;a="b"\r\nhello\r\n00c\r\nhello, world\r\n0\r\nContent: x\r\n\r\n');
const BODY_CUT = 12;
const NAME_X = ascii('x');
const decoder = new BodyDecoder();
const bodyWords = new Int32Array(BODY_STATE_WORDS);
const fields = new Fields();
const lines = new FieldLines();

/** The body, in two pieces. Answers how many bytes it has. */
function decodeBody(): number {
  decoder.begin(true, 0);
  let at = 0;
  while (decoder.decode(CHUNKED_BODY, at, BODY_CUT) === BODY_DATA) at = decoder.next;
  decoder.save(bodyWords, 0);
  decoder.begin(false, 1);
  decoder.restore(bodyWords, 0);
  at = BODY_CUT;
  let result = decoder.decode(CHUNKED_BODY, at, CHUNKED_BODY.length);
  for (; result === BODY_DATA; result = decoder.decode(CHUNKED_BODY, at, CHUNKED_BODY.length))
    at = decoder.next;
  return result === BODY_COMPLETE ? decoder.received : -1;
}

/** A request with a body, one of its fields, and a response in chunks with fields of its own. */
function exchange(iteration: number): number {
  parser.begin();
  const result = parser.parse(CHUNKED_HEAD, 0, CHUNKED_HEAD.length);
  const found = fields.find(CHUNKED_HEAD, parser.fieldsOffset, parser.size, NAME_X) ? 1 : 0;
  lines.clear();
  lines.append('ETag', '"1"');
  lines.append('Vary', '*');
  let at = writer.interimContinue(0);
  const { bytes, size } = lines;
  at = writer.head(at, 200, CONNECTION_DEFAULT, LENGTH_CHUNKED, null, bytes, 0, size);
  at = writer.chunkHead(at, 1 + (iteration & 0xffff));
  at = writer.chunkEnd(at);
  at = writer.lastChunk(at);
  at = writer.head(at, 200, CONNECTION_DEFAULT, 0x7000_0000 + iteration, null);
  return result + found + at + decodeBody();
}

/** A body of a length beyond 31 bits, of which a part arrives and its state is kept. */
function decodeLarge(iteration: number): number {
  decoder.begin(false, 2 ** 40 + iteration);
  decoder.decode(CHUNKED_BODY, 0, CHUNKED_BODY.length);
  decoder.save(bodyWords, 0);
  decoder.restore(bodyWords, 0);
  return decoder.received & 0xff;
}

/** The date changes each time: the prepared response is renewed. */
function writePrepared(iteration: number): number {
  date.set(iteration);
  const at = writer.writePrepared(0, prepared, CONNECTION_KEEP_ALIVE, false);
  return at + writer.writePrepared(0, prepared, CONNECTION_DEFAULT, (iteration & 1) === 0);
}

test('the requests of these tests are complete', () => {
  answer();
  equal(parser.size, REQUEST.length);
  answerOdd(1);
  equal(parser.size, ODD_REQUEST.length);
  parser.begin();
  equal(parser.parse(ODD_REQUEST, 0, ODD_REQUEST.length), PARSE_COMPLETE);
});

test('a request is parsed, routed and answered without allocation', () => {
  const bytes = allocatedPerCall(answer);
  equal(bytes < 2, true, `${bytes} bytes per request`);
});

test('the ways that are taken less often do not allocate either', () => {
  const bytes = allocatedPerCall(answerOdd);
  equal(bytes < 2, true, `${bytes} bytes per request`);
});

test('a body is decoded, fields are looked up and chunks are written without allocation', () => {
  equal(decodeBody(), 17);
  parser.begin();
  equal(parser.parse(CHUNKED_HEAD, 0, CHUNKED_HEAD.length), PARSE_COMPLETE);
  equal(fields.find(CHUNKED_HEAD, parser.fieldsOffset, parser.size, NAME_X), true);
  const bytes = allocatedPerCall(exchange);
  equal(bytes < 2, true, `${bytes} bytes per request`);
});

test('counting beyond 31 bits allocates nothing', () => {
  const bytes = allocatedPerCall(decodeLarge);
  equal(bytes < 2, true, `${bytes} bytes per request`);
});

test('a prepared response is written without allocation, whatever its date', () => {
  const bytes = allocatedPerCall(writePrepared);
  equal(bytes < 2, true, `${bytes} bytes per response`);
});

test('the measurement sees an allocation', () => {
  const bytes = allocatedPerCall((iteration) => new Uint8Array(16 + (iteration & 1)).length);
  equal(bytes > 16, true, `${bytes} bytes per call`);
});
