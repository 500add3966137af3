/** The flags that say which days are learned from and which test, and the payments of these days. */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
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
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { DAYS_MAX } from "./data_flags.ts";
import { wholeNumber } from "./flag_value.ts";
import {
  loadPayments,
  type PaymentOptions,
} from "../commands/labelled_payments.ts";

/** The period flags as commander hands them over; absent if not given. */
export interface PeriodOptions {
  /** --start-day */
  readonly startDay?: number;
  /** --train-days */
  readonly trainDays?: number;
  /** --test-days */
  readonly testDays?: number;
  /** --history-days */
  readonly historyDays?: number;
}

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

/**
 * Adds the flags to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addPeriodFlags(command: Command): void {
  const { startDay, trainDays, testDays } = HANDBOOK_PERIOD;
  command.optionsGroup("Days:")
    .option(
      "--start-day <n>",
      `first day of the training, from 0 (default: ${startDay}, or as late ` +
        "as shorter data allow)",
      wholeNumber("--start-day", 0, DAYS_MAX),
    )
    .option(
      "--train-days <n>",
      `days of training (default: ${trainDays})`,
      wholeNumber("--train-days", 1, DAYS_MAX),
    )
    .option(
      "--test-days <n>",
      `days of the test, which begins --delay days after the training ` +
        `(default: ${testDays})`,
      wholeNumber("--test-days", 1, DAYS_MAX),
    )
    .option(
      "--history-days <n>",
      "days before the training to learn from too; the test stays the same " +
        "(default: 0)",
      wholeNumber("--history-days", 0, DAYS_MAX),
    );
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

/** The first and the last of some days as dates. */
export function dateRange(
  payments: LabelledPayments,
  firstDay: number,
  endDay: number,
): string {
  const date = (day: number) =>
    formatDate(payments.startSeconds + day * DAY_SECONDS);
  return `${date(firstDay)} to ${date(endDay - 1)}`;
}
