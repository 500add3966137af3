/**
 * The retraining study of `evaluate --retrain`: how a model that was trained
 * once ages, beside one that is trained again at intervals on the sliding past,
 * with labels known only after the delay. Both are judged by the same rows,
 * interval after interval.
 */
import { ConfigError } from "../../base/error.ts";
import {
  declaredReachSeconds,
  longestWindowSeconds,
} from "../../features/parameters.ts";
import { METRICS, type MetricValues } from "../../learning/judge/judgement.ts";
import {
  type LabelledPayments,
  lastDayOf,
} from "../../learning/data/payments.ts";
import {
  type Ageing,
  meansOf,
  retrainingPeriods,
  retrainingResults,
  retrainingTasks,
} from "../../learning/judge/retraining.ts";
import {
  endDayOf,
  HANDBOOK_PERIOD,
  type Period,
  testStartOf,
} from "../../learning/data/split.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { FeatureOptions } from "../flags/feature_flags.ts";
import { fitAll, specsFor, type StudiedModels, threadsOf } from "./fitting.ts";
import { dateRange } from "../output/evaluation_table.ts";
import { loadPayments, readPaymentInput } from "./labelled_payments.ts";
import type { PaymentOptions } from "../flags/payment_flags.ts";
import type { PeriodOptions } from "../flags/period_flags.ts";
import { writeResult } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { decimals, textTable } from "../../base/text_table.ts";

/** The flags of `evaluate` that the study takes. */
export interface StudyOptions
  extends FeatureOptions, PaymentOptions, PeriodOptions {
  /** --json */
  readonly json?: boolean;
  /** --threads */
  readonly threads?: number;
}

/** How one model ages, with its name in tables. */
interface NamedAgeing extends Ageing {
  readonly name: string;
}

/** Runs the study and prints its table, or JSON. Throws ConfigError where the payments have too few days. */
export async function retrainStudy(
  options: StudyOptions,
  { named, origin }: StudiedModels,
  retrainSeconds: number,
): Promise<void> {
  const intervalDays = retrainSeconds / DAY_SECONDS;
  if (!Number.isInteger(intervalDays)) {
    throw new ConfigError("--retrain must be whole days here, like 7d");
  }
  if (options.testDays !== undefined) {
    throw new ConfigError(
      "--test-days has no effect with --retrain: each test lasts until the " +
        "next training; leave it out",
    );
  }
  const input = readPaymentInput(options);
  const parameters = input.features;
  const specs = specsFor(named, parameters, origin);
  // Before that the longest window is not full.
  const warmDays = Math.max(
    longestWindowSeconds(parameters) / DAY_SECONDS + parameters.delayDays,
    Math.ceil(declaredReachSeconds(parameters) / DAY_SECONDS),
  );
  const historyDays = options.historyDays ?? 0;
  const first: Period = {
    startDay: options.startDay ?? warmDays + historyDays,
    trainDays: options.trainDays ?? HANDBOOK_PERIOD.trainDays,
    delayDays: input.labelDays,
    testDays: intervalDays,
    historyDays,
  };
  const payments = await loadPayments(input, {
    endDay: Infinity,
    spanDays: Infinity,
  });
  const periods = periodsUntilEnd(first, lastDayOf(payments) + 1);
  const tasks = retrainingTasks(specs, periods);
  const outcomes = await fitAll(payments, tasks, threadsOf(options.threads));
  const models = retrainingResults(outcomes, periods)
    .map((ageing, at): NamedAgeing => ({ name: specs[at].name, ...ageing }));
  writeResult(
    options.json
      ? JSON.stringify(studyObjects(models, periods), null, 2) + "\n"
      : studyText(models, periods, payments),
  );
}

/** The periods of the study. Throws ConfigError where the payments have too few days for one. */
function periodsUntilEnd(first: Period, days: number): Period[] {
  const periods = retrainingPeriods(first, days);
  if (periods.length > 0) return periods;
  throw new ConfigError(
    `--retrain needs ${endDayOf(first)} days for its first test and the ` +
      `payments have ${days}; give more days, or start earlier with ` +
      "--start-day",
  );
}

function studyText(
  models: readonly NamedAgeing[],
  periods: readonly Period[],
  payments: LabelledPayments,
): string {
  const [first] = periods;
  const { startDay, trainDays, testDays, historyDays } = first;
  const trained = dateRange(
    payments,
    startDay - historyDays,
    startDay + trainDays,
  );
  let text = `once: trained on ${trained}; again: trained ${
    counted(periods.length, "time")
  }, every ${counted(testDays, "day")}, on as many days\n`;
  for (const { name, once, again } of models) {
    const cells = (values: MetricValues, other: MetricValues) =>
      METRICS.flatMap((metric) => [
        decimals(values[metric]),
        decimals(other[metric]),
      ]);
    const rows = periods.map((period, at) => {
      const dates = dateRange(payments, testStartOf(period), endDayOf(period));
      return [dates, ...cells(once[at], again[at])];
    });
    const means = meansOf(once);
    const meansAgain = meansOf(again);
    text += `\n${name}\n` + textTable(
      [
        "test",
        "AUC ROC once",
        "again",
        "avg. precision once",
        "again",
        "CP@100 once",
        "again",
      ],
      [...rows, [
        `mean of ${periods.length}`,
        ...cells(means, meansAgain),
      ]],
    );
  }
  return text;
}

function studyObjects(
  models: readonly NamedAgeing[],
  periods: readonly Period[],
): Record<string, unknown>[] {
  return models.map(({ name, once, again }) => ({
    model: name,
    periods: periods.map((period, at) => {
      return { period, once: once[at], again: again[at] };
    }),
    mean: { once: meansOf(once), again: meansOf(again) },
  }));
}
