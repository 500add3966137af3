/**
 * Values of inputs as people write them: counts, money, shares, ratios and
 * times, each with its unit. What is usual is written the same way.
 */
import { RATIO_MAX, RATIO_SCALE } from "../../features/extended_columns.ts";
import type { DeclaredFeatures } from "../../features/declared_features.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { UsualValue } from "./usual_values.ts";

/** What the texts need to know of the stream. */
export interface StreamFacts {
  /** Window lengths in days. */
  readonly windowDays: readonly number[];
  /** Days until a payment's label is known. */
  readonly delayDays: number;
  /** ISO 4217 code of the amounts; without one they are bare numbers. */
  readonly currency?: string;
  /** Decimals of the amounts; without them those of the currency, or 2. */
  readonly decimals?: number;
  /** The features that the stream's definition declares. */
  readonly declared?: DeclaredFeatures;
}

/** How the values of an input are written. */
export interface Unit {
  /** A value. */
  write(value: number, facts: StreamFacts): string;
  /** What is usual, beside a value. */
  usual(usual: UsualValue, value: number, facts: StreamFacts): string;
}

const LOCALE = "en-US";
const HOUR_SECONDS = 3600;
const MINUTE_SECONDS = 60;

/** Ratios of features go no higher. */
const RATIO_LIMIT = RATIO_MAX / RATIO_SCALE;

/** Whole numbers of things. */
export const COUNT: Unit = ofMedian((value) => value.toLocaleString(LOCALE));

/** Numbers of which nothing is known. */
export const NUMBER: Unit = ofMedian((value) =>
  value.toLocaleString(LOCALE, { maximumSignificantDigits: 3 })
);

/** Amounts. */
export const MONEY: Unit = ofMedian(money);

/** Times in seconds. */
export const DURATION: Unit = ofMedian(duration);

/** Shares of payments, 0 to 1. */
export const SHARE: Unit = {
  write: percent,
  usual: ({ mean }) => percent(mean),
};

/** Whether something is so, 0 or 1. */
export const FLAG: Unit = {
  write: (value) => value === 0 ? "no" : "yes",
  usual: ({ mean }, value) =>
    `${percent(value === 0 ? 1 - mean : mean)} of payments`,
};

/** One amount over another. */
export const RATIO: Unit = {
  write: (ratio) => `${ratioNumber(ratio)}×`,
  usual: ({ median }) => ratioNumber(median),
};

/** Seconds since something that a card did, within the longest window. */
export const CARD_AGE: Unit = ages(cardReachDays);

/** Seconds since something that a label said, within the longest window before the delay. */
export const LABEL_AGE: Unit = ages(labelReachDays);

/** How many days a card's payments are looked back on. */
export function cardReachDays({ windowDays }: StreamFacts): number {
  return Math.max(...windowDays);
}

/** How many days known labels are looked back on. */
export function labelReachDays(facts: StreamFacts): number {
  return cardReachDays(facts) + facts.delayDays;
}

/** A number with its noun: "1 payment", "12 payments", "no payments". */
export function counted(
  count: number,
  one: string,
  many: string = `${one}s`,
): string {
  if (count === 0) return `no ${many}`;
  return `${count.toLocaleString(LOCALE)} ${count === 1 ? one : many}`;
}

/** How many times as much a ratio is: "0.25 times", "4.1 times", "equal to". */
export function timesOf(ratio: number): string {
  const number = ratioNumber(ratio);
  if (number === "1") return "equal to";
  return `${ratio >= RATIO_LIMIT ? "at least " : ""}${number} times`;
}

function ratioNumber(ratio: number): string {
  return ratio < 100
    ? ratio.toLocaleString(LOCALE, { maximumSignificantDigits: 2 })
    : Math.round(ratio).toLocaleString(LOCALE);
}

/** A share as a percentage: "0.8 %", "42 %". */
export function percent(share: number): string {
  const hundredths = 100 * share;
  if (hundredths > 0 && hundredths < 0.05) return "less than 0.1 %";
  const digits = hundredths < 9.95 ? 1 : 0;
  return `${
    hundredths.toLocaleString(LOCALE, { maximumFractionDigits: digits })
  } %`;
}

/** An amount in the stream's currency. */
function money(amount: number, { currency, decimals }: StreamFacts): string {
  const digits = currency === undefined ? decimals ?? 2 : decimals;
  return amount.toLocaleString(LOCALE, {
    ...currency !== undefined && { style: "currency", currency },
    ...digits !== undefined &&
      { minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
}

const UNITS: readonly (readonly [size: number, noun: string])[] = [
  [DAY_SECONDS, "day"],
  [HOUR_SECONDS, "hour"],
  [MINUTE_SECONDS, "minute"],
];

/** A length in the largest unit that divides it: "1 hour", "90 seconds", "30 days". */
export function wholeDuration(seconds: number): string {
  const [size, noun] = UNITS.find(([size]) => seconds % size === 0) ??
    [1, "second"];
  return counted(seconds / size, noun);
}

/** A time in its largest unit of which there are two or more. */
function duration(seconds: number): string {
  const [size, noun] = UNITS.find(([size]) => seconds >= 2 * size) ??
    [1, "second"];
  const count = Math.round(seconds / size);
  return `${count.toLocaleString(LOCALE)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A unit whose usual value is the median, written like a value. */
function ofMedian(write: Unit["write"]): Unit {
  return { write, usual: ({ median }, _value, facts) => write(median, facts) };
}

/** Seconds since something that may lie behind the days that are looked back on. */
function ages(reachDays: (facts: StreamFacts) => number): Unit {
  const isBeyond = (seconds: number, facts: StreamFacts) =>
    seconds >= reachDays(facts) * DAY_SECONDS;
  return {
    write: (seconds, facts) =>
      isBeyond(seconds, facts)
        ? `more than ${reachDays(facts)} days`
        : duration(seconds),
    usual({ median }, value, facts) {
      if (!isBeyond(median, facts)) return duration(median);
      return isBeyond(value, facts)
        ? "none"
        : `none in ${reachDays(facts)} days`;
    },
  };
}
