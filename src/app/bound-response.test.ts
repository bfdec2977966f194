import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { RESPONSE_SINK } from '../../test/support/unit-response-sink.ts';
import { hasContent } from '../http/status.ts';
import { BoundResponse } from './bound-response.ts';

function bound(): BoundResponse {
  const response = new BoundResponse(RESPONSE_SINK);
  response.bind();
  return response;
}

test('a response ends with what it was ended with, 200 and no body if nothing was said', () => {
  const response = bound();
  equal(response.ended, false);
  response.end();
  deepEqual([response.ended, response.statusCode, response.body], [true, 200, undefined]);

  const bytes = Uint8Array.of(1);
  for (const [body, status] of [
    ['text', 404],
    [bytes, 200],
    ['', 500],
  ] as const) {
    const other = bound();
    other.end(body, status);
    deepEqual([other.ended, other.statusCode, other.body], [true, status, body]);
  }
});

test('a response that is bound again knows nothing of the one before', () => {
  const response = bound();
  response.end('first', 404);
  response.unbind();
  response.bind();
  deepEqual([response.ended, response.body], [false, undefined]);
  response.end();
  deepEqual([response.statusCode, response.body], [200, undefined]);
});

test('every final status is accepted, with a body unless it has no content', () => {
  for (let status = 200; status <= 599; status++) {
    bound().end(undefined, status);
    if (!hasContent(status)) throws(() => bound().end('x', status), /has no body/);
    else bound().end('x', status);
  }
});

test('a status that is none is refused, and the response can still be ended', () => {
  for (const status of [0, 100, 101, 199, 600, -200, 200.5, Number.NaN]) {
    const response = bound();
    throws(() => response.end('x', status), RangeError);
    throws(() => response.end(undefined, status), RangeError);
    equal(response.ended, false);
    response.end('better');
    equal(response.statusCode, 200);
  }
});

test('a body that is neither text nor bytes is refused', () => {
  for (const body of [1, {}, null, [1], new ArrayBuffer(1), new Uint16Array(1), true]) {
    throws(() => bound().end(body as unknown as string), {
      name: 'TypeError',
      message: 'the body of a response is a string or a Uint8Array',
    });
  }
});

test('misuse says what it was: an end too many, an end too late', () => {
  const twice = bound();
  twice.end();
  throws(() => twice.end(), { message: 'the response has ended already' });
  throws(() => twice.end('x'), { message: 'the response has ended already' });
  twice.unbind();
  const late = { message: 'the response was used after it had ended' };
  throws(() => twice.end(), late);
  throws(() => new BoundResponse(RESPONSE_SINK).end('x', 404), late);
});

test('Upgrade is a field of a head', () => {
  const response = new BoundResponse(RESPONSE_SINK);
  response.bind();
  response.field('Upgrade', 'websocket');
  throws(() => response.trailer('upgrade', 'websocket'), /no field of a trailer/);
  response.trailer('X', 'y');
  response.end();
});
