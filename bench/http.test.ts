// The smallest run: the requests that are measured are served.

import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { BROWSER_REQUEST, requestNs, SMALL_REQUEST } from './http.ts';

test('the requests of the benchmark are parsed and routed', () => {
  for (const request of [SMALL_REQUEST, BROWSER_REQUEST]) ok(requestNs(request, 3, 64) > 0);
  ok(BROWSER_REQUEST.length > 480, 'about 500 bytes');
  equal(BROWSER_REQUEST.match(/: .*\r\n/g)?.length, 10);
  // What is no request, or not the whole of one, is not measured as one.
  throws(() => requestNs('GET /test/fast HTTP/1.1\r\n\r\n', 3, 64), /not served/);
  throws(() => requestNs(SMALL_REQUEST.replace('fast', 'slow'), 3, 64), /no route/);
  throws(() => requestNs(SMALL_REQUEST.repeat(2), 3, 64), /not served/);
});
