import { equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { DATE_FIELD_SIZE, DateField, UNIX_SECONDS_MAX } from './date-field.ts';

const DAY = 86_400;
const text = (date: DateField): string => Buffer.from(date.bytes).toString('latin1');
const expected = (seconds: number): string => `Date: ${new Date(seconds * 1000).toUTCString()}\r\n`;

function checkAll(seconds: Iterable<number>): void {
  const date = new DateField();
  for (const second of seconds) {
    date.set(second);
    if (text(date) !== expected(second)) equal(text(date), expected(second), `second ${second}`);
  }
}

test('a fresh field shows the epoch', () => {
  const date = new DateField();
  equal(text(date), expected(0));
  equal(date.bytes.length, DATE_FIELD_SIZE);
});

test('the form is IMF-fixdate: RFC 9110 5.6.7', () => {
  const date = new DateField();
  date.set(1_795_414_320);
  equal(text(date), 'Date: Mon, 23 Nov 2026 06:12:00 GMT\r\n');
});

test('every day of 400 years and more has its date', () => {
  checkAll(Array.from({ length: 160_000 }, (_, day) => day * DAY + ((day * 7919) % DAY)));
});

test('every second of a day has its time', () => {
  checkAll(Array.from({ length: DAY }, (_, second) => 1_709_164_800 + second));
});

test('the ends of leap years, centuries and the last second are right', () => {
  const years = [1972, 2000, 2024, 2100, 2400, 9996].map((year) => Date.UTC(year, 1, 28) / 1000);
  checkAll(years.flatMap((start) => Array.from({ length: 4 }, (_, day) => start + day * DAY)));
  checkAll([0x7fff_ffff, 0x8000_0000, 0xffff_ffff, UNIX_SECONDS_MAX, 0]);
});

test('seconds in any order have their dates', () => {
  let state = 0x1234_5678;
  const seconds = Array.from({ length: 20_000 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state * 58;
  });
  checkAll(seconds);
});

test('the version changes exactly with the bytes', () => {
  const date = new DateField();
  date.set(5);
  const version = date.version;
  date.set(5);
  equal(date.version, version);
  date.set(6);
  notEqual(date.version, version);
});

test('misuse is asserted: a second out of range, half a second', () => {
  const date = new DateField();
  throws(() => date.set(-1), /1970 to 9999/);
  throws(() => date.set(UNIX_SECONDS_MAX + 1), /1970 to 9999/);
  throws(() => date.set(1.5), /whole seconds/);
});
