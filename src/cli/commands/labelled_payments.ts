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
import type { PaymentChoice } from "../../files/payment_source.ts";
import { labelSecondsOf } from "../../definition/stream_definition.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import type { FeatureOptions } from "../flags/feature_flags.ts";
import {
  featuresOfPayments,
  type PaymentOptions,
  readPaymentFlags,
  shapeOfPayments,
} from "../flags/payment_flags.ts";
import type { PeriodOptions } from "../flags/period_flags.ts";
import { openPaymentsShown } from "../output/opening.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
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

/** Payments that a command learns from, and their features. */
export interface PaymentInput {
  /** The payments. */
  readonly choice: PaymentChoice;
  /** Their features. */
  readonly features: FeatureParameters;
  /** What they look like. */
  readonly shape: PaymentShape;
  /** Days until the label of a payment is known. */
  readonly labelDays: number;
}

/** The payments that the flags choose; their features are those of a model where no flag says them. Throws ConfigError, and DataError for a definition or key that cannot be read. */
export function readPaymentInput(
  options: PaymentOptions & FeatureOptions,
  trained?: FeatureParameters,
): PaymentInput {
  const choice = readPaymentFlags(options);
  const features = featuresOfPayments(choice, options, trained);
  const labelDays = choice.kind === "raw"
    ? Math.ceil(labelSecondsOf(choice.files.definition) / DAY_SECONDS)
    : features.delayDays;
  return { choice, features, shape: shapeOfPayments(choice), labelDays };
}

/** Reads or simulates payments and computes their features. Throws ConfigError and DataError. */
export async function loadPayments(
  { choice, features, shape, labelDays }: PaymentInput,
  { endDay, spanDays }: DayChoice,
): Promise<LabelledPayments> {
  // The newest days are left out again if some of their labels are to come.
  const openDays = shape.hasLabels ? labelDays + 1 : 0;
  const days = { endDay, spanDays: spanDays + openDays };
  if (
    choice.kind === "simulated" && days.endDay === Infinity &&
    choice.simulation.parameters.days === 0
  ) {
    throw new ConfigError(
      "--days=0 never ends and all days are needed here; give a number of days",
    );
  }
  const source = await openPaymentsShown(choice);
  if (!source.isLabelled) {
    throw new ConfigError(
      "the definition has no TX_FRAUD, so there is nothing to learn from or " +
        "to judge by; name the field of your data that has the labels",
    );
  }
  using stop = listenForStop();
  const { signal } = stop;
  const { total } = source.progress;
  using progress = openProgress("features", total);
  try {
    const { payments, unknown } = await gatherPayments(source, {
      features,
      days,
      signal,
      reading: (rows) => progress.update(0, `${counted(rows, "row")} read`),
      gathered: (count) =>
        progress.update(source.progress.done, counted(count, "payment")),
    });
    writeError(skippedRows(source.skipped));
    if (unknown > 0) {
      writeError(
        `left out ${counted(unknown, "payment")} at the end of the data ` +
          "whose labels are not known yet\n",
      );
    }
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
  options: PeriodOptions,
  input: PaymentInput,
  { before, after }: DayMargins = { before: 0, after: 0 },
): Promise<PeriodPayments> {
  const period: Period = {
    startDay: options.startDay ?? HANDBOOK_PERIOD.startDay,
    trainDays: options.trainDays ?? HANDBOOK_PERIOD.trainDays,
    delayDays: input.labelDays,
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
  const payments = await loadPayments(input, {
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
        (input.choice.kind === "raw"
          ? "--train-days and --test-days"
          : "--train-days, --delay and --test-days"),
    );
  }
  return {
    payments,
    period: { ...period, startDay: period.startDay - missing },
  };
}
