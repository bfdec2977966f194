// `npm run bench:http`: what a request costs in HTTP alone, parsed and routed, in nanoseconds: the
// median of some rounds, for requests of several sizes. No sockets, no other processes. Every
// request is parsed in full: that a pipelined one is compared with the one before it, and not
// parsed if it repeats it, is not part of what is called here.
// Control plane: a developer's tool.

import { parseArgs } from 'node:util';
import { ascii } from '../src/http/characters.ts';
import { REQUEST_LIMITS } from '../src/http/request-limits.ts';
import { PARSE_COMPLETE, RequestParser } from '../src/http/request-parser.ts';
import { Router } from '../src/http/router.ts';
import { BROWSER_FIELDS, BROWSER_PATH, BROWSER_TARGET, EMPTY_PATH } from './targets.ts';

export const SMALL_REQUEST = `GET ${EMPTY_PATH} HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n`;

export const BROWSER_REQUEST = [
  `GET ${BROWSER_TARGET} HTTP/1.1\r\n`,
  ...BROWSER_FIELDS.map(([name, value]) => `${name}: ${value}\r\n`),
  '\r\n',
].join('');

const ROUTES = [
  { method: 'GET', path: EMPTY_PATH },
  { method: 'GET', path: BROWSER_PATH },
];

/** The median cost of one request in nanoseconds, of `rounds` rounds of `iterations` requests. */
export function requestNs(request: string, rounds: number, iterations: number): number {
  // Many in one buffer, as they arrive when they are pipelined: 16 at least.
  const bytes = ascii(request.repeat(16));
  const size = request.length;
  const parser = new RequestParser(REQUEST_LIMITS);
  const router = new Router(ROUTES);
  const wanted = ROUTES.findIndex(({ path }) => request.startsWith(`GET ${path}`));
  if (wanted < 0) throw new Error('the request has no route');
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) {
      const at = (i & 15) * size;
      parser.begin();
      const result = parser.parse(bytes, at, bytes.length);
      const { pathOffset, pathSize, method } = parser;
      const route = router.find(bytes, at + pathOffset, pathSize, method);
      if (result !== PARSE_COMPLETE || parser.size !== size || route !== wanted) {
        throw new Error('the request is not served');
      }
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
