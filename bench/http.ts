// `npm run bench:http`: what a request costs in HTTP alone, parsed and routed, in nanoseconds: the
// median of some rounds, for requests of several sizes. No sockets, no other processes.
// Control plane: a developer's tool.

import { parseArgs } from 'node:util';
import { ascii } from '../src/http/characters.ts';
import { REQUEST_LIMITS } from '../src/http/request-limits.ts';
import { PARSE_COMPLETE, RequestParser } from '../src/http/request-parser.ts';
import { Router } from '../src/http/router.ts';

export const SMALL_REQUEST = 'GET /test/fast HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n';

/** Like what a browser sends: about 500 bytes, 10 fields. */
export const BROWSER_REQUEST = [
  'GET /articles/latest?page=2&order=newest HTTP/1.1',
  'Host: www.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.7,de;q=0.3',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Connection: keep-alive',
  'Referer: https://www.example.com/articles',
  'Cookie: session=8d1f0c6a2b7e4f93; theme=dark; consent=1',
  'Upgrade-Insecure-Requests: 1',
  'If-None-Match: "5f2c-61a7d0b3c4e80"',
  '\r\n',
].join('\r\n');

/** The median cost of one request in nanoseconds, of `rounds` rounds of `iterations` requests. */
export function requestNs(request: string, rounds: number, iterations: number): number {
  // Many in one buffer, as they arrive when they are pipelined: 16 at least.
  const bytes = ascii(request.repeat(16));
  const size = request.length;
  const parser = new RequestParser(REQUEST_LIMITS);
  const router = new Router([
    { method: 'GET', path: '/test/fast' },
    { method: 'GET', path: '/articles/latest' },
  ]);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) {
      const at = (i & 15) * size;
      parser.begin();
      const result = parser.parse(bytes, at, bytes.length);
      const { pathOffset, pathSize, method } = parser;
      const route = router.find(bytes, at + pathOffset, pathSize, method);
      if (result !== PARSE_COMPLETE || route < 0) throw new Error('the request is not served');
    }
    samples.push(Number(process.hrtime.bigint() - begin) / iterations);
  }
  return samples.sort((a, b) => a - b)[rounds >> 1]!;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '15' },
      iterations: { type: 'string', default: '200000' },
    },
  });
  for (const [name, request] of [
    ['small', SMALL_REQUEST],
    ['browser', BROWSER_REQUEST],
  ] as const) {
    const ns = requestNs(request, Number(values.rounds), Number(values.iterations));
    console.log(`${name}: ${request.length} bytes, ${ns.toFixed(1)} ns per request`);
  }
}
