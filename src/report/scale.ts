/**
 * From numbers to places on an axis: linear scales, round ticks, dates, and
 * numbers as people read them.
 */
import { DAY_SECONDS } from "../payment/payment.ts";

/** A linear scale and the ticks of its axis. */
export interface Scale {
  /** Place of a number. */
  place(value: number): number;
  /** Numbers to mark on the axis, with their texts. */
  readonly ticks: readonly Tick[];
}

/** A mark on an axis. */
export interface Tick {
  /** Where. */
  readonly value: number;
  /** What is written. */
  readonly text: string;
}

/** A scale from `low` … `high` to `start` … `end` with the given ticks. */
export function scaleOf(
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
  ticks: readonly Tick[],
): Scale {
  const range = high - low || 1;
  const place = (value: number) =>
    start + (value - low) / range * (end - start);
  return { place, ticks };
}

/** Round numbers from `low` to `high`, about `wanted` of them, at 1, 2 or 5 times a power of ten. */
export function roundTicks(
  low: number,
  high: number,
  wanted: number,
  format: (value: number) => string = shortNumber,
): Tick[] {
  if (!(high > low)) return [{ value: low, text: format(low) }];
  const step = roundStep((high - low) / Math.max(1, wanted));
  const ticks: Tick[] = [];
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  for (let at = first; at <= last; at++) {
    // Through decimal text: 3 * 0.1 is not 0.3.
    const value = Number((at * step).toPrecision(12));
    ticks.push({ value, text: format(value) });
  }
  return ticks;
}

/** The smallest of 1, 2 or 5 times a power of ten that is not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9);
  const factor = [1, 2, 5, 10].find((f) => f * power >= least * (1 - 1e-9));
  return Number(((factor ?? 10) * power).toPrecision(12));
}

/** The smallest round number that is at least `value`, for the end of an axis. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const step = roundStep(value / 5);
  return Number((Math.ceil(value / step - 1e-9) * step).toPrecision(12));
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * Ticks of days `first` … `last` since a midnight (seconds since 1970), at
 * most `most` of them: days where there are few, else beginnings of months or
 * years. Their values are days.
 */
export function dayTicks(
  startSeconds: number,
  first: number,
  last: number,
  most: number,
): Tick[] {
  const dateOf = (day: number) => {
    return new Date((startSeconds + day * DAY_SECONDS) * 1000);
  };
  const days = last - first + 1;
  if (days <= 45) {
    const step = Math.ceil(days / Math.max(1, most));
    return Array.from({ length: Math.ceil(days / step) }, (_, at) => {
      const date = dateOf(first + at * step);
      const month = MONTHS[date.getUTCMonth()];
      return {
        value: first + at * step,
        text: `${date.getUTCDate()} ${month}`,
      };
    });
  }
  const months = days / 30.4;
  const step = [1, 2, 3, 6, 12, 24, 60, 120, 600].find((step) => {
    return months / step <= most;
  }) ?? 1200;
  const ticks: Tick[] = [];
  for (let day = first; day <= last; day++) {
    const date = dateOf(day);
    const month = 12 * date.getUTCFullYear() + date.getUTCMonth();
    if (date.getUTCDate() !== 1 || month % step !== 0) continue;
    const name = `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
    const text = step >= 12 ? String(date.getUTCFullYear()) : name;
    ticks.push({ value: day, text });
  }
  return ticks;
}

/** A number with commas between thousands and at most `decimals` decimals; 'none' for what is no number. */
export function grouped(value: number, decimals = 0): string {
  if (!Number.isFinite(value)) return "none";
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split(".");
  const commas = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  const text = fraction === undefined ? commas : `${commas}.${fraction}`;
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/** A number for an axis: commas, and only as many decimals as it has. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 1e-6) return value.toExponential(0);
  const [, fraction = ""] = size.toFixed(6).replace(/0+$/, "").split(".");
  return grouped(value, fraction.length);
}

/** A number to about three digits, for tables. */
export function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return grouped(value);
  if (size >= 10) return grouped(value, 1);
  return size >= 1 ? grouped(value, 2) : grouped(value, 4);
}

/** A share of 1 as a percentage: '0.84 %'. */
export function percent(share: number, decimals = 2): string {
  return Number.isFinite(share)
    ? `${grouped(100 * share, decimals)}\u00a0%`
    : "none";
}

/** A number of things: '1 fraud', '2 frauds'. */
export function some(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Cents as an amount: '1,234.50'. */
export function amountOf(cents: number): string {
  return grouped(cents / 100, 2);
}
