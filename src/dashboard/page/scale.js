/**
 * From numbers to places on an axis, for the page and the report: linear
 * scales, ticks at round numbers, days and times, and numbers as people read
 * them. It needs neither a browser nor Deno.
 *
 * d3-scale would be an alternative, but its packages export their entry point
 * only, a tree of modules: without a bundler no program can serve it.
 */

/**
 * A mark on an axis.
 * @typedef {{ readonly value: number, readonly text: string }} Tick
 */

/** Writes a number with so many decimals. @typedef {(value: number, decimals: number) => string} Write */

/** @typedef {readonly [low: number, high: number]} Range */

const DAY_SECONDS = 86_400;

/**
 * A linear scale from a range of numbers to places on an axis; the middle of
 * the axis for a range without length.
 * @param {Range} range
 * @param {Range} places
 * @returns {(value: number) => number}
 */
export function linear([low, high], [start, end]) {
  if (!(high > low)) return () => (start + end) / 2;
  return (value) => start + (value - low) / (high - low) * (end - start);
}

/** The factors of round steps. */
const FACTORS = [1, 2, 5, 10];

/**
 * The smallest of 1, 2 or 5 times a power of ten that is not below `least`,
 * and the decimals that its multiples need.
 * @param {number} least
 */
function roundStep(least) {
  const power = Math.floor(Math.log10(least) + 1e-9);
  const factor = FACTORS.find((factor) => {
    return factor * 10 ** power >= least * (1 - 1e-9);
  }) ?? 10;
  const exponent = factor === 10 ? power + 1 : power;
  const step = Number((factor === 10 ? 1 : factor) + `e${exponent}`);
  return { step, decimals: Math.max(0, -exponent) };
}

/**
 * Round numbers from `low` to `high`, at least two and about `most` of them,
 * all with the decimals that their step needs. With `least` 1, whole numbers
 * only.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 * @param {Write} [write]
 * @param {number} [least] the smallest step
 * @returns {Tick[]}
 */
export function numberTicks(low, high, most, write = grouped, least = 0) {
  if (!(high > low)) return [];
  const spread = (high - low) / Math.max(1, most);
  const { step, decimals } = roundStep(Math.max(spread, least));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // One number says nothing about the distances on an axis.
  if (last <= first && step > least) {
    return numberTicks(low, high, 2 * Math.max(1, most), write, least);
  }
  return multiples(first, last, step, decimals, write);
}

/**
 * @param {number} first
 * @param {number} last
 * @param {number} step
 * @param {number} decimals
 * @param {Write} write
 * @returns {Tick[]}
 */
function multiples(first, last, step, decimals, write) {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => {
    // Through decimal text: 3 * 0.1 is not 0.3.
    const value = Number(((first + at) * step).toFixed(decimals));
    return { value, text: write(value, decimals) };
  });
}

/**
 * Ticks from 0 to the first that is not below `highest`, about `most` of them;
 * to 1 where nothing is above 0. `least` as in numberTicks().
 * @param {number} highest
 * @param {number} most
 * @param {Write} [write]
 * @param {number} [least]
 */
export function zeroTicks(highest, most, write = grouped, least = 0) {
  const end = highest > 0 ? highest : 1;
  const { step, decimals } = roundStep(
    Math.max(end / Math.max(1, most), least),
  );
  const last = Math.max(1, Math.ceil(end / step - 1e-9));
  return multiples(0, last, step, decimals, write);
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Distances of ticks in days, and in months where days would be too many. */
const DAY_STEPS = [1, 2, 3, 5, 7, 14];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200];

/** The date of a day of the stream. @param {number} startSeconds @param {number} day */
function dateOf(startSeconds, day) {
  return new Date((startSeconds + day * DAY_SECONDS) * 1000);
}

/**
 * The date of a day of the stream: 2018-04-01; its number where the start of
 * the stream is unknown.
 * @param {number | undefined} startSeconds
 * @param {number} day
 */
export function isoDay(startSeconds, day) {
  if (startSeconds === undefined) return `day ${day}`;
  return dateOf(startSeconds, day).toISOString().slice(0, 10);
}

/** The minute of a time of the stream, in days: 2018-04-01 12:30. @param {number | undefined} startSeconds @param {number} days */
export function isoMinute(startSeconds, days) {
  const minute = new Date(Math.floor(days * DAY_SECONDS) * 1000);
  const day = isoDay(startSeconds, Math.floor(days));
  return `${day} ${minute.toISOString().slice(11, 16)}`;
}

/**
 * Ticks of days `first` to `last`, about `most` of them: days where there are
 * few, else beginnings of months or years. Their values are days.
 * @param {number | undefined} startSeconds midnight of day 0, seconds since 1970; undefined for plain numbers
 * @param {number} first
 * @param {number} last
 * @param {number} most
 * @returns {Tick[]}
 */
export function dayTicks(startSeconds, first, last, most) {
  if (startSeconds === undefined) {
    return first === last
      ? [{ value: first, text: grouped(first) }]
      : numberTicks(first, last, most, grouped, 1);
  }
  const days = last - first + 1;
  const step = DAY_STEPS.find((step) => days / step <= Math.max(1, most));
  if (step !== undefined && days <= 366) {
    return Array.from({ length: Math.ceil(days / step) }, (_, at) => {
      const date = dateOf(startSeconds, first + at * step);
      const text = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
      return { value: first + at * step, text };
    });
  }
  return monthTicks(startSeconds, first, last, most);
}

/**
 * @param {number} startSeconds
 * @param {number} first
 * @param {number} last
 * @param {number} most
 */
function monthTicks(startSeconds, first, last, most) {
  const months = (last - first) / 30.4;
  const step = MONTH_STEPS.find((step) => months / step <= most) ?? 6000;
  /** @type {Tick[]} */
  const ticks = [];
  for (let day = first; day <= last; day++) {
    const date = dateOf(startSeconds, day);
    const month = 12 * date.getUTCFullYear() + date.getUTCMonth();
    if (date.getUTCDate() !== 1 || month % step !== 0) continue;
    const year = date.getUTCFullYear();
    const text = step >= 12 ? `${year}` : `${MONTHS[month % 12]} ${year}`;
    ticks.push({ value: day, text });
  }
  // A range between two first days of a month has its own first day.
  return ticks.length > 0
    ? ticks
    : [{ value: first, text: isoDay(startSeconds, first) }];
}

/**
 * What stands under an axis of days: "day, 2018" or "day, 2018 to 2020".
 * @param {number | undefined} startSeconds
 * @param {number} first
 * @param {number} last
 */
export function dayTitle(startSeconds, first, last) {
  if (startSeconds === undefined) return "day of the stream";
  const from = dateOf(startSeconds, first).getUTCFullYear();
  const to = dateOf(startSeconds, last).getUTCFullYear();
  return from === to ? `day, ${from}` : `day, ${from} to ${to}`;
}

const SECOND_STEPS = [
  ...[1, 2, 5, 10, 15, 30],
  ...[60, 120, 300, 600, 900, 1800, 3600],
];

/**
 * Ticks of the clock, in the reader's time zone, from one second since 1970 to
 * another.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 * @returns {Tick[]}
 */
export function clockTicks(from, to, most) {
  const step = SECOND_STEPS.find((step) => (to - from) / step <= most) ??
    3600 * Math.ceil((to - from) / 3600 / Math.max(1, most));
  const first = Math.ceil(from / step);
  const length = Math.max(0, Math.floor(to / step) - first + 1);
  return Array.from({ length }, (_, at) => {
    const value = (first + at) * step;
    return { value, text: clockTime(value).slice(0, step < 60 ? 8 : 5) };
  });
}

/** The reader's time of day of a second since 1970: 14:05:09. @param {number} seconds */
export function clockTime(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

/**
 * A number with commas between thousands and so many decimals; "none" for what
 * is no number.
 * @param {number} value
 * @param {number} [decimals]
 */
export function grouped(value, decimals = 0) {
  if (!Number.isFinite(value)) return "none";
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split(".");
  const commas = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  const text = fraction === undefined ? commas : `${commas}.${fraction}`;
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/**
 * A whole number of things: "1 payment", "2,000 payments", "no payments".
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export const countOf = (value, one, many = `${one}s`) =>
  value === 0 ? `no ${many}` : `${grouped(value)} ${value === 1 ? one : many}`;

/**
 * A share of 1 as a percentage: "0.84 %".
 * @param {number} share
 * @param {number} [decimals]
 */
export function percent(share, decimals = 2) {
  return Number.isFinite(share)
    ? `${grouped(100 * share, decimals)}\u00a0%`
    : "none";
}

/** A share for an axis, whose decimals are those of the share. @type {Write} */
export const shareTick = (share, decimals) =>
  percent(share, Math.max(0, decimals - 2));
