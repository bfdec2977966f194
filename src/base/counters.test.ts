import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTERS, COUNTERS_SIZE, Counter, count, readCounters } from './counters.ts';

test('every counter has a place of its own, and the places have no gap', () => {
  const places = Object.values(Counter).toSorted((a, b) => a - b);
  deepEqual(places, [...Array(COUNTERS).keys()]);
});

test('the memory of a thread holds every counter, at the width of a double', () => {
  equal(COUNTERS_SIZE, COUNTERS * 8);
  equal(new Float64Array(new SharedArrayBuffer(COUNTERS_SIZE)).length, COUNTERS);
});

test('counting is seen under the name of the counter, and nowhere else', () => {
  const counters = new Float64Array(new SharedArrayBuffer(COUNTERS_SIZE));
  for (const [name, place] of Object.entries(Counter)) {
    counters.fill(0);
    count(counters, place);
    count(counters, place);
    const nonZero = Object.entries(readCounters(counters)).filter(([, value]) => value !== 0);
    deepEqual(nonZero, [[name, 2]]);
  }
});

test('a counter goes on beyond what 32 bits hold', () => {
  const counters = new Float64Array(COUNTERS);
  counters[Counter.requests] = 2 ** 32 - 1;
  count(counters, Counter.requests);
  equal(readCounters(counters).requests, 2 ** 32);
});
