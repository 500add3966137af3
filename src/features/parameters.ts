/**
 * What is computed: the set, windows, label delay, and the names and layout
 * that follow from them. A feature row is an array of whole numbers, the totals;
 * the doubles that topics, tables and models carry, and the canonical text of
 * files, are derived from the totals here and nowhere else.
 */
import { DAY_SECONDS } from "../payment/payment.ts";
import {
  type DeclaredColumn,
  type DeclaredFeatures,
  isOfCustomer,
} from "./declared_features.ts";
import {
  customerColumns,
  type ExtendedColumn,
  terminalColumns,
} from "./extended_columns.ts";

/** The sets of features. */
export const FEATURE_SETS = ["handbook", "extended", "none"] as const;

/** The handbook's features alone, or with more after them (see extended_columns.ts), or none. */
export type FeatureSet = typeof FEATURE_SETS[number];

/** Parameters of the features; the defaults are the handbook's. */
export interface FeatureParameters {
  /** Which features there are. */
  readonly set: FeatureSet;
  /** Window lengths in days, ascending, without repetition; empty in the set none. */
  readonly windowDays: readonly number[];
  /** Days until a payment's label is known, at least 1. */
  readonly delayDays: number;
  /** Whether labels are used; without them every risk is 0. */
  readonly useLabels: boolean;
  /** Where labels arrive later than their payments, how long after it is known a label counts, in seconds; undefined where payments carry their labels. */
  readonly graceSeconds?: number | undefined;
  /** Decimals of TX_AMOUNT where a definition says so; left out, 2. */
  readonly decimals?: number | undefined;
  /** Whether amounts may be negative; left out, they may not. */
  readonly refunds?: boolean | undefined;
  /** What a definition declares, behind the features of the set; left out where it declares nothing. */
  readonly declared?: DeclaredFeatures | undefined;
}

/** Whether payments have features at all. */
export function hasFeatures(parameters: FeatureParameters): boolean {
  return featureCount(parameters) > 0;
}

/** Whether the handbook's features are among them. */
export function hasHandbook({ set }: Pick<FeatureParameters, "set">): boolean {
  return set !== "none";
}

/** How many minor units are 1. */
export function amountScale({ decimals = 2 }: FeatureParameters): number {
  return 10 ** decimals;
}

/** Whether the feature of that name is an amount, negative where refunds outweigh. */
export function isAmountFeature(name: string): boolean {
  return /_AVG_AMOUNT_\d+DAY_WINDOW$/.test(name);
}

/** The handbook's windows of 1, 7 and 30 days and its delay of 7 days. */
export const HANDBOOK_FEATURES: FeatureParameters = {
  set: "handbook",
  windowDays: [1, 7, 30],
  delayDays: 7,
  useLabels: true,
};

/**
 * Feature names in the canonical order: the two calendar flags, then count
 * and average of each customer window, then count and risk of each terminal
 * window; in the extended set then the customer's and the terminal's more; the
 * declared ones last, in their order.
 */
export function featureNames(parameters: FeatureParameters): string[] {
  return [
    ...includedNames(parameters),
    ...declaredColumns(parameters).map(({ name }) => name),
  ];
}

/** The names of the features of the set, without the declared ones. */
export function includedNames(parameters: FeatureParameters): string[] {
  if (!hasHandbook(parameters)) return [];
  const names = ["TX_DURING_WEEKEND", "TX_DURING_NIGHT"];
  for (const days of parameters.windowDays) {
    names.push(`CUSTOMER_ID_NB_TX_${days}DAY_WINDOW`);
    names.push(`CUSTOMER_ID_AVG_AMOUNT_${days}DAY_WINDOW`);
  }
  for (const days of parameters.windowDays) {
    names.push(`TERMINAL_ID_NB_TX_${days}DAY_WINDOW`);
    names.push(`TERMINAL_ID_RISK_${days}DAY_WINDOW`);
  }
  for (const { name } of extendedColumns(parameters)) names.push(name);
  return names;
}

/** Number of features, which is also the length of a row of totals. */
export function featureCount(parameters: FeatureParameters): number {
  return includedCount(parameters) + declaredColumns(parameters).length;
}

/** Number of features before the declared ones. */
export function includedCount(parameters: FeatureParameters): number {
  return handbookCount(parameters) + extendedColumns(parameters).length;
}

/** The columns of the declared features, in their order. */
export function declaredColumns(
  { declared }: FeatureParameters,
): readonly DeclaredColumn[] {
  return declared?.columns ?? [];
}

/** Of each feature, whether its values are whole numbers from 0 on. */
export function wholeFeatures(parameters: FeatureParameters): boolean[] {
  const { windowDays } = parameters;
  return [
    ...hasHandbook(parameters) ? [true, true] : [],
    ...windowDays.flatMap(() => [true, false]),
    ...windowDays.flatMap(() => [true, false]),
    ...extendedColumns(parameters).map(({ scale }) => scale === 1),
    ...declaredColumns(parameters).map(({ isWhole }) => isWhole),
  ];
}

/** Of each feature, whether it may have no value; only declared ones may. */
export function nullableFeatures(parameters: FeatureParameters): boolean[] {
  return [
    ...Array.from({ length: includedCount(parameters) }, () => false),
    ...declaredColumns(parameters).map(({ nullable }) => nullable),
  ];
}

/** Names of the features that may have no value, in their order. */
export function nullableNames(parameters: FeatureParameters): string[] {
  const nullable = nullableFeatures(parameters);
  return featureNames(parameters).filter((_, i) => nullable[i]);
}

/** How many of the features are the handbook's; they come first. */
export function handbookCount(parameters: FeatureParameters): number {
  return hasHandbook(parameters) ? 2 + 4 * parameters.windowDays.length : 0;
}

function extendedColumns(parameters: FeatureParameters): ExtendedColumn[] {
  if (parameters.set !== "extended") return [];
  const { windowDays } = parameters;
  return [...customerColumns(windowDays), ...terminalColumns(windowDays)];
}

/**
 * Where in a row of totals the customer's stand, the calendar flags aside: the
 * totals that a payment takes from the customer half to the terminal half.
 */
export function customerPlaces(parameters: FeatureParameters): number[] {
  const { set, windowDays } = parameters;
  const windows = 2 * windowDays.length;
  const extended = set === "extended" ? customerColumns(windowDays).length : 0;
  const first = handbookCount(parameters);
  return [
    ...Array.from({ length: windows }, (_, i) => 2 + i),
    ...Array.from({ length: extended }, (_, i) => first + i),
    ...customerAggregates(parameters)
      .map(({ column }) => includedCount(parameters) + column),
  ];
}

/** How many of the customer's places, the last ones, are of declared features: doubles, NaN for none. */
export function customerDeclared(parameters: FeatureParameters): number {
  return customerAggregates(parameters).length;
}

/** The field by whose value payments go to a partition of the second stage: one of the key that it has. */
export function routingField(parameters: FeatureParameters): string {
  const later = parameters.declared?.aggregates
    .filter((one) => !isOfCustomer(one)) ?? [];
  const isTerminal = hasHandbook(parameters) || later.length === 0 ||
    later.some(({ by }) => by.includes("TERMINAL_ID"));
  return isTerminal ? "TERMINAL_ID" : later[0].by[0];
}

/** Whether the second stage computes anything of the payments of other customers. */
export function hasLaterKey(
  { set, declared }: Pick<FeatureParameters, "set" | "declared">,
): boolean {
  return hasHandbook({ set }) ||
    declared?.aggregates.some((one) => !isOfCustomer(one)) === true;
}

function customerAggregates({ declared }: FeatureParameters) {
  return declared?.aggregates.filter(isOfCustomer) ?? [];
}

/** Longest window in seconds; 0 without any. */
export function longestWindowSeconds(parameters: FeatureParameters): number {
  return Math.max(0, ...parameters.windowDays) * DAY_SECONDS;
}

/** How far back a payment's customer features look, in seconds: the longest window, behind the label delay where labels of the card count. */
export function customerReachSeconds(parameters: FeatureParameters): number {
  const longest = longestWindowSeconds(parameters);
  const included = parameters.set === "extended"
    ? longest + parameters.delayDays * DAY_SECONDS
    : longest;
  const declared = customerAggregates(parameters)
    .map(({ overSeconds, delaySeconds }) => overSeconds + delaySeconds);
  return Math.max(included, ...declared);
}

/** How far back a declared feature looks, in seconds; 0 without any. */
export function declaredReachSeconds({ declared }: FeatureParameters): number {
  return Math.max(
    0,
    ...declared?.aggregates.map(({ overSeconds, delaySeconds }) =>
      overSeconds + delaySeconds
    ) ?? [],
  );
}

/** How far back any feature of a payment looks, in seconds. */
export function reachSeconds(parameters: FeatureParameters): number {
  const longest = longestWindowSeconds(parameters);
  const included = longest > 0
    ? longest + parameters.delayDays * DAY_SECONDS
    : 0;
  return Math.max(included, declaredReachSeconds(parameters));
}

/** How a row of totals is laid out. */
export interface TotalsLayout {
  /** Number of windows per half; 0 where there are no features at all. */
  readonly windows: number;
  /** Of each extended feature, what its total is divided by. */
  readonly scales: readonly number[];
  /** How many minor units of an amount are 1. */
  readonly amountScale: number;
  /** Of each declared feature, whether files of text have it to 6 decimals. */
  readonly declared: readonly boolean[];
}

/** The layout of the totals of these parameters. */
export function totalsLayout(parameters: FeatureParameters): TotalsLayout {
  return {
    windows: parameters.windowDays.length,
    scales: extendedColumns(parameters).map(({ scale }) => scale),
    amountScale: amountScale(parameters),
    declared: declaredColumns(parameters).map(({ isRatio }) => isRatio),
  };
}

/**
 * Turns totals into feature values, in place of `values`. Totals stand, from
 * `totals[from]` on, in the order of the names: flag, flag, then (count, cents)
 * per customer window and (count, frauds) per terminal window, then one for
 * each extended feature, then the declared features. An average is minor units
 * / count / amountScale, a risk frauds / count, or 0 where the count is 0; an
 * extended value is its total over the column's scale; the total of a declared
 * feature is its value, NaN for none.
 */
export function totalsToValues(
  totals: ArrayLike<number>,
  { windows, scales, amountScale, declared }: TotalsLayout,
  values: Float64Array | number[],
  from = 0,
): void {
  let at = 0;
  for (; windows > 0 && at < 2; at++) values[at] = totals[from + at];
  for (let window = 0; window < windows; window++, at += 2) {
    const count = totals[from + at];
    values[at] = count;
    values[at + 1] = count === 0
      ? 0
      : totals[from + at + 1] / count / amountScale;
  }
  for (let window = 0; window < windows; window++, at += 2) {
    const count = totals[from + at];
    values[at] = count;
    values[at + 1] = count === 0 ? 0 : totals[from + at + 1] / count;
  }
  for (const scale of scales) {
    values[at] = totals[from + at] / scale;
    at++;
  }
  for (let i = 0; i < declared.length; i++, at++) {
    values[at] = totals[from + at];
  }
}

/**
 * The totals that feature values came from: the inverse of totalsToValues,
 * exact since a total is the whole number nearest to value times count.
 */
export function valuesToTotals(
  values: ArrayLike<number>,
  { windows, scales, amountScale, declared }: TotalsLayout,
  totals: Float64Array | number[],
): void {
  let at = 0;
  for (; windows > 0 && at < 2; at++) totals[at] = values[at];
  for (let window = 0; window < windows; window++, at += 2) {
    totals[at] = values[at];
    totals[at + 1] = Math.round(
      values[at + 1] * values[at] * amountScale,
    );
  }
  for (let window = 0; window < windows; window++, at += 2) {
    totals[at] = values[at];
    totals[at + 1] = Math.round(values[at + 1] * values[at]);
  }
  for (const scale of scales) {
    totals[at] = Math.round(values[at] * scale);
    at++;
  }
  for (let i = 0; i < declared.length; i++, at++) totals[at] = values[at];
}

/**
 * Turns totals into the canonical file's values: averages and risks rounded
 * half up to 6 decimals in whole numbers, since exact halves do occur and the
 * double would go either way. Their number text is the canonical text. Totals
 * are taken from `totals[from]` on.
 */
export function totalsToCanonical(
  totals: ArrayLike<number>,
  { windows, scales, amountScale, declared }: TotalsLayout,
  values: Float64Array | number[],
  from = 0,
): void {
  let at = 0;
  for (; windows > 0 && at < 2; at++) values[at] = totals[from + at];
  for (let window = 0; window < windows; window++, at += 2) {
    values[at] = totals[from + at];
    values[at + 1] = ratioSixDecimals(
      totals[from + at + 1],
      totals[from + at],
      1_000_000 / amountScale,
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
  for (const scale of scales) {
    values[at] = totals[from + at] / scale;
    at++;
  }
  for (let i = 0; i < declared.length; i++, at++) {
    const value = totals[from + at];
    values[at] = declared[i] ? sixDecimals(value) : value;
  }
}

/**
 * The quotient of two whole numbers rounded half up to 6 decimals, from its
 * double; NaN stays. A double is at most two roundings from the quotient, so one
 * that is as close to a half is taken for it. That is the rounding of
 * ratioSixDecimals() for every share, and for every mean of up to about a
 * billion minor units in all.
 */
function sixDecimals(value: number): number {
  const scaled = Math.abs(value) * 1e6;
  if (scaled > Number.MAX_SAFE_INTEGER) return value;
  const whole = Math.floor(scaled);
  const isUp = scaled - whole + scaled * 2 ** -51 >= 0.5;
  return Math.sign(value) * (isUp ? whole + 1 : whole) / 1e6;
}

/** floor((2 · total · scale + count) / (2 · count)) / 1e6, or 0 for count 0. */
function ratioSixDecimals(total: number, count: number, scale: number): number {
  if (count === 0) return 0;
  // Half up is away from 0 on both sides.
  if (total < 0) return -ratioSixDecimals(-total, count, scale);
  const numerator = 2 * total * scale + count;
  if (numerator <= Number.MAX_SAFE_INTEGER) {
    // The quotient of two whole doubles below 2^53 can round up to a whole
    // number that it does not reach; the remainder decides.
    return (numerator - numerator % (2 * count)) / (2 * count) / 1e6;
  }
  const exact = (2n * BigInt(total) * BigInt(scale) + BigInt(count)) /
    (2n * BigInt(count));
  return Number(exact) / 1e6;
}
