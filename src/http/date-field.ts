// The Date field line of all responses of a thread: `Date: Mon, 23 Nov 2026 06:12:00 GMT` CRLF, in
// the IMF-fixdate form of RFC 9110 section 5.6.7.
//
// Owner: one thread. Data plane: `set` writes digits in place, from integers alone, so a clock that
// ticks creates no garbage. `version` changes exactly when `bytes` do: copies compare it.

import { assert } from '../base/assert.ts';
import { ascii, DIGIT_0 } from './characters.ts';

export const DATE_FIELD_SIZE = 37;

const DAY_SECONDS = 86_400;
/** The last second of the year 9999: the form has four digits for a year. */
export const UNIX_SECONDS_MAX = 253_402_300_799;

// Thursday first: the epoch began on one.
const WEEKDAYS = ascii('ThuFriSatSunMonTueWed');
// March first, as `#setDay` counts.
const MONTHS = ascii('MarAprMayJunJulAugSepOctNovDecJanFeb');

const WEEKDAY_AT = 6;
const DAY_AT = 11;
const MONTH_AT = 14;
const YEAR_AT = 18;
const HOUR_AT = 23;
const MINUTE_AT = 26;
const SECOND_AT = 29;

export class DateField {
  /** The field line, CRLF included. Only `set` writes it. */
  readonly bytes: Uint8Array = ascii('Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n');
  /** Another number whenever `bytes` are others. */
  version = 0;
  #unixSeconds = 0;
  #day = 0;

  constructor() {
    assert(this.bytes.length === DATE_FIELD_SIZE, 'the date field has a fixed size');
  }

  /** Shows another second; whole seconds since the epoch, leap seconds not counted. */
  set(unixSeconds: number): void {
    assert(
      unixSeconds >= 0 && unixSeconds <= UNIX_SECONDS_MAX,
      'a date is of the years 1970 to 9999',
    );
    if (unixSeconds === this.#unixSeconds) return;
    const day = Math.floor(unixSeconds / DAY_SECONDS);
    const second = unixSeconds - day * DAY_SECONDS;
    assert(Number.isInteger(second), 'a date has whole seconds');
    this.#unixSeconds = unixSeconds;
    this.version = (this.version + 1) | 0;
    if (day !== this.#day) this.#setDay(day);
    this.#setTwoDigits(HOUR_AT, (second / 3600) | 0);
    this.#setTwoDigits(MINUTE_AT, ((second / 60) | 0) % 60);
    this.#setTwoDigits(SECOND_AT, second % 60);
  }

  // The proleptic Gregorian calendar, counted in years that begin in March, so that a leap day is
  // the last of its year, and in eras of 400 years, which all have 146,097 days. Day 0 of era 0 is
  // the 1st of March of the year 0, 719,468 days before the epoch. The months from March on have 31
  // 30 31 30 31 days again and again: (153 * month + 2) / 5 days come before one.
  #setDay(day: number): void {
    const days = day + 719_468;
    const era = (days / 146_097) | 0;
    const eraDay = days - era * 146_097;
    const leapDays = ((eraDay / 1460) | 0) - ((eraDay / 36_524) | 0) + ((eraDay / 146_096) | 0);
    const eraYear = ((eraDay - leapDays) / 365) | 0;
    const yearDay = eraDay - (365 * eraYear + ((eraYear / 4) | 0) - ((eraYear / 100) | 0));
    const month = ((5 * yearDay + 2) / 153) | 0;
    const year = era * 400 + eraYear + (month >= 10 ? 1 : 0);
    this.#day = day;
    this.#setName(WEEKDAY_AT, WEEKDAYS, day % 7);
    this.#setTwoDigits(DAY_AT, yearDay - (((153 * month + 2) / 5) | 0) + 1);
    this.#setName(MONTH_AT, MONTHS, month);
    this.#setTwoDigits(YEAR_AT, (year / 100) | 0);
    this.#setTwoDigits(YEAR_AT + 2, year % 100);
  }

  #setTwoDigits(at: number, value: number): void {
    this.bytes[at] = DIGIT_0 + ((value / 10) | 0);
    this.bytes[at + 1] = DIGIT_0 + (value % 10);
  }

  #setName(at: number, names: Uint8Array, index: number): void {
    for (let i = 0; i < 3; i++) this.bytes[at + i] = names[index * 3 + i]!;
  }
}
