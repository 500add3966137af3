/**
 * The features the slowest and plainest way: every window is a filter over
 * all rows. What the operator and the roles must agree with.
 */
import type { FeatureParameters } from "../../src/features/parameters.ts";
import {
  DAY_SECONDS,
  type Transaction,
} from "../../src/transaction/transaction.ts";

/** Count and sum of `value` over the rows later than `from`, up to `to`. */
function window(
  rows: readonly Transaction[],
  from: number,
  to: number,
  value: (row: Transaction) => number,
): [number, number] {
  const inside = rows.filter((row) =>
    row.timeSeconds > from && row.timeSeconds <= to
  );
  return [inside.length, inside.reduce((sum, row) => sum + value(row), 0)];
}

/** The calendar flags by Date. */
export function flagsOf(row: Transaction): [number, number] {
  const date = new Date(row.datetimeSeconds * 1000);
  return [
    [0, 6].includes(date.getUTCDay()) ? 1 : 0,
    date.getUTCHours() <= 6 ? 1 : 0,
  ];
}

/** A row's customer totals; `before` are the rows before it that count. */
export function customerTotals(
  row: Transaction,
  before: readonly Transaction[],
  parameters: FeatureParameters,
): number[] {
  const { timeSeconds: t, customerId } = row;
  const same = [...before, row].filter((r) => r.customerId === customerId);
  return parameters.windowDays.flatMap((days) =>
    window(
      same,
      t - days * DAY_SECONDS,
      t,
      ({ amount }) => Math.round(amount * 100),
    )
  );
}

/** A row's terminal totals; `rows` are all that count, itself included or not. */
export function terminalTotals(
  row: Transaction,
  rows: readonly Transaction[],
  parameters: FeatureParameters,
): number[] {
  const { windowDays, delayDays, useLabels } = parameters;
  const end = row.timeSeconds - delayDays * DAY_SECONDS;
  const same = rows.filter((r) => r.terminalId === row.terminalId);
  return windowDays.flatMap((days) =>
    window(
      same,
      end - days * DAY_SECONDS,
      end,
      ({ fraud }) => useLabels ? fraud : 0,
    )
  );
}

/** Totals of all rows of one stream, in the order of arrival. */
export function streamTotals(
  rows: readonly Transaction[],
  parameters: FeatureParameters,
): number[][] {
  return rows.map((row, i) => [
    ...flagsOf(row),
    ...customerTotals(row, rows.slice(0, i), parameters),
    ...terminalTotals(row, rows.slice(0, i), parameters),
  ]);
}
