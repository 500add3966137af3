/**
 * Times as other programs write them, read as whole seconds since 1970:
 * ISO 8601, a count since 1970, or a pattern of Unicode's letters (LDML). An
 * offset in the text wins over the zone. Fractions of a second are dropped.
 */
import { dateSeconds, END_SECOND, FIRST_SECOND } from "../payment/calendar.ts";
import type { Zone } from "./zone.ts";

/** Seconds since 1970 of a text; NaN if it is no time of the format. */
export type TimeReader = (text: string) => number;

/** Formats with a name, and what they accept. */
const EPOCH_UNITS: Readonly<Record<string, number>> = {
  "epoch-s": 1,
  "epoch-ms": 1000,
  "epoch-us": 1_000_000,
};

/** The format of a count since 1970: how many per second; undefined for another format. */
export function epochUnit(format: string): number | undefined {
  return Object.hasOwn(EPOCH_UNITS, format) ? EPOCH_UNITS[format] : undefined;
}

/** What is wrong with a format; undefined if nothing is. */
export function formatDefect(format: string): string | undefined {
  if (format === "iso" || epochUnit(format) !== undefined) return undefined;
  const steps = patternSteps(format);
  return typeof steps === "string" ? steps : undefined;
}

/** Reads times of a format that formatDefect() accepts. */
export function timeReader(format: string, zone: Zone): TimeReader {
  if (format === "iso") return isoReader(zone);
  const unit = epochUnit(format);
  if (unit !== undefined) return (text) => epochSeconds(text, unit);
  const steps = patternSteps(format);
  if (typeof steps === "string") throw new RangeError(steps);
  return patternReader(steps, zone);
}

/** The parts of a time, as they are read. */
interface TimeParts {
  year: number;
  month: number;
  day: number;
  hour: number;
  /** 0 for AM, 12 for PM; -1 without either. */
  half: number;
  minute: number;
  second: number;
  /** Offset in seconds; NaN without one. */
  offset: number;
}

/** Reads one part from `at` on, and returns where it ends; -1 if it is not there. */
type Step = (text: string, at: number, parts: TimeParts) => number;

function emptyParts(): TimeParts {
  return {
    year: 0,
    month: 1,
    day: 1,
    hour: 0,
    half: -1,
    minute: 0,
    second: 0,
    offset: NaN,
  };
}

function secondsOf(parts: TimeParts, zone: Zone): number {
  const { hour, minute, second } = parts;
  if (hour > 23 || minute > 59 || second > 59) return NaN;
  const midnight = dateSeconds(parts.year, parts.month, parts.day);
  if (midnight === undefined) return NaN;
  const local = midnight + hour * 3600 + minute * 60 + second;
  const seconds = Number.isNaN(parts.offset)
    ? zone.toUtc(local)
    : local - parts.offset;
  return seconds >= FIRST_SECOND && seconds < END_SECOND ? seconds : NaN;
}

const BLANK = 32;
const PLUS = 43;
const COMMA = 44;
const DASH = 45;
const DOT = 46;
const COLON = 58;
const UPPER_T = 84;
const LOWER_T = 116;

/** Two digits as a number; NaN if they are none. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  const digits = tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
  return digits ? tens * 10 + ones : NaN;
}

/** Reads 'YYYY-MM-DD', T or a blank, 'HH:MM', and perhaps seconds, a fraction and an offset. */
function isoReader(zone: Zone): TimeReader {
  const parts = emptyParts();
  return (text) => {
    const mark = text.charCodeAt(10);
    const form = text.charCodeAt(4) === DASH && text.charCodeAt(7) === DASH &&
      (mark === BLANK || mark === UPPER_T || mark === LOWER_T) &&
      text.charCodeAt(13) === COLON;
    if (!form) return NaN;
    parts.year = 100 * pair(text, 0) + pair(text, 2);
    parts.month = pair(text, 5);
    parts.day = pair(text, 8);
    parts.hour = pair(text, 11);
    parts.minute = pair(text, 14);
    parts.second = 0;
    parts.offset = NaN;
    const sum = parts.year + parts.month + parts.day + parts.hour +
      parts.minute;
    if (Number.isNaN(sum)) return NaN;
    let at = 16;
    if (text.charCodeAt(at) === COLON) {
      parts.second = pair(text, at + 1);
      if (Number.isNaN(parts.second)) return NaN;
      at = afterFraction(text, at + 3);
    }
    if (at < text.length) {
      if (text.charCodeAt(at) === BLANK) at++;
      if (readOffset(text, at, parts) !== text.length) return NaN;
    }
    return secondsOf(parts, zone);
  };
}

/** Where a fraction of a second that may begin at `at` ends. */
function afterFraction(text: string, at: number): number {
  const mark = text.charCodeAt(at);
  if (mark !== DOT && mark !== COMMA) return at;
  const end = digitsEnd(text, at + 1);
  return end > at + 1 ? end : at;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at++;
  return at;
}

/** An offset: Z, UTC, GMT, +02, +0200 or +02:00. */
const readOffset: Step = (text, at, parts) => {
  const sign = text.charCodeAt(at);
  if (sign !== PLUS && sign !== DASH) {
    const word = /^(?:Z|UTC|GMT)/i.exec(text.slice(at, at + 3));
    if (!word) return -1;
    parts.offset = 0;
    return at + word[0].length;
  }
  const hours = pair(text, at + 1);
  if (!(hours <= 23)) return -1;
  let end = at + 3;
  let minutes = 0;
  const next = end + (text.charCodeAt(end) === COLON ? 1 : 0);
  if (next > end || text.charCodeAt(next) >= 48) {
    minutes = pair(text, next);
    if (!(minutes <= 59)) return -1;
    end = next + 2;
  }
  const seconds = hours * 3600 + minutes * 60;
  parts.offset = sign === DASH ? -seconds : seconds;
  return end;
};

/** Greatest count of a double that is exact. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Whole seconds of a count since 1970 in digits, rounded down. */
function epochSeconds(text: string, unit: number): number {
  const match = /^(-?)(\d{1,16})(?:\.(\d+))?$/.exec(text);
  if (!match) return epochOfExponent(text, unit);
  const [, sign, digits, fraction = ""] = match;
  const whole = Number(digits);
  if (whole > COUNT_MAX) return NaN;
  const count = sign === "-"
    ? -whole - (/[1-9]/.test(fraction) ? 1 : 0)
    : whole;
  return inRange(Math.floor(count / unit));
}

/** The same of a number with an exponent, as some programs write floats. */
function epochOfExponent(text: string, unit: number): number {
  if (!/^-?\d(?:\.\d+)?[eE]\+?\d{1,2}$/.test(text)) return NaN;
  return inRange(Math.floor(Number(text) / unit));
}

function inRange(seconds: number): number {
  return seconds >= FIRST_SECOND && seconds < END_SECOND ? seconds + 0 : NaN;
}

function patternReader(steps: readonly Step[], zone: Zone): TimeReader {
  const parts = emptyParts();
  return (text) => {
    parts.hour = 0;
    parts.half = -1;
    parts.minute = 0;
    parts.second = 0;
    parts.offset = NaN;
    let at = 0;
    for (let step = 0; step < steps.length; step++) {
      at = steps[step](text, at, parts);
      if (at < 0) return NaN;
    }
    if (at !== text.length) return NaN;
    if (parts.half >= 0) {
      if (parts.hour < 1 || parts.hour > 12) return NaN;
      parts.hour = parts.hour % 12 + parts.half;
    }
    return secondsOf(parts, zone);
  };
}

const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
const WEEKDAYS = [
  ...["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
  "Sunday",
];

/** A number of `min` to `max` digits. */
function digits(
  min: number,
  max: number,
  put: (parts: TimeParts, value: number) => void,
): Step {
  return (text, at, parts) => {
    let value = 0;
    let count = 0;
    while (count < max) {
      const digit = text.charCodeAt(at + count) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      count++;
    }
    if (count < min) return -1;
    put(parts, value);
    return at + count;
  };
}

/** One of some English words, in any case. */
function words(
  list: readonly string[],
  put: (parts: TimeParts, place: number) => void,
): Step {
  const lower = list.map((word) => word.toLowerCase());
  return (text, at, parts) => {
    const place = lower.findIndex((word) =>
      text.substring(at, at + word.length).toLowerCase() === word
    );
    if (place < 0) return -1;
    put(parts, place);
    return at + lower[place].length;
  };
}

function literal(expected: string): Step {
  return (text, at) =>
    text.startsWith(expected, at) ? at + expected.length : -1;
}

/** A letter of a pattern. */
interface Letter {
  /** What it sets. */
  readonly sets: string;
  /** Reads as many of it as given; undefined where that means nothing. */
  readonly step: (width: number) => Step | undefined;
}

const OFFSET: Letter = { sets: "offset", step: () => readOffset };

/** What each letter sets; a letter may stand once, and only one of those that set the same. */
const LETTERS: Readonly<Record<string, Letter>> = {
  y: { sets: "year", step: yearStep },
  M: { sets: "month", step: monthStep },
  d: twoDigits("day"),
  H: twoDigits("hour"),
  h: twoDigits("hour"),
  m: twoDigits("minute"),
  s: twoDigits("second"),
  S: {
    sets: "fraction",
    step: (width) =>
      digits(width, width === 1 ? 9 : width, () => {
        // A fraction is dropped.
      }),
  },
  a: {
    sets: "AM or PM",
    step: () => words(["AM", "PM"], (parts, place) => parts.half = place * 12),
  },
  E: {
    sets: "weekday",
    step: (width) =>
      words(named(WEEKDAYS, width), () => {
        // The date says which day it is.
      }),
  },
  X: OFFSET,
  x: OFFSET,
  Z: OFFSET,
};

/** The step of a letter that stands `width` times; undefined for a width that it may not have. */
function twoDigits(sets: "day" | "hour" | "minute" | "second"): Letter {
  return {
    sets,
    step: (width) =>
      width > 2
        ? undefined
        : digits(width, 2, (parts, value) => parts[sets] = value),
  };
}

function yearStep(width: number): Step | undefined {
  if (width === 2) {
    // POSIX: 69 to 99 are of the 20th century.
    return digits(2, 2, (parts, value) => {
      parts.year = value + (value < 69 ? 2000 : 1900);
    });
  }
  if (width !== 4 && width !== 1) return undefined;
  return digits(width, 4, (parts, value) => parts.year = value);
}

function monthStep(width: number): Step | undefined {
  if (width < 3) {
    return digits(width, 2, (parts, value) => parts.month = value);
  }
  if (width > 4) return undefined;
  return words(
    named(MONTHS, width),
    (parts, place) => parts.month = place + 1,
  );
}

/** Full names, or their first three letters where the width is not 4. */
function named(names: readonly string[], width: number): readonly string[] {
  return width === 4 ? names : names.map((name) => name.slice(0, 3));
}

/** The steps of a pattern, or what is wrong with it. */
function patternSteps(pattern: string): Step[] | string {
  const steps: Step[] = [];
  const set = new Map<string, string>();
  let open = "";
  const token = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g;
  for (const [text, quoted, letter] of pattern.matchAll(token)) {
    if (letter === undefined) {
      if (text === "'") return "a quote is not closed; write '' for a quote";
      const plain = quoted === undefined ? text : quoted.replaceAll("''", "'");
      steps.push(literal(plain === "" ? "'" : plain));
      open = "";
      continue;
    }
    const known = Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined;
    const step = known?.step(text.length);
    if (known === undefined || step === undefined) {
      return `'${text}' has no meaning here; known are yyyy, yy, MM, M, MMM, ` +
        "MMMM, dd, d, HH, H, hh, h, a, mm, m, ss, s, S, SSS, EEE, EEEE, XXX, " +
        "X and Z; quote other letters, such as 'T'";
    }
    const before = set.get(known.sets);
    if (before !== undefined) {
      return `'${before}' and '${text}' both set the ${known.sets}; ` +
        "leave one out";
    }
    set.set(known.sets, text);
    const isNumber = /[yMdHhmsS]/.test(letter) &&
      !(letter === "M" && text.length > 2);
    if (isNumber && open !== "") {
      return `'${open}' has no fixed number of digits, so '${text}' cannot ` +
        "follow it directly; double the letter or put a separator between them";
    }
    open = isNumber && text.length === 1 ? text : "";
    steps.push(step);
  }
  return incomplete(set) ?? steps;
}

/** What a pattern lacks. */
function incomplete(set: ReadonlyMap<string, string>): string | undefined {
  const missing = ["year", "month", "day"].find((part) => !set.has(part));
  if (missing !== undefined) {
    return `the ${missing} is missing; write for example yyyy-MM-dd HH:mm:ss`;
  }
  const isHalf = set.get("hour")?.startsWith("h") ?? false;
  if (isHalf !== set.has("AM or PM")) {
    return isHalf
      ? "'h' needs 'a' for AM or PM; write H for hours from 0 to 23"
      : "'a' needs 'h', the hour from 1 to 12";
  }
  const sequence = [...set.keys()].join();
  if (/year,minute/.test(sequence) && /hour,month/.test(sequence)) {
    return "'m' is the minute and 'M' the month; swap them";
  }
  const order = ["hour", "minute", "second", "fraction"];
  const end = order.findIndex((part) => !set.has(part));
  const stray = end < 0
    ? undefined
    : order.slice(end).find((part) => set.has(part));
  return stray === undefined
    ? undefined
    : `the ${order[end]} is missing, but the ${stray} is there`;
}
