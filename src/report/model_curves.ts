/** The curves of a model over payments that it has not learned from, few enough points to draw. */
import {
  aucRoc,
  averagePrecision,
  precisionRecallCurve,
  rankScores,
  rocCurve,
} from "../learning/judge/metrics.ts";
import {
  type PricedScores,
  type ThresholdRow,
  thresholdTable,
  USUAL_THRESHOLDS,
} from "../learning/judge/thresholds.ts";

/** Points of a curve. */
export interface Curve {
  /** Places on the horizontal axis. */
  readonly x: readonly number[];
  /** Places on the vertical axis. */
  readonly y: readonly number[];
}

/** What the curves are of. */
export interface JudgedModel {
  /** The kind of model and its version, for people. */
  readonly name: string;
  /** Which payments it is judged by, for people. */
  readonly period: string;
  /** Number of days that the payments come from. */
  readonly days: number;
}

/** A model's curves and numbers. */
export interface ModelCurves extends JudgedModel {
  /** Number of payments that were scored. */
  readonly rows: number;
  /** How many of them are frauds. */
  readonly frauds: number;
  /** Area under the ROC curve; NaN without both classes. */
  readonly aucRoc: number;
  /** Average precision; NaN without frauds. */
  readonly averagePrecision: number;
  /** True over false positive rate. */
  readonly roc: Curve;
  /** Precision over recall. */
  readonly precisionRecall: Curve;
  /** What thresholds from 0 to 1 would do, a hundredth apart. */
  readonly thresholds: readonly ThresholdRow[];
  /** The same for the thresholds of the table. */
  readonly usual: readonly ThresholdRow[];
}

/** Distance of points, as a part of the axes, below which one is left out. */
const NEAR = 1 / 400;

const HUNDREDTHS = Array.from({ length: 101 }, (_, at) => at / 100);

/** The curves of a model's scores; undefined if there are none. */
export function modelCurves(
  model: JudgedModel,
  scored: PricedScores,
): ModelCurves | undefined {
  const { labels, scores } = scored;
  if (scores.length === 0) return undefined;
  const ranking = rankScores(labels, scores);
  const { falsePositiveRate, truePositiveRate } = rocCurve(ranking);
  const { recall, precision } = precisionRecallCurve(ranking);
  return {
    ...model,
    rows: ranking.rows,
    frauds: ranking.frauds,
    aucRoc: aucRoc(ranking),
    averagePrecision: averagePrecision(ranking),
    roc: thinned(falsePositiveRate, truePositiveRate),
    precisionRecall: thinned(recall.toReversed(), precision.toReversed()),
    thresholds: thresholdTable(scored, HUNDREDTHS, 0),
    usual: thresholdTable(scored, USUAL_THRESHOLDS, 0),
  };
}

/** The distinguishable points of a curve, always with the first and the last; none where a rate has no meaning. */
export function thinned(x: Float64Array, y: Float64Array): Curve {
  const kept: { x: number[]; y: number[] } = { x: [], y: [] };
  let [lastX, lastY] = [-1, -1];
  for (let at = 0; at < x.length; at++) {
    if (Number.isNaN(x[at]) || Number.isNaN(y[at])) continue;
    const near = Math.abs(x[at] - lastX) < NEAR &&
      Math.abs(y[at] - lastY) < NEAR;
    if (near && at < x.length - 1) continue;
    kept.x.push(x[at]);
    kept.y.push(y[at]);
    [lastX, lastY] = [x[at], y[at]];
  }
  return kept;
}
