import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { ascii } from './characters.ts';
import { DateField } from './date-field.ts';
import { PARSE_COMPLETE, PARSER_STATE_WORDS, RequestParser } from './request-parser.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_DEFAULT,
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
const writer = new ResponseWriter(new Uint8Array(RESPONSE_HEAD_SIZE_MAX), date);
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

test('the measurement sees an allocation', () => {
  const bytes = allocatedPerCall((iteration) => new Uint8Array(16 + (iteration & 1)).length);
  equal(bytes > 16, true, `${bytes} bytes per call`);
});
