/**
 * The features the slowest and plainest way: every window is a filter over
 * all rows. What the operator and the roles must agree with.
 */
import type { FeatureParameters } from "../../src/features/parameters.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";

/** Count and sum of `value` over the rows later than `from`, up to `to`. */
function window(
  rows: readonly Payment[],
  from: number,
  to: number,
  value: (row: Payment) => number,
): [number, number] {
  const inside = rows.filter((row) =>
    row.timeSeconds > from && row.timeSeconds <= to
  );
  return [inside.length, inside.reduce((sum, row) => sum + value(row), 0)];
}

/** The calendar flags by Date. */
export function flagsOf(row: Payment): [number, number] {
  const date = new Date(row.datetimeSeconds * 1000);
  return [
    [0, 6].includes(date.getUTCDay()) ? 1 : 0,
    date.getUTCHours() <= 6 ? 1 : 0,
  ];
}

/** A row's customer totals; `before` are the rows before it that count. */
export function customerTotals(
  row: Payment,
  before: readonly Payment[],
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
  row: Payment,
  rows: readonly Payment[],
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

/** The newest of some rows, at most 64 of them: of more, those later than the newest that is too many. */
function newestOf(rows: readonly Payment[]): Payment[] {
  const sorted = rows.toSorted((a, b) => a.timeSeconds - b.timeSeconds);
  if (sorted.length <= 64) return sorted;
  const cut = sorted[sorted.length - 65].timeSeconds;
  return sorted.filter((row) => row.timeSeconds > cut);
}

const centsOf = (row: Payment) => Math.round(row.amount * 100);

/** a / b in thousandths, half up, at most a thousand; 1 where b is 0. */
function thousandths(a: number, b: number): number {
  if (b === 0) return 1000;
  const rounded = (2000n * BigInt(a) + BigInt(b)) / (2n * BigInt(b));
  return Math.min(Number(rounded), 1_000_000);
}

/** A row's customer totals of the extended set; `before` are the rows before it that count. */
export function customerExtension(
  row: Payment,
  before: readonly Payment[],
  { windowDays, delayDays, useLabels }: FeatureParameters,
): number[] {
  const t = row.timeSeconds;
  const W = Math.max(...windowDays) * DAY_SECONDS;
  const D = delayDays * DAY_SECONDS;
  const same = before.filter((r) => r.customerId === row.customerId);
  const past = newestOf(
    same.filter((r) => r.timeSeconds > t - W && r.timeSeconds <= t),
  );
  const amounts = past.map(centsOf).sort((a, b) => a - b);
  const median = amounts.length === 0
    ? 0
    : amounts[Math.ceil(amounts.length / 2) - 1];
  const outliers = past.filter((r) =>
    median > 0 && centsOf(r) * 2 >= median * 5
  );
  const known = newestOf(
    same.filter((r) => r.timeSeconds > t - D - W && r.timeSeconds <= t - D),
  ).filter(({ fraud }) => useLabels && fraud === 1);
  return [
    t - (past.at(-1)?.timeSeconds ?? t - W),
    thousandths(centsOf(row), median),
    thousandths(centsOf(row), Math.max(0, ...amounts)),
    amounts.filter((cents) => cents >= centsOf(row)).length,
    ...windowDays.map((days) =>
      outliers.filter((r) => r.timeSeconds > t - days * DAY_SECONDS).length
    ),
    t - (outliers.at(-1)?.timeSeconds ?? t - W),
    known.length,
    t - (known.at(-1)?.timeSeconds ?? t - D - W),
  ];
}

/** A row's terminal totals of the extended set; `rows` are all that count, and `usual` those whose amount is usual for their card. */
export function terminalExtension(
  row: Payment,
  rows: readonly Payment[],
  usual: ReadonlySet<Payment>,
  { windowDays, delayDays, useLabels }: FeatureParameters,
): number[] {
  const t = row.timeSeconds;
  const end = t - delayDays * DAY_SECONDS;
  const never = end - Math.max(...windowDays) * DAY_SECONDS;
  const known = newestOf(
    rows.filter((r) =>
      r.terminalId === row.terminalId && r.timeSeconds > never &&
      r.timeSeconds <= end
    ),
  );
  const isFraud = (r: Payment) => useLabels && r.fraud === 1;
  const timesOf = (some: Payment[]) => some.map((r) => r.timeSeconds);
  const genuine = timesOf(known.filter((r) => !isFraud(r)));
  const frauds = timesOf(known.filter(isFraud));
  const usualFrauds = timesOf(known.filter((r) => isFraud(r) && usual.has(r)));
  const newest = (times: number[]) => times.at(-1) ?? never;
  const streak = timesOf(known).filter((time) => time > newest(genuine));
  return [
    streak.length,
    streak.length === 0 ? 0 : t - streak[0],
    t - newest(genuine),
    t - newest(frauds),
    timesOf(known).filter((time) => time > newest(frauds)).length,
    ...windowDays.map((days) =>
      usualFrauds.filter((time) => time > end - days * DAY_SECONDS).length
    ),
    t - newest(usualFrauds),
    t - (usualFrauds[0] ?? never),
    genuine.filter((time) => time > newest(usualFrauds)).length,
  ];
}

/** Whether a row's amount is usual for its card, by the totals of customerExtension(). */
export function isUsual(extension: readonly number[]): boolean {
  return extension[1] < 2000;
}

/**
 * Totals of rows that come in partitions: each row's customer features from
 * those before it in its own, its terminal features from `known(row, i)`.
 */
export function partitionTotals(
  partitions: readonly (readonly Payment[])[],
  parameters: FeatureParameters,
  known: (rows: readonly Payment[], i: number) => readonly Payment[],
): number[][] {
  const extended = parameters.set === "extended";
  const usual = new Set<Payment>();
  const customers = partitions.map((rows) =>
    rows.map((row, i) => {
      const before = rows.slice(0, i);
      const extension = extended
        ? customerExtension(row, before, parameters)
        : [];
      if (extended && isUsual(extension)) usual.add(row);
      return { totals: customerTotals(row, before, parameters), extension };
    })
  );
  return partitions.flatMap((rows, partition) =>
    rows.map((row, i) => {
      const { totals, extension } = customers[partition][i];
      const others = known(rows, i);
      return [
        ...flagsOf(row),
        ...totals,
        ...terminalTotals(row, others, parameters),
        ...extension,
        ...extended ? terminalExtension(row, others, usual, parameters) : [],
      ];
    })
  );
}

/** Totals of all rows of one stream, in the order of arrival. */
export function streamTotals(
  rows: readonly Payment[],
  parameters: FeatureParameters,
): number[][] {
  return partitionTotals([rows], parameters, (rows, i) => rows.slice(0, i));
}
