/** What a threshold would do: precision and recall as curves, and its effect in numbers. */
import { chart, suitedHeight } from "./chart.js";
import { count, h, percent, shortMoney } from "./dom.js";
import { numberAxis, shareAxis } from "./frame.js";
import { drawLines } from "./lines.js";

/** @import { ModelView } from "../views/model_view.ts" */
/** @typedef {ModelView["curve"]} Curve */
/** @typedef {{ threshold: number, precision: number, recall: number }} Point */

/** What is said before there are labels. */
const EMPTY = "No scored payment has a known label yet.";

/**
 * Precision and recall at the lower edge of each bin, highest first.
 * @param {Curve} curve
 */
export function pointsOf({ payments, frauds }) {
  const all = frauds.reduce((sum, n) => sum + n, 0);
  /** @type {Point[]} */
  const points = [];
  let taken = 0;
  let found = 0;
  for (let bin = payments.length - 1; bin >= 0; bin--) {
    taken += payments[bin];
    found += frauds[bin];
    if (taken > 0 && all > 0) {
      points.push({
        threshold: bin / payments.length,
        precision: found / taken,
        recall: found / all,
      });
    }
  }
  return points;
}

/** The two charts: precision over recall, and both over the threshold. */
export function thresholdCharts() {
  const precision = chart("Precision over recall");
  const both = chart("Precision and recall by threshold");
  return {
    precision: precision.element,
    both: both.element,
    /**
     * Draws both, with the threshold on them.
     * @param {Curve} curve
     * @param {number} threshold
     */
    show(curve, threshold) {
      const points = pointsOf(curve);
      const at = points.findLast((point) =>
        point.threshold >= threshold - 1e-9
      );
      const words = at
        ? `At the threshold ${threshold.toFixed(3)}, precision is ` +
          `${percent(at.precision)} and recall ${percent(at.recall)}.`
        : EMPTY;
      precision.show((width) =>
        drawLines(
          {
            x: shareAxis("recall: share of frauds that are alerts"),
            panels: [{
              y: shareAxis("precision: share of alerts that are frauds"),
              lines: [line("precision", points, "recall", "precision")],
            }],
            here: at && { x: at.recall, y: at.precision },
            empty: EMPTY,
          },
          width,
          suitedHeight(width),
        ), words);
      const ascending = points.toReversed();
      both.show((width) =>
        drawLines(
          {
            x: numberAxis("threshold: alerts from this score on", [0, 1]),
            panels: [{
              y: shareAxis("precision and recall"),
              lines: [
                line("precision", ascending, "threshold", "precision"),
                line("recall", ascending, "threshold", "recall"),
              ],
            }],
            here: at && { x: threshold },
            empty: EMPTY,
          },
          width,
          suitedHeight(width),
        ), words);
    },
    close() {
      precision.close();
      both.close();
    },
  };
}

/**
 * @param {string} name
 * @param {readonly Point[]} points
 * @param {keyof Point} x
 * @param {keyof Point} y
 */
function line(name, points, x, y) {
  return {
    name,
    x: points.map((point) => point[x]),
    y: points.map((point) => point[y]),
  };
}

/**
 * What alerts from a threshold on would have found, as facts.
 * @param {Curve} curve
 * @param {number} threshold
 */
export function effectOf({ days, payments, frauds, fraudAmount }, threshold) {
  const from = Math.min(
    payments.length - 1,
    Math.round(threshold * payments.length),
  );
  /** @param {readonly number[]} values */
  const above = (values) => values.slice(from).reduce((sum, n) => sum + n, 0);
  /** @param {readonly number[]} values */
  const all = (values) => values.reduce((sum, n) => sum + n, 0);
  /** @param {string} name @param {string} value */
  const fact = (name, value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  if (days === 0) return [];
  const [alerts, hits, found] = [
    above(payments),
    above(frauds),
    above(fraudAmount),
  ];
  return [
    fact("Alerts per day", count(alerts / days)),
    fact("False alerts per day", count((alerts - hits) / days)),
    fact("Precision: alerts that are frauds", percent(hits / alerts)),
    fact("Recall: frauds that are alerts", percent(hits / all(frauds))),
    fact("Fraud amount in alerts per day", shortMoney(found / days)),
    fact(
      "Fraud amount missed per day",
      shortMoney((all(fraudAmount) - found) / days),
    ),
  ];
}
