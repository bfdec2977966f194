import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseDurationUs, parseMetric, parseWrk } from './wrk.ts';

// Printed by wrk 4.1.0.
const CLEAN = `Running 3s test @ http://127.0.0.1:9392/test/fast
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.38ms   11.49ms 159.58ms   97.50%
    Req/Sec    94.92k    26.91k  111.66k    86.67%
  Latency Distribution
     50%  572.00us
     75%  656.00us
     90%    1.12ms
     99%   68.20ms
  282397 requests in 3.00s, 32.86MB read
Requests/sec:  94078.77
Transfer/sec:     10.95MB
`;
const FAULTY = `Running 4s test @ http://127.0.0.1:9401/test/fast
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.42ms   11.32ms 135.01ms   95.75%
    Req/Sec    15.53k     6.46k   31.32k    70.00%
  Latency Distribution
     50%  781.00us
     75%    1.91ms
     90%    5.97ms
     99%   70.31ms
  62031 requests in 4.02s, 7.55MB read
  Socket errors: connect 0, read 10349, write 0, timeout 0
  Non-2xx or 3xx responses: 20677
Requests/sec:  15416.40
Transfer/sec:      1.88MB
`;

test('a clean run', () => {
  deepEqual(parseWrk(CLEAN), {
    requests: 282397,
    requestsPerSecond: 94078.77,
    durationSeconds: 282397 / 94078.77,
    p50Us: 572,
    p99Us: 68200,
    socketErrors: { connect: 0, read: 0, write: 0, timeout: 0 },
    non2xx: 0,
  });
});

test('a run with errors says which', () => {
  const { socketErrors, non2xx } = parseWrk(FAULTY);
  deepEqual(socketErrors, { connect: 0, read: 10349, write: 0, timeout: 0 });
  equal(non2xx, 20677);
  const others = FAULTY.replace(
    'connect 0, read 10349, write 0, timeout 0',
    'connect 1, read 2, write 3, timeout 4',
  );
  deepEqual(parseWrk(others).socketErrors, { connect: 1, read: 2, write: 3, timeout: 4 });
});

test('a run without a single answer still has a duration', () => {
  const nothing = CLEAN.replace('282397 requests', '0 requests').replace('94078.77', '0.00');
  equal(parseWrk(nothing).durationSeconds, 3);
});

test('a missing figure is an error, not a guess', () => {
  throws(() => parseWrk('unable to connect to 127.0.0.1:1 Connection refused\n'), /lacks/);
  throws(() => parseWrk(CLEAN.replace(/ +99%.*\n/, '')), /lacks .*99%/);
});

test('every unit of time', () => {
  deepEqual(['216.00us', '1.12ms', '1.23s', '0.86m', '2.00h'].map(parseDurationUs), [
    216,
    1120,
    1.23e6,
    0.86 * 60e6,
    7200e6,
  ]);
  for (const text of ['', '12', '-1.00us', '3 ms', '1.0x']) {
    throws(() => parseDurationUs(text), /not a duration/);
  }
});

test('every unit of a count', () => {
  deepEqual(['636.00', '146.18k', '1.85M', '2G'].map(parseMetric), [636, 146_180, 1.85e6, 2e9]);
  for (const text of ['', '-nan', '1.0K', '1 k']) throws(() => parseMetric(text), /not a number/);
});
