/**
 * Dates as they are written in the data: 'YYYY-MM-DD HH:MM:SS' in UTC, no time
 * zone, no leap seconds, years 0001 to 9999, held as whole seconds since 1970.
 */
import { DAY_SECONDS } from "./payment.ts";

/** First second of the year 0001, seconds since 1970. */
export const FIRST_SECOND: number = -62_135_596_800;

/** First second behind the year 9999, seconds since 1970. */
export const END_SECOND: number = 253_402_300_800;

/**
 * Seconds since 1970 of a date 'YYYY-MM-DD', or undefined when it is not a
 * real date of that form.
 */
export function parseDate(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return undefined;
  return dateSeconds(Number(match[1]), Number(match[2]), Number(match[3]));
}

/**
 * Seconds since 1970 of midnight of a date in the proleptic Gregorian
 * calendar, or undefined when there is no such date.
 */
export function dateSeconds(
  year: number,
  month: number,
  day: number,
): number | undefined {
  if (year < 1 || year > 9999) return undefined;
  if (month < 1 || month > 12 || day < 1) return undefined;
  if (day > daysInMonth(year, month)) return undefined;
  // Days from civil, after Howard Hinnant, "chrono-Compatible Low-Level Date
  // Algorithms": years begin in March, so that the leap day comes last.
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const shiftedMonth = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * shiftedMonth + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146_097 + dayOfEra - 719_468) * DAY_SECONDS;
}

/** Seconds since 1970 of 'YYYY-MM-DD HH:MM:SS', or undefined if it is not one. */
export function parseDatetime(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)$/
    .exec(text);
  if (!match) return undefined;
  const midnight = dateSeconds(+match[1], +match[2], +match[3]);
  if (midnight === undefined) return undefined;
  return midnight + +match[4] * 3600 + +match[5] * 60 + +match[6];
}

const ISO_DATETIME = new RegExp(
  /^(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d)/.source +
    /(?::([0-5]\d)(?:[.,]\d+)?)?/.source +
    /(?: ?(?:[Zz]|UTC|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?))?$/.source,
);

/**
 * Seconds since 1970 of an ISO 8601 date and time, or undefined if it is not
 * one: 'T' or a blank between the two, with or without seconds, a fraction of
 * a second (dropped), and an offset; without an offset the time is UTC.
 */
export function parseIsoDatetime(text: string): number | undefined {
  const match = ISO_DATETIME.exec(text);
  if (!match) return undefined;
  const midnight = parseDate(match[1]);
  if (midnight === undefined) return undefined;
  const part = (at: number) => Number(match[at] ?? 0);
  const offset = part(6) * 3600 + part(7) * 60;
  const seconds = midnight + part(2) * 3600 + part(3) * 60 + part(4) -
    (match[5] === "-" ? -offset : offset);
  return seconds >= FIRST_SECOND && seconds < END_SECOND ? seconds : undefined;
}

/**
 * Seconds since 1970 of a count of seconds, milliseconds, microseconds or
 * nanoseconds since then, in digits; a fraction is dropped. The number of
 * digits tells the unit from 2001-09-09 to 2286-11-20; other lengths are
 * undefined, since they could be a date such as 20180401.
 */
export function parseEpoch(digits: string): number | undefined {
  const match = /^([1-9]\d{9})(?:\d{3}){0,3}(?:\.\d+)?$/.exec(digits);
  return match ? Number(match[1]) : undefined;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) {
    const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
    return leap ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** A number of seconds as text for a flag, in the largest unit that fits: 172800 is "2d", 90 is "90s". */
export function formatDuration(seconds: number): string {
  for (const [unit, length] of DURATION_UNITS) {
    if (seconds >= length && seconds % length === 0) {
      return `${seconds / length}${unit}`;
    }
  }
  return `${seconds}s`;
}

const DURATION_UNITS = [["d", DAY_SECONDS], ["h", 3600], ["m", 60]] as const;

/** 'YYYY-MM-DD' of a time in seconds since 1970. */
export function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** 'YYYY-MM-DD HH:MM:SS' of a time in seconds since 1970. */
export function formatDatetime(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** Whether a time in seconds since 1970 falls on a Saturday or a Sunday. */
export function isWeekend(seconds: number): boolean {
  // 1970-01-01 was a Thursday; + 4 makes Sunday 0.
  const day = ((Math.floor(seconds / DAY_SECONDS) + 4) % 7 + 7) % 7;
  return day === 0 || day === 6;
}

/** Whether a time is at night as the handbook has it: 00:00:00 to 06:59:59. */
export function isNight(seconds: number): boolean {
  const second = seconds - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS;
  return second < 7 * 3600;
}

/** Formats many times of few days: 'YYYY-MM-DD HH:MM:SS', without a Date for each. */
export class DatetimeFormatter {
  #day = NaN;
  #date = "";
  // Of rows in another order than that of time, as by text ids.
  readonly #dates = new Map<number, string>();

  /** The text of a time in seconds since 1970. */
  format(seconds: number): string {
    const day = Math.floor(seconds / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#date = this.#dateOf(day);
    }
    const second = seconds - day * DAY_SECONDS;
    const hours = Math.floor(second / 3600);
    const minutes = Math.floor(second / 60) - 60 * hours;
    return this.#date + TWO_DIGITS[hours] + ":" + TWO_DIGITS[minutes] + ":" +
      TWO_DIGITS[second % 60];
  }

  #dateOf(day: number): string {
    const known = this.#dates.get(day);
    if (known !== undefined) return known;
    const date = formatDate(day * DAY_SECONDS) + " ";
    if (this.#dates.size >= DATES_MAX) this.#dates.clear();
    this.#dates.set(day, date);
    return date;
  }
}

/** Days whose text a formatter keeps. */
const DATES_MAX = 64;

const TWO_DIGITS: readonly string[] = Array.from(
  { length: 60 },
  (_, n) => String(n).padStart(2, "0"),
);
