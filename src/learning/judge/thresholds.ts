/**
 * What a threshold on the score would do: alerts, rates and money. A payment
 * is alerted when its score is at least the threshold. Rates as in the Fraud
 * Detection Handbook, chapter 4, "Threshold-based metrics".
 */
import { ModelError } from "../../base/error.ts";
import { checkScores } from "./metrics.ts";

/** Payments with their amounts. */
export interface PricedScores {
  /** 1 for a fraud. */
  readonly labels: Uint8Array;
  /** Score of each payment. */
  readonly scores: Float64Array;
  /** TX_AMOUNT of each payment. */
  readonly amount: Float64Array;
}

/** One threshold's consequences; a rate without a denominator is NaN. */
export interface ThresholdRow {
  /** Alerts begin at this score. */
  readonly threshold: number;
  /** Payments alerted. */
  readonly alerts: number;
  /** Frauds among the alerts. */
  readonly hits: number;
  /** Share of the frauds that are alerted (recall). */
  readonly truePositiveRate: number;
  /** Share of the genuine payments that are alerted. */
  readonly falsePositiveRate: number;
  /** Share of frauds among the alerts. */
  readonly precision: number;
  /** Harmonic mean of precision and recall. */
  readonly f1: number;
  /** Balanced error rate: mean of the shares of misjudged frauds and misjudged genuine payments. */
  readonly balancedErrorRate: number;
  /** Sum of the amounts of frauds that were alerted. */
  readonly stoppedAmount: number;
  /** Sum of the amounts of frauds that were not. */
  readonly missedAmount: number;
  /** missedAmount + alerts · alertCost. */
  readonly cost: number;
}

/** The table's default thresholds, as in the handbook. */
export const USUAL_THRESHOLDS: readonly number[] = Array.from(
  { length: 11 },
  (_, at) => at / 10,
);

/**
 * The consequences of some thresholds, where each alert costs `alertCost`.
 * Throws ModelError for no payments and for scores that are not finite.
 */
export function thresholdTable(
  priced: PricedScores,
  thresholds: readonly number[],
  alertCost: number,
): ThresholdRow[] {
  const sums = sumFromTop(priced, alertCost);
  return thresholds.map((threshold) => sums.row(threshold));
}

/**
 * The threshold of least cost among the scores that occur and "no alert at
 * all" (Infinity); of equal costs the highest, which makes the fewest alerts.
 */
export function cheapestThreshold(
  priced: PricedScores,
  alertCost: number,
): ThresholdRow {
  const sums = sumFromTop(priced, alertCost);
  let best = sums.row(Infinity);
  for (const threshold of sums.distinct) {
    const row = sums.row(threshold);
    if (row.cost < best.cost) best = row;
  }
  return best;
}

/** Running sums over the payments by descending score. */
function sumFromTop(
  { labels, scores, amount }: PricedScores,
  alertCost: number,
): { row(threshold: number): ThresholdRow; distinct: number[] } {
  const rows = checkScores(labels, scores);
  if (!(alertCost >= 0 && Number.isFinite(alertCost))) {
    throw new ModelError(
      `the cost of an alert must be 0 or more, not ${alertCost}`,
    );
  }
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  order.sort((left, right) => scores[right] - scores[left]);
  // In whole cents: sums of doubles would depend on the order of the rows.
  const cents = new Float64Array(rows + 1);
  const hits = new Uint32Array(rows + 1);
  for (let at = 0; at < rows; at++) {
    const row = order[at];
    hits[at + 1] = hits[at] + labels[row];
    cents[at + 1] = cents[at] + labels[row] * Math.round(amount[row] * 100);
  }
  const frauds = hits[rows];
  const row = (threshold: number): ThresholdRow => {
    const alerts = countAtLeast(scores, order, threshold);
    const found = hits[alerts];
    const falseAlerts = alerts - found;
    const truePositiveRate = found / frauds;
    const falsePositiveRate = falseAlerts / (rows - frauds);
    const missedAmount = (cents[rows] - cents[alerts]) / 100;
    return {
      threshold,
      alerts,
      hits: found,
      truePositiveRate,
      falsePositiveRate,
      precision: found / alerts,
      f1: 2 * found / (alerts + frauds),
      balancedErrorRate: (1 - truePositiveRate + falsePositiveRate) / 2,
      stoppedAmount: cents[alerts] / 100,
      missedAmount,
      cost: missedAmount + alerts * alertCost,
    };
  };
  return {
    row,
    distinct: [...new Set(order.values().map((at) => scores[at]))],
  };
}

/** How many of the scores, in descending order, are at least the threshold. */
function countAtLeast(
  scores: Float64Array,
  order: Uint32Array,
  threshold: number,
): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scores[order[middle]] >= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}
