/** The flags that say which days are learned from and which test, and the payments of these days. */
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
import type { FlagGroup, FlagValues } from "./flag.ts";
import { wholeNumber } from "./flag_value.ts";
import {
  loadPayments,
  type PaymentOptions,
} from "../commands/labelled_payments.ts";

/** The period flags. */
export const PERIOD_FLAGS = {
  title: "Days",
  flags: {
    startDay: {
      value: "<n>",
      help: "first day of the training, from 0",
      read: wholeNumber(0, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.startDay}, or as late as shorter data allow`,
    },
    trainDays: {
      value: "<n>",
      help: "days of training",
      read: wholeNumber(1, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.trainDays}`,
    },
    testDays: {
      value: "<n>",
      help: "days of the test, which begins --delay days after the training",
      read: wholeNumber(1, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.testDays}`,
    },
    historyDays: {
      value: "<n>",
      help: "days before the training to learn from too; the test stays the " +
        "same",
      read: wholeNumber(0, DAYS_MAX),
      default: "0",
    },
  },
} as const satisfies FlagGroup;

/** What the period flags give. */
export type PeriodOptions = FlagValues<typeof PERIOD_FLAGS>;

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
