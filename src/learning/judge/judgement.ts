/**
 * How good a model's scores are: the three metrics of the Fraud Detection
 * Handbook, over the whole test and day by day.
 */
import {
  cardPrecision,
  cardPrecisionDays,
  TOP_CARDS,
} from "./card_precision.ts";
import { aucRoc, averagePrecision, rankScores } from "./metrics.ts";
import { dayOf, type LabelledPayments } from "../data/payments.ts";
import { rowsByDay } from "../data/split.ts";

/** The names of the metrics, in the order of the handbook's tables. */
export const METRICS = [
  "auc_roc",
  "average_precision",
  "card_precision_100",
] as const;

/** Name of a metric. */
export type Metric = typeof METRICS[number];

/** Each metric's value; NaN where it has no meaning. */
export type MetricValues = Readonly<Record<Metric, number>>;

/** One day of a test. */
export interface DayJudgement extends MetricValues {
  /** The day. */
  readonly day: number;
  /** Payments judged. */
  readonly rows: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** Cards with a payment, without those found before. */
  readonly cards: number;
  /** Compromised ones among them. */
  readonly compromised: number;
  /** Compromised ones among the 100 most suspect. */
  readonly hits: number;
}

/** A whole test. */
export interface Judgement {
  /** The metrics over all days; card precision is the mean of the days. */
  readonly metrics: MetricValues;
  /** The same for each day. */
  readonly days: readonly DayJudgement[];
}

/**
 * Judges the scores of the given rows, which are in order of days. Throws
 * ModelError for no rows and for scores that are not finite.
 */
export function judge(
  payments: LabelledPayments,
  rows: Int32Array,
  scores: Float64Array,
): Judgement {
  const labels = labelsOf(payments, rows);
  const ranking = rankScores(labels, scores);
  const cardDays = cardPrecisionDays({
    day: Int32Array.from(rows, (row) => dayOf(payments, row)),
    card: Int32Array.from(rows, (row) => payments.card[row]),
    labels,
    scores,
  }, TOP_CARDS);
  let at = 0;
  const days = [...rowsByDay(payments, rows).values()].map((ofDay, index) => {
    const from = at;
    at += ofDay.length;
    const ofTheDay = rankScores(
      labels.subarray(from, at),
      scores.subarray(from, at),
    );
    const { day, cards, compromised, hits, precision } = cardDays[index];
    return {
      day,
      rows: ofDay.length,
      frauds: ofTheDay.frauds,
      "auc_roc": aucRoc(ofTheDay),
      "average_precision": averagePrecision(ofTheDay),
      "card_precision_100": precision,
      cards,
      compromised,
      hits,
    };
  });
  return {
    metrics: {
      "auc_roc": aucRoc(ranking),
      "average_precision": averagePrecision(ranking),
      "card_precision_100": cardPrecision(cardDays),
    },
    days,
  };
}

/** The labels of some rows. */
export function labelsOf(
  payments: LabelledPayments,
  rows: Int32Array,
): Uint8Array {
  return Uint8Array.from(rows, (row) => payments.labels[row]);
}
