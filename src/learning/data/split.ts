/**
 * The payments that a model learns from and those that it is judged by, as in
 * the Fraud Detection Handbook, chapter 5: some days to train on, the days
 * until their labels are known, the days of the test. Cards that are known to
 * be compromised by then are blocked in practice, so they leave the test.
 */
import { createHash } from "node:crypto";
import { ModelError } from "../../base/error.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  dayOf,
  type LabelledPayments,
  lastDayOf,
  rowsOfDays,
  transactionIds,
} from "./payments.ts";

/** One training and its test; days count from the first of the data, which is 0. */
export interface Period {
  /** First day of the training. */
  readonly startDay: number;
  /** Days of training. */
  readonly trainDays: number;
  /** Days between training and test: until a payment's label is known. */
  readonly delayDays: number;
  /** Days of the test. */
  readonly testDays: number;
  /**
   * Days before `startDay` that are learned from as well. They change neither
   * the test nor which cards are known, so that longer pasts can be compared
   * by the same rows.
   */
  readonly historyDays: number;
}

/** The handbook's: training 2018-07-25 to 2018-07-31, test 2018-08-08 to 2018-08-14. */
export const HANDBOOK_PERIOD: Period = {
  startDay: 115,
  trainDays: 7,
  delayDays: 7,
  testDays: 7,
  historyDays: 0,
};

/** Rows to train on and rows to test by, each ascending. */
export interface Split {
  /** Where they come from. */
  readonly period: Period;
  /** Rows of the training days, those of compromised cards too. */
  readonly train: Int32Array;
  /** Rows of the test days without known compromised cards. */
  readonly test: Int32Array;
}

/** How many rows there are, and how many frauds among them. */
export interface RowCount {
  /** Number of rows. */
  readonly rows: number;
  /** Number of frauds. */
  readonly frauds: number;
}

/** First day that a period needs. */
export function firstDayOf(period: Period): number {
  return period.startDay - period.historyDays;
}

/** First day of the test. */
export function testStartOf(period: Period): number {
  return period.startDay + period.trainDays + period.delayDays;
}

/** Day behind the last that a period needs. */
export function endDayOf(period: Period): number {
  return testStartOf(period) + period.testDays;
}

/** Splits payments. Throws ModelError where the training or the test has no row. */
export function splitPayments(
  payments: LabelledPayments,
  period: Period,
): Split {
  const train = trainRows(payments, period);
  const known = compromisedCards(
    payments,
    period.startDay,
    period.startDay + period.trainDays,
  );
  const testStart = testStartOf(period);
  const test: number[] = [];
  for (let day = testStart; day < endDayOf(period); day++) {
    // Labels from the delay and a day ago are known on the morning of the day.
    const newlyKnown = day - period.delayDays - 1;
    addAll(known, compromisedCards(payments, newlyKnown, newlyKnown + 1));
    const { from, to } = rowsOfDays(payments, day, day + 1);
    for (let row = from; row < to; row++) {
      if (!known.has(payments.card[row])) test.push(row);
    }
  }
  if (test.length === 0) {
    throw new ModelError(
      "the test has no payment: " +
        emptyDays(payments, testStart, endDayOf(period)),
    );
  }
  return { period, train, test: Int32Array.from(test) };
}

/** The rows that a period's training takes. Throws ModelError where there is none. */
export function trainRows(
  payments: LabelledPayments,
  period: Period,
): Int32Array {
  const endDay = period.startDay + period.trainDays;
  const { from, to } = rowsOfDays(payments, firstDayOf(period), endDay);
  if (from === to) {
    throw new ModelError(
      "the training has no payment: " +
        emptyDays(payments, firstDayOf(period), endDay),
    );
  }
  return Int32Array.from({ length: to - from }, (_, at) => from + at);
}

/**
 * The periods of a prequential validation whose last test is that of `base`
 * moved `folds` - 1 tests on: fold f lies f tests earlier. The validation
 * folds end before the labels of the first test fold's training are known.
 */
export function prequentialPeriods(
  base: Period,
  folds: number,
): { readonly validation: Period[]; readonly test: Period[] } {
  const { startDay, delayDays, testDays } = base;
  const from = (firstStart: number) =>
    Array.from({ length: folds }, (_, fold): Period => {
      return { ...base, startDay: firstStart - fold * testDays };
    });
  return {
    validation: from(startDay - delayDays - testDays),
    test: from(startDay + (folds - 1) * testDays),
  };
}

/** Counts rows and frauds. */
export function countRows(
  payments: LabelledPayments,
  rows: Int32Array,
): RowCount {
  let frauds = 0;
  for (const row of rows) frauds += payments.labels[row];
  return { rows: rows.length, frauds };
}

/** The rows of each day among some rows, ascending by day. */
export function rowsByDay(
  payments: LabelledPayments,
  rows: Int32Array,
): Map<number, Int32Array> {
  const byDay = new Map<number, Int32Array>();
  let from = 0;
  for (let at = 1; at <= rows.length; at++) {
    const day = dayOf(payments, rows[from]);
    if (at < rows.length && dayOf(payments, rows[at]) === day) continue;
    byDay.set(day, rows.subarray(from, at));
    from = at;
  }
  return byDay;
}

/** SHA-256 of the TRANSACTION_IDs of some rows, one per line, which identifies the rows. */
export function idsSum(payments: LabelledPayments, rows: Int32Array): string {
  const hash = createHash("sha256");
  const idOf = transactionIds(payments);
  for (const row of rows) hash.update(`${idOf(row)}\n`);
  return hash.digest("hex");
}

/** SHA-256 of TRANSACTION_ID, label and inputs of some rows, which identifies the training data. */
export function rowsFingerprint(
  payments: LabelledPayments,
  rows: Int32Array,
): string {
  const hash = createHash("sha256");
  hash.update(`${payments.inputs.join(",")}\n`);
  const values = new Float64Array(rows.length);
  const columns = [payments.labels, ...payments.columns];
  if (payments.texts === undefined) columns.unshift(payments.transactionId);
  else hash.update(`${idsSum(payments, rows)}\n`);
  for (const column of columns) {
    for (let at = 0; at < rows.length; at++) {
      const value = column[rows[at]];
      // There are many NaNs, of other bits.
      values[at] = Number.isNaN(value) ? NaN : value;
    }
    hash.update(new Uint8Array(values.buffer));
  }
  return hash.digest("hex");
}

/** Cards with a fraud in the days from `firstDay` to before `endDay`. */
function compromisedCards(
  payments: LabelledPayments,
  firstDay: number,
  endDay: number,
): Set<number> {
  const cards = new Set<number>();
  const { from, to } = rowsOfDays(payments, firstDay, endDay);
  for (let row = from; row < to; row++) {
    if (payments.labels[row] === 1) cards.add(payments.card[row]);
  }
  return cards;
}

function addAll(cards: Set<number>, more: Iterable<number>): void {
  for (const card of more) cards.add(card);
}

function emptyDays(
  payments: LabelledPayments,
  firstDay: number,
  endDay: number,
): string {
  const date = (day: number) =>
    formatDate(payments.startSeconds + day * DAY_SECONDS);
  const last = lastDayOf(payments);
  const end = last < 0
    ? "there are no payments at all"
    : `the payments end on day ${last} (${date(last)})`;
  return `days ${firstDay} (${date(firstDay)}) to ${endDay - 1} have none ` +
    `that counts, and ${end}; choose other days, or give more data`;
}
