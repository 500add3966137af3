/**
 * Labelled payments for the commands that learn: of the source that the flags
 * choose, with a progress bar and until Ctrl-C.
 */
import { ConfigError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import {
  type DayChoice,
  gatherPayments,
} from "../../files/labelled_payments.ts";
import {
  type LabelledPayments,
  lastDayOf,
} from "../../learning/data/payments.ts";
import {
  endDayOf,
  firstDayOf,
  HANDBOOK_PERIOD,
  type Period,
} from "../../learning/data/split.ts";
import {
  type PaymentOptions,
  readPaymentFlags,
} from "../flags/payment_flags.ts";
import type { PeriodOptions } from "../flags/period_flags.ts";
import { openPaymentsShown } from "../output/opening.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { counted, writeError } from "../output/terminal.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";

/** Payments of the days that are needed, and the period that they are for. */
export interface PeriodPayments {
  /** The payments. */
  readonly payments: LabelledPayments;
  /** The period. */
  readonly period: Period;
}

/** How many days a command needs around a period. */
export interface DayMargins {
  /** Days before the period's first. */
  readonly before: number;
  /** Days after its last. */
  readonly after: number;
}

/** Reads or simulates payments and computes their features. Throws ConfigError and DataError. */
export async function loadPayments(
  options: PaymentOptions,
  features: FeatureParameters,
  days: DayChoice,
): Promise<LabelledPayments> {
  const choice = readPaymentFlags(options);
  if (
    choice.kind === "simulated" && days.endDay === Infinity &&
    choice.simulation.parameters.days === 0
  ) {
    throw new ConfigError(
      "--days=0 never ends and all days are needed here; give a number of days",
    );
  }
  const source = await openPaymentsShown(choice);
  using stop = listenForStop();
  const { signal } = stop;
  const { total } = source.progress;
  using progress = openProgress("features", total);
  try {
    const payments = await gatherPayments(source, {
      features,
      days,
      signal,
      gathered: (count) =>
        progress.update(source.progress.done, counted(count, "payment")),
    });
    writeError(skippedRows(source.skipped));
    return payments;
  } catch (error) {
    throwIfStopped(signal, () => "the payments were not read to the end");
    throw error;
  }
}

/**
 * The period that the flags choose, with the payments for it and for the
 * margins around it. Throws ConfigError for a period before the data.
 */
export async function loadPeriod(
  options: PeriodOptions & PaymentOptions,
  parameters: FeatureParameters,
  { before, after }: DayMargins = { before: 0, after: 0 },
): Promise<PeriodPayments> {
  const period: Period = {
    startDay: options.startDay ?? HANDBOOK_PERIOD.startDay,
    trainDays: options.trainDays ?? HANDBOOK_PERIOD.trainDays,
    delayDays: parameters.delayDays,
    testDays: options.testDays ?? HANDBOOK_PERIOD.testDays,
    historyDays: options.historyDays ?? HANDBOOK_PERIOD.historyDays,
  };
  const firstDay = firstDayOf(period) - before;
  const endDay = endDayOf(period) + after;
  if (firstDay < 0) {
    throw new ConfigError(
      `--start-day=${period.startDay} needs ${period.startDay - firstDay} ` +
        "days before it; start later, or learn from fewer",
    );
  }
  const payments = await loadPayments(options, parameters, {
    endDay,
    spanDays: endDay - firstDay,
  });
  const missing = endDay - 1 - lastDayOf(payments);
  if (options.startDay !== undefined || missing <= 0) {
    return { payments, period };
  }
  if (firstDay - missing < 0) {
    throw new ConfigError(
      `${endDay - firstDay} days are needed and the payments have ` +
        `${lastDayOf(payments) + 1}; give more days, or choose fewer with ` +
        "--train-days, --delay and --test-days",
    );
  }
  return {
    payments,
    period: { ...period, startDay: period.startDay - missing },
  };
}
