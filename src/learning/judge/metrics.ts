/**
 * Metrics over scores of any size: AUC ROC, average precision and the curves
 * behind them, equal to scikit-learn's. All follow from one ranking: the
 * distinct scores, descending, with how many payments and frauds have at least
 * each. Where a metric has no meaning (one class alone) it is NaN.
 */
import { ModelError } from "../../base/error.ts";

/** The distinct scores of some payments, descending. */
export interface Ranking {
  /** Each distinct score. */
  readonly thresholds: Float64Array;
  /** Payments with at least that score. */
  readonly alerts: Float64Array;
  /** Frauds among them. */
  readonly hits: Float64Array;
  /** Number of payments. */
  readonly rows: number;
  /** Number of frauds. */
  readonly frauds: number;
}

/** A curve of precision over recall, by ascending threshold. */
export interface PrecisionRecallCurve {
  /** Share of frauds among the alerts; 1 at the end, where nothing is alerted. */
  readonly precision: Float64Array;
  /** Share of the frauds that are alerted; 0 at the end; NaN without frauds. */
  readonly recall: Float64Array;
  /** Score from which on is alerted; one less than the points, the last has none. */
  readonly thresholds: Float64Array;
}

/** A receiver operating characteristic, by descending threshold. */
export interface RocCurve {
  /** Share of the genuine payments that are alerted; NaN without genuine ones. */
  readonly falsePositiveRate: Float64Array;
  /** Share of the frauds that are alerted; NaN without frauds. */
  readonly truePositiveRate: Float64Array;
  /** Score from which on is alerted; the first is Infinity: nothing is. */
  readonly thresholds: Float64Array;
}

/**
 * Ranks payments by score. Throws ModelError for no payment, for labels of
 * another number, and for a score that is not a finite number.
 */
export function rankScores(labels: Uint8Array, scores: Float64Array): Ranking {
  const rows = checkScores(labels, scores);
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  order.sort((left, right) => scores[right] - scores[left]);
  const thresholds: number[] = [];
  const alerts: number[] = [];
  const hits: number[] = [];
  let frauds = 0;
  for (let at = 0; at < rows; at++) {
    const score = scores[order[at]];
    frauds += labels[order[at]];
    if (at + 1 < rows && scores[order[at + 1]] === score) continue;
    thresholds.push(score);
    alerts.push(at + 1);
    hits.push(frauds);
  }
  return {
    thresholds: Float64Array.from(thresholds),
    alerts: Float64Array.from(alerts),
    hits: Float64Array.from(hits),
    rows,
    frauds,
  };
}

/**
 * Probability that a fraud has a greater score than a genuine payment, ties
 * counting half (the mean-rank form of the area under the ROC curve); NaN
 * where one class is missing.
 */
export function aucRoc(ranking: Ranking): number {
  const { alerts, hits, rows, frauds } = ranking;
  let pairs = 0;
  let hitsBefore = 0;
  let missesBefore = 0;
  for (let at = 0; at < hits.length; at++) {
    const misses = alerts[at] - hits[at];
    pairs += (misses - missesBefore) * (hits[at] + hitsBefore) / 2;
    hitsBefore = hits[at];
    missesBefore = misses;
  }
  return pairs / (frauds * (rows - frauds));
}

/**
 * Sum over the distinct scores, descending, of the recall gained times the
 * precision there; NaN without frauds.
 */
export function averagePrecision(ranking: Ranking): number {
  const { alerts, hits, frauds } = ranking;
  let sum = 0;
  let before = 0;
  for (let at = 0; at < hits.length; at++) {
    sum += (hits[at] - before) / frauds * (hits[at] / alerts[at]);
    before = hits[at];
  }
  return frauds === 0 ? NaN : sum;
}

/** Precision and recall at every distinct score, in the order of scikit-learn's. */
export function precisionRecallCurve(ranking: Ranking): PrecisionRecallCurve {
  const { alerts, hits, frauds } = ranking;
  const points = hits.length + 1;
  const precision = new Float64Array(points).fill(1);
  const recall = new Float64Array(points);
  for (let at = 0; at < hits.length; at++) {
    const from = hits.length - 1 - at;
    precision[at] = hits[from] / alerts[from];
    recall[at] = hits[from] / frauds;
  }
  return { precision, recall, thresholds: ranking.thresholds.toReversed() };
}

/** The rates at every distinct score, from alerting nothing to alerting all. */
export function rocCurve(ranking: Ranking): RocCurve {
  const { alerts, hits, rows, frauds } = ranking;
  const points = hits.length + 1;
  const falsePositiveRate = new Float64Array(points);
  const truePositiveRate = new Float64Array(points);
  const thresholds = new Float64Array(points);
  thresholds[0] = Infinity;
  for (let at = 0; at < hits.length; at++) {
    falsePositiveRate[at + 1] = (alerts[at] - hits[at]) / (rows - frauds);
    truePositiveRate[at + 1] = hits[at] / frauds;
    thresholds[at + 1] = ranking.thresholds[at];
  }
  return { falsePositiveRate, truePositiveRate, thresholds };
}

/** The number of payments; throws ModelError if no metric is defined. */
export function checkScores(labels: Uint8Array, scores: Float64Array): number {
  if (scores.length === 0) {
    throw new ModelError("there is no score to judge; give payments to test");
  }
  if (labels.length !== scores.length) {
    throw new ModelError(
      `there are ${scores.length} scores and ${labels.length} labels`,
    );
  }
  const wrong = scores.findIndex((score) => !Number.isFinite(score));
  if (wrong >= 0) {
    throw new ModelError(
      `score ${scores[wrong]} of test row ${wrong} is not a finite number; ` +
        "check the model and its inputs",
    );
  }
  return scores.length;
}
