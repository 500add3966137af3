/**
 * What is computed: windows, label delay, and the names and layout that
 * follow from them. A feature row is an array of whole numbers, the totals;
 * the doubles that topics, tables and models carry, and the canonical text of
 * files, are derived from the totals here and nowhere else.
 */
import { DAY_SECONDS } from "../transaction/transaction.ts";

/** Parameters of the features; the defaults are the handbook's. */
export interface FeatureParameters {
  /** Window lengths in days, ascending, without repetition. */
  readonly windowDays: readonly number[];
  /** Days until a payment's label is known, at least 1. */
  readonly delayDays: number;
  /** Whether labels are used at all; without them every risk is 0. */
  readonly useLabels: boolean;
}

/** The handbook's windows of 1, 7 and 30 days and its delay of 7 days. */
export const HANDBOOK_FEATURES: FeatureParameters = {
  windowDays: [1, 7, 30],
  delayDays: 7,
  useLabels: true,
};

/**
 * Feature names in the canonical order: the two calendar flags, then count
 * and average of each customer window, then count and risk of each terminal
 * window.
 */
export function featureNames(parameters: FeatureParameters): string[] {
  const names = ["TX_DURING_WEEKEND", "TX_DURING_NIGHT"];
  for (const days of parameters.windowDays) {
    names.push(`CUSTOMER_ID_NB_TX_${days}DAY_WINDOW`);
    names.push(`CUSTOMER_ID_AVG_AMOUNT_${days}DAY_WINDOW`);
  }
  for (const days of parameters.windowDays) {
    names.push(`TERMINAL_ID_NB_TX_${days}DAY_WINDOW`);
    names.push(`TERMINAL_ID_RISK_${days}DAY_WINDOW`);
  }
  return names;
}

/** Number of features, which is also the length of a row of totals. */
export function featureCount(parameters: FeatureParameters): number {
  return 2 + 4 * parameters.windowDays.length;
}

/** Longest window in seconds. */
export function longestWindowSeconds(parameters: FeatureParameters): number {
  return Math.max(...parameters.windowDays) * DAY_SECONDS;
}

/**
 * Turns totals into feature values, in place of `values`. Totals stand, from
 * `totals[from]` on, in the order of the names: flag, flag, then (count, cents) a customer window and
 * (count, frauds) a terminal window. An average is cents / count / 100, a risk
 * frauds / count, or 0 where the count is 0.
 */
export function totalsToValues(
  totals: ArrayLike<number>,
  windows: number,
  values: Float64Array | number[],
  from = 0,
): void {
  values[0] = totals[from];
  values[1] = totals[from + 1];
  let at = 2;
  for (let window = 0; window < windows; window++, at += 2) {
    const count = totals[from + at];
    values[at] = count;
    values[at + 1] = count === 0 ? 0 : totals[from + at + 1] / count / 100;
  }
  for (let window = 0; window < windows; window++, at += 2) {
    const count = totals[from + at];
    values[at] = count;
    values[at + 1] = count === 0 ? 0 : totals[from + at + 1] / count;
  }
}

/**
 * The totals that feature values came from: the inverse of totalsToValues,
 * exact since a total is the whole number nearest to value times count.
 */
export function valuesToTotals(
  values: ArrayLike<number>,
  windows: number,
  totals: Float64Array | number[],
): void {
  totals[0] = values[0];
  totals[1] = values[1];
  let at = 2;
  for (let window = 0; window < windows; window++, at += 2) {
    totals[at] = values[at];
    totals[at + 1] = Math.round(values[at + 1] * values[at] * 100);
  }
  for (let window = 0; window < windows; window++, at += 2) {
    totals[at] = values[at];
    totals[at + 1] = Math.round(values[at + 1] * values[at]);
  }
}

/**
 * Turns totals into the canonical file's values: averages and risks rounded
 * half up to 6 decimals in whole numbers, since exact halves do occur and the
 * double would go either way. Their number text is the canonical text. Totals
 * are taken from `totals[from]` on.
 */
export function totalsToCanonical(
  totals: ArrayLike<number>,
  windows: number,
  values: Float64Array | number[],
  from = 0,
): void {
  values[0] = totals[from];
  values[1] = totals[from + 1];
  let at = 2;
  for (let window = 0; window < windows; window++, at += 2) {
    values[at] = totals[from + at];
    values[at + 1] = ratioSixDecimals(
      totals[from + at + 1],
      totals[from + at],
      10_000,
    );
  }
  for (let window = 0; window < windows; window++, at += 2) {
    values[at] = totals[from + at];
    values[at + 1] = ratioSixDecimals(
      totals[from + at + 1],
      totals[from + at],
      1_000_000,
    );
  }
}

/** floor((2 · total · scale + count) / (2 · count)) / 1e6, or 0 for count 0. */
function ratioSixDecimals(total: number, count: number, scale: number): number {
  if (count === 0) return 0;
  const numerator = 2 * total * scale + count;
  if (numerator <= Number.MAX_SAFE_INTEGER) {
    // The quotient of two whole doubles below 2^53 can round up to a whole
    // number that it does not reach; the remainder tells.
    return (numerator - numerator % (2 * count)) / (2 * count) / 1e6;
  }
  const exact = (2n * BigInt(total) * BigInt(scale) + BigInt(count)) /
    (2n * BigInt(count));
  return Number(exact) / 1e6;
}
