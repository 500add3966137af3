/** What `evaluate` prints: the metrics of each model, beside the handbook's where the test is the handbook's. */
import {
  type Judgement,
  METRICS,
  type MetricValues,
} from "../../learning/judge/judgement.ts";
import { MODEL_KINDS } from "../../learning/kinds/kinds.ts";
import type { LabelledPayments } from "../../learning/data/payments.ts";
import {
  countRows,
  endDayOf,
  firstDayOf,
  idsSum,
  type Split,
  testStartOf,
} from "../../learning/data/split.ts";
import {
  cheapestThreshold,
  type PricedScores,
  type ThresholdRow,
  thresholdTable,
  USUAL_THRESHOLDS,
} from "../../learning/judge/thresholds.ts";
import {
  type DaySpan,
  leakage,
  spanText,
  type TrainedDays,
  trainedSpan,
} from "../../learning/data/trained_days.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { counted } from "../../base/counted.ts";
import { decimals, textTable } from "../../base/text_table.ts";

/** One judged model. */
export interface Evaluated {
  /** Its name. */
  readonly name: string;
  /** How good it is. */
  readonly judgement: Judgement;
  /** Score of each test row. */
  readonly scores: Float64Array;
  /** Wall time of the fit; undefined for a model from a file. */
  readonly fitSeconds: number | undefined;
  /** The days that it was trained on; undefined if a foreign model does not say. */
  readonly training: TrainedDays | undefined;
}

/** TRANSACTION_IDs of the handbook's test, as idsSum() has them. */
const HANDBOOK_TEST_SUM =
  "8ca6c1934836b75e322e4628b5db985a775f77ab37244b9e1b6d235010604c80";

/**
 * The models that are judged where none is named, and the results of the
 * handbook's own on its test, where it prints them (chapter 3, "Baseline fraud
 * detection system"): AUC ROC, average precision, card precision@100.
 */
export const EVALUATED: ReadonlyMap<string, readonly number[]> = new Map(
  MODEL_KINDS.flatMap(({ name, evaluated }) => {
    return evaluated.map(({ settings, handbook = [] }) => {
      return [settings ? `${name}:${settings}` : name, handbook] as const;
    });
  }),
);

/** Whether the test is the one that the handbook prints results of. */
export function isHandbookTest(
  payments: LabelledPayments,
  split: Split,
): boolean {
  return idsSum(payments, split.test) === HANDBOOK_TEST_SUM;
}

/** The days of a split's test. */
export function testSpan(payments: LabelledPayments, split: Split): DaySpan {
  const seconds = (day: number) => payments.startSeconds + day * DAY_SECONDS;
  const { period } = split;
  return { from: seconds(testStartOf(period)), to: seconds(endDayOf(period)) };
}

/** The days of training and of the test, one line each, with a warning for each model that may have learned from the test. */
export function splitText(
  payments: LabelledPayments,
  split: Split,
  models: readonly Evaluated[],
): string {
  const { period, train, test } = split;
  const line = (word: string, from: number, end: number, rows: Int32Array) => {
    const count = countRows(payments, rows);
    return `${word} ${dateRange(payments, from, end)}, days ${from} to ` +
      `${end - 1}: ${counted(count.rows, "payment")}, ` +
      counted(count.frauds, "fraud");
  };
  const trainEnd = period.startDay + period.trainDays;
  const tested = line("test    ", testStartOf(period), endDayOf(period), test) +
    ", without cards known to be compromised";
  const fromFiles = models.filter(({ fitSeconds }) => fitSeconds === undefined);
  const days = testSpan(payments, split);
  return [
    ...fromFiles.length < models.length
      ? [line("training", firstDayOf(period), trainEnd, train)]
      : [],
    ...fromFiles.flatMap(({ name, training }) => {
      return training
        ? [`training ${spanText(trainedSpan(training))}: ${name}`]
        : [];
    }),
    tested,
    ...fromFiles.flatMap(({ name, training }) => {
      const why = leakage(training, days);
      return why === undefined ? [] : [`warning: ${name} ${why}`];
    }),
    "",
  ].join("\n");
}

/** The table of the metrics; `perfect` is the result of perfect scores. */
export function metricsText(
  models: readonly Evaluated[],
  perfect: MetricValues,
  withHandbook: boolean,
): string {
  const heading = ["model", "AUC ROC", "avg. precision", "CP@100", "fit"];
  if (withHandbook) heading.push("handbook: AUC", "AP", "CP@100");
  const rows = models.map(({ name, judgement, fitSeconds }) => {
    const printed = withHandbook ? EVALUATED.get(name) ?? [] : [];
    return [
      name,
      ...METRICS.map((metric) => decimals(judgement.metrics[metric])),
      fitSeconds === undefined ? "" : `${fitSeconds.toFixed(1)} s`,
      ...printed.map((value) => decimals(value)),
    ];
  });
  const ceiling = METRICS.map((metric) => decimals(perfect[metric]));
  return textTable(heading, [...rows, ["(perfect scores)", ...ceiling]]);
}

/** The days and thresholds of one model. */
export function detailsText(
  { name, judgement }: Evaluated,
  priced: PricedScores,
  { alertCost, shape }: {
    readonly alertCost: number;
    readonly shape: PaymentShape;
  },
): string {
  const days = textTable(
    [
      "day",
      "payments",
      "frauds",
      "AUC ROC",
      "avg. precision",
      "CP@100",
      "cards",
      "compromised",
      "found",
    ],
    judgement.days.map((day) => [
      `${day.day}`,
      `${day.rows}`,
      `${day.frauds}`,
      ...METRICS.map((metric) => decimals(day[metric])),
      `${day.cards}`,
      `${day.compromised}`,
      `${day.hits}`,
    ]),
  );
  const table = thresholdTable(priced, USUAL_THRESHOLDS, alertCost);
  const cheapest = cheapestThreshold(priced, alertCost);
  const thresholds = textTable(
    [
      "threshold",
      "alerts",
      "TPR",
      "FPR",
      "precision",
      "F1",
      "BER",
      "stopped",
      "missed",
      "cost",
    ],
    [...table, cheapest].map((row) => thresholdCells(row, shape.decimals)),
  );
  return `\n${name}\n\n${days}\n${thresholds}` +
    `(the last is the cheapest: an alert costs ${alertCost}${
      shape.currency === null ? "" : ` ${shape.currency}`
    }, a missed fraud its amount)\n`;
}

function thresholdCells(row: ThresholdRow, amountDecimals: number): string[] {
  return [
    row.threshold === Infinity ? "none" : decimals(row.threshold),
    `${row.alerts}`,
    decimals(row.truePositiveRate),
    decimals(row.falsePositiveRate, 4),
    decimals(row.precision),
    decimals(row.f1),
    decimals(row.balancedErrorRate),
    decimals(row.stoppedAmount, amountDecimals),
    decimals(row.missedAmount, amountDecimals),
    decimals(row.cost, amountDecimals),
  ];
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
