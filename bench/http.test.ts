// The smallest run: the requests that are measured are served.

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { BROWSER_REQUEST, requestNs, SMALL_REQUEST } from './http.ts';

test('the requests of the benchmark are parsed and routed', () => {
  for (const request of [SMALL_REQUEST, BROWSER_REQUEST]) ok(requestNs(request, 3, 64) > 0);
  ok(BROWSER_REQUEST.length > 480, 'about 500 bytes');
});
