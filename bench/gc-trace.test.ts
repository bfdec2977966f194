import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { GcTrace, parseGcLine } from './gc-trace.ts';

// Printed by Node 26.10, cut behind the sizes: 0x3278c000 is the isolate of the main thread,
// 0x7f537c001000 that of a worker.
const OUTPUT = `[5069:0x3278c000]       52 ms: Scavenge 5.2 (6.1) -> 4.7 (6.9) MB, ...
[5069:0x7f537c001000]       36 ms: Scavenge 5.1 (6.1) -> 4.8 (6.9) MB, ...
[5069:0x3278c000]      105 ms: Scavenge 17.7 (22.6) -> 16.3 (25.1) MB, ...
[5069:0x7f537c001000]       58 ms: Scavenge 10.4 (13.4) -> 9.9 (14.9) MB, ...
server listening on http://127.0.0.1:9392
[5069:0x3278c000]      269 ms: Incremental Mark-Compact 62.8 (71.9) -> 9.7 (34.1) MB, ...
`;
const LINES = OUTPUT.split('\n');
const MB = 1024 * 1024;

// Floating point adds up sizes that were printed with one decimal.
function megabytes(bytes: number): number {
  return Number((bytes / MB).toFixed(3));
}

test('the kinds of collection', () => {
  const kinds = {
    Scavenge: false,
    'Scavenge (during sweeping)': false,
    'Minor Mark-Sweep': false,
    'Minor Mark-Sweep (during sweeping)': false,
    'Mark-Compact': true,
    'Mark-Compact (reduce)': true,
    'Incremental Mark-Compact': true,
  };
  for (const [kind, major] of Object.entries(kinds)) {
    const line = `[5553:0x1fd61000]       20 ms: ${kind} 3.8 (4.9) -> 3.5 (4.9) MB, pooled: 0.0 MB`;
    const expected = { isolate: '0x1fd61000', major, bytesBefore: 3.8 * MB, bytesAfter: 3.5 * MB };
    deepEqual(parseGcLine(line), expected);
  }
});

test('other lines are none', () => {
  equal(parseGcLine(''), undefined);
  equal(parseGcLine('server listening on http://127.0.0.1:9392'), undefined);
  equal(parseGcLine('[5553:0x1fd61000]       20 ms: Shrink 3.8 (4.9) -> 3.5 (4.9) MB'), undefined);
});

test('every isolate has its own heap; the first sight of one counts no bytes', () => {
  const trace = new GcTrace();
  for (const line of LINES.slice(0, 2)) trace.add(line);
  deepEqual(trace.counts, { young: 2, major: 0, allocatedBytes: 0 });
  for (const line of LINES.slice(2)) trace.add(line);
  const { young, major, allocatedBytes } = trace.counts;
  deepEqual({ young, major }, { young: 4, major: 1 });
  // Main: 17.7 - 4.7 and 62.8 - 16.3; worker: 10.4 - 4.8.
  equal(megabytes(allocatedBytes), 65.1);
});

test('a restart forgets the counts, not the heap sizes', () => {
  const trace = new GcTrace();
  for (const line of LINES.slice(0, 4)) trace.add(line);
  trace.restart();
  deepEqual(trace.counts, { young: 0, major: 0, allocatedBytes: 0 });
  trace.add(LINES[5]!);
  equal(trace.counts.major, 1);
  equal(megabytes(trace.counts.allocatedBytes), 46.5);
});
