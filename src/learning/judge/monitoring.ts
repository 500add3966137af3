/**
 * How well a model does, day by day, once the labels of the day are known: the
 * value of its alerts, the quality of its ranking and its probabilities, and
 * whether payments and scores are still distributed as in the week before.
 */
import { cardPrecisionDays, TOP_CARDS } from "./card_precision.ts";
import { aucRoc, averagePrecision, rankScores } from "./metrics.ts";
import type { LabelledPayments } from "../data/payments.ts";

/** Predictions of one model about payments of one day. */
export interface ScoredDay {
  /** The day's payments. */
  readonly payments: LabelledPayments;
  /** Rows that the model has scored. */
  readonly rows: Int32Array;
  /** Score of each. */
  readonly scores: Float64Array;
  /** 1 for each that was an alert. */
  readonly alerts: Uint8Array;
}

/** What a day is compared with. */
export interface PastWeek {
  /** The payments of the days before. */
  readonly payments: LabelledPayments;
  /** Scores that the same model gave on the days before. */
  readonly scores: Float64Array;
}

/** Equally wide ranges of the score that probabilities are checked in. */
const CALIBRATION_BINS = 10;

/** Whether an input varies within the week, so that no day is like the seven before. */
export function isWeekly(input: string): boolean {
  return /WEEKEND/.test(input);
}

/** Ranges that hold equal numbers of past values. */
const STABILITY_BINS = 10;

/** The metrics of a day by name; NaN for those without meaning. */
export function monitorDay(
  { payments, rows, scores, alerts }: ScoredDay,
  past: PastWeek,
): Map<string, number> {
  const labels = Uint8Array.from(rows, (row) => payments.labels[row]);
  const ranking = rankScores(labels, scores);
  const [card] = cardPrecisionDays({
    day: new Int32Array(rows.length),
    card: Int32Array.from(rows, (row) => payments.card[row]),
    labels,
    scores,
  }, TOP_CARDS);
  let alerted = 0;
  let hits = 0;
  for (let at = 0; at < rows.length; at++) {
    alerted += alerts[at];
    hits += alerts[at] & labels[at];
  }
  const found = new Map([
    ["payments", rows.length],
    ["frauds", ranking.frauds],
    ["alerts", alerted],
    ["alert_precision", hits / alerted],
    ["alert_recall", hits / ranking.frauds],
    ["auc_roc", aucRoc(ranking)],
    ["average_precision", averagePrecision(ranking)],
    [`card_precision_${TOP_CARDS}`, card.precision],
    ["brier_score", brierScore(labels, scores)],
    ["calibration_error", calibrationError(labels, scores)],
    ["score_psi", stabilityIndex(past.scores, scores)],
  ]);
  let worst = NaN;
  for (const [input, name] of payments.inputs.entries()) {
    const column = payments.columns[input];
    const values = Float64Array.from(rows, (row) => column[row]);
    const psi = stabilityIndex(past.payments.columns[input], values);
    found.set(`psi:${name}`, psi);
    if (isWeekly(name) || Number.isNaN(psi)) continue;
    if (!(worst >= psi)) worst = psi;
  }
  found.set("input_psi_max", worst);
  for (const [name, value] of found) {
    if (!Number.isFinite(value)) found.set(name, NaN);
  }
  return found;
}

/** Mean squared distance of the scores from the labels. */
export function brierScore(labels: Uint8Array, scores: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < labels.length; at++) {
    sum += (scores[at] - labels[at]) ** 2;
  }
  return sum / labels.length;
}

/**
 * Expected calibration error: over equally wide ranges of the score, how far
 * the mean score is from the share of frauds, weighted by the payments.
 */
export function calibrationError(
  labels: Uint8Array,
  scores: Float64Array,
): number {
  const sums = new Float64Array(CALIBRATION_BINS);
  for (let at = 0; at < labels.length; at++) {
    const bin = Math.min(
      CALIBRATION_BINS - 1,
      Math.floor(scores[at] * CALIBRATION_BINS),
    );
    sums[bin] += scores[at] - labels[at];
  }
  return sums.reduce((sum, gap) => sum + Math.abs(gap), 0) / labels.length;
}

/**
 * Population stability index of values against those of the past: the sum of
 * (share − past share) · ln(share / past share) over ranges that hold equal
 * numbers of past values; missing values (NaN), where there are any, are
 * one more range. Below 0.1 nothing has changed, above 0.25 much has.
 * NaN where one of the two is empty. Half a value is added to each range, so
 * that an empty one does not make it infinite.
 */
export function stabilityIndex(
  past: Float64Array,
  values: Float64Array,
): number {
  if (past.length === 0 || values.length === 0) return NaN;
  const sorted = past.filter((value) => !Number.isNaN(value)).sort();
  const edges = new Set<number>();
  for (let bin = 1; bin < STABILITY_BINS; bin++) {
    edges.add(sorted[Math.floor(bin * sorted.length / STABILITY_BINS)]);
  }
  // Without a known value before, all are in the first range.
  if (sorted.length === 0) edges.clear();
  if (past.some(Number.isNaN) || values.some(Number.isNaN)) edges.add(NaN);
  const bounds = Float64Array.from(edges);
  const before = shares(past, bounds);
  const now = shares(values, bounds);
  return now.reduce((sum, share, bin) => {
    return sum + (share - before[bin]) * Math.log(share / before[bin]);
  }, 0);
}

/** The share of the values in each range: below the first bound, from each bound on; from the bound NaN on are those that are NaN. */
function shares(values: Float64Array, bounds: Float64Array): Float64Array {
  const counts = new Float64Array(bounds.length + 1).fill(0.5);
  for (const value of values) {
    let bin = 0;
    while (bin < bounds.length && value >= bounds[bin]) bin++;
    counts[Number.isNaN(value) ? bounds.length : bin]++;
  }
  const total = values.length + counts.length / 2;
  return counts.map((count) => count / total);
}
