/**
 * `evaluate --feedback`: the handbook's alert-feedback interaction. Every day
 * the most suspect cards are checked and their labels are known the next
 * morning, the others after the delay. A second experiment beside the standard
 * split, with a heading that says so.
 */
import { ConfigError } from "../../base/error.ts";
import { decimals, textTable } from "../../base/text_table.ts";
import type { LabelledPayments } from "../../learning/data/payments.ts";
import {
  countRows,
  endDayOf,
  idsSum,
  type Period,
  splitPayments,
  testStartOf,
} from "../../learning/data/split.ts";
import {
  FEEDBACK_WAYS,
  type FeedbackOutcome,
  type FeedbackTask,
  type FeedbackWay,
} from "../../learning/judge/feedback.ts";
import { METRICS } from "../../learning/judge/judgement.ts";
import type { FeatureOptions } from "../flags/feature_flags.ts";
import type { NamedSpec } from "../flags/model_flags.ts";
import type { PaymentOptions } from "../flags/payment_flags.ts";
import type { PeriodOptions } from "../flags/period_flags.ts";
import { dateRange } from "../output/evaluation_table.ts";
import { writeResult } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { fitAll, specsFor, type StudiedModels, threadsOf } from "./fitting.ts";
import { loadPeriod, readPaymentInput } from "./labelled_payments.ts";

/** The flags of `evaluate` that the experiment takes. */
export interface FeedbackOptions
  extends FeatureOptions, PaymentOptions, PeriodOptions {
  /** --json */
  readonly json?: boolean;
  /** --threads */
  readonly threads?: number;
}

/** Most cards that are checked per day. */
const CARDS_MAX = 100_000;

/** Reads `100/day`. Throws ConfigError. */
export function cardsPerDay(text: string, flag: string): number {
  const cards = Number(/^(\d{1,6})\/day$/.exec(text)?.[1]);
  if (cards >= 1 && cards <= CARDS_MAX) return cards;
  throw new ConfigError(
    `${flag} must be cards per day such as 100/day, from 1 to ${CARDS_MAX}, ` +
      `not '${text.slice(0, 60)}'`,
  );
}

/** Runs the experiment and prints its table, or JSON. */
export async function feedbackStudy(
  options: FeedbackOptions,
  { named, origin }: StudiedModels,
  cards: number,
): Promise<void> {
  const input = readPaymentInput(options);
  const specs = specsFor(named, input.features, origin);
  const { payments, period } = await loadPeriod(options, input, {
    before: input.labelDays,
    after: 0,
  });
  const tasks = specs.map((model): FeedbackTask => ({ model, period, cards }));
  const outcomes = await fitAll(payments, tasks, threadsOf(options.threads));
  writeResult(
    options.json
      ? JSON.stringify(
        objects(specs, outcomes, payments, period, cards),
        null,
        2,
      ) +
        "\n"
      : text(specs, outcomes, payments, period, cards),
  );
}

const WAY_NAMES: Readonly<Record<FeedbackWay, string>> = {
  late: "late labels alone",
  together: "with feedback, together",
  mean: "with feedback, mean of two",
};

function text(
  specs: readonly NamedSpec[],
  outcomes: readonly FeedbackOutcome[],
  payments: LabelledPayments,
  period: Period,
  cards: number,
): string {
  const { test } = splitPayments(payments, period);
  const { rows, frauds } = countRows(payments, test);
  const [from, end] = [testStartOf(period), endDayOf(period)];
  const days = period.trainDays + period.historyDays;
  const table = specs.flatMap(({ name }, at) =>
    FEEDBACK_WAYS.map((way) => {
      const { judgement, days } = outcomes[at][way];
      const mean = (pick: (day: typeof days[number]) => number) =>
        Math.round(days.reduce((sum, day) => sum + pick(day), 0) / days.length);
      return [
        name,
        WAY_NAMES[way],
        ...METRICS.map((metric) => decimals(judgement.metrics[metric])),
        `${mean(({ lateRows }) => lateRows)}`,
        `${mean(({ checkedRows }) => checkedRows)}`,
        `${mean(({ checkedFrauds }) => checkedFrauds)}`,
      ];
    })
  );
  return "alert-feedback experiment, not the standard split: every day the " +
    `${counted(cards, "most suspect card")} are checked; models are trained ` +
    "again every morning\n" +
    `test ${dateRange(payments, from, end)}, days ${from} to ${end - 1}: ` +
    `${counted(rows, "payment")}, ${
      counted(frauds, "fraud")
    }; late labels of ` +
    `${counted(days, "day")}, known after ${counted(period.delayDays, "day")}` +
    `\n\n${
      textTable([
        "model",
        "trained on",
        "AUC ROC",
        "avg. precision",
        "CP@100",
        "late rows",
        "checked rows",
        "frauds",
      ], table)
    }`;
}

function objects(
  specs: readonly NamedSpec[],
  outcomes: readonly FeedbackOutcome[],
  payments: LabelledPayments,
  period: Period,
  cards: number,
): Record<string, unknown>[] {
  const { test } = splitPayments(payments, period);
  return specs.map(({ name }, at) => ({
    experiment: "alert-feedback",
    model: name,
    "cards_per_day": cards,
    period,
    test: {
      ...countRows(payments, test),
      "ids_sha256": idsSum(payments, test),
    },
    ways: Object.fromEntries(
      FEEDBACK_WAYS.map((way) => {
        const { judgement: { metrics, days: judged }, days } =
          outcomes[at][way];
        return [way, {
          ...metrics,
          days: judged.map((day, index) => ({ ...day, ...days[index] })),
        }];
      }),
    ),
  }));
}
