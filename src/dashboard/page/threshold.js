/** What a threshold would do: precision and recall as a curve, and its effect in numbers. */
import { count, h, percent, shortMoney, svg } from "./dom.js";

/** @import { ModelView } from "../views/model_view.ts" */
/** @typedef {ModelView["curve"]} Curve */
/** @typedef {{ threshold: number, precision: number, recall: number }} Point */

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

const SIZE = 320;
const EDGE = 38;

/**
 * The curve as a drawing, with the threshold on it.
 * @param {readonly Point[]} points
 * @param {number} threshold
 */
export function curveOf(points, threshold) {
  /** @param {number} recall */
  const x = (recall) => EDGE + recall * (SIZE - EDGE - 24);
  /** @param {number} precision */
  const y = (precision) => SIZE - EDGE - precision * (SIZE - EDGE - 14);
  const at = points.findLast((point) => point.threshold >= threshold - 1e-9);
  const grid = [0, 0.25, 0.5, 0.75, 1];
  return svg(
    "svg",
    {
      class: "curve",
      viewBox: `0 0 ${SIZE} ${SIZE}`,
      role: "img",
      "aria-label": at
        ? `Precision and recall; at the threshold ${
          percent(at.precision)
        } and ${percent(at.recall)}`
        : "Precision and recall; no scored payment with a known label yet",
    },
    grid.map((share) => [
      svg("line", {
        class: "grid",
        x1: x(0),
        x2: x(1),
        y1: y(share),
        y2: y(share),
      }),
      svg("line", {
        class: "grid",
        y1: y(0),
        y2: y(1),
        x1: x(share),
        x2: x(share),
      }),
      svg(
        "text",
        { x: EDGE - 5, y: y(share) + 4, "text-anchor": "end" },
        `${share * 100} %`,
      ),
      svg(
        "text",
        { x: x(share), y: SIZE - EDGE + 15, "text-anchor": "middle" },
        `${share * 100} %`,
      ),
    ]),
    svg(
      "text",
      { x: x(0.5), y: SIZE - 6, "text-anchor": "middle" },
      "Recall: share of frauds that are alerts",
    ),
    svg("text", { x: x(0) + 5, y: y(1) + 12 }, "Precision"),
    points.length > 0 && svg("path", {
      class: "line",
      d: points.map(({ recall, precision }, i) =>
        `${i ? "L" : "M"}${x(recall).toFixed(1)} ${y(precision).toFixed(1)}`
      ).join(""),
    }),
    at && [
      svg("line", {
        class: "at",
        x1: x(at.recall),
        x2: x(at.recall),
        y1: y(0),
        y2: y(1),
      }),
      svg("circle", {
        class: "at",
        cx: x(at.recall),
        cy: y(at.precision),
        r: 5,
      }),
    ],
  );
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
  if (days === 0) return [fact("Alerts per day", "not known yet")];
  const [alerts, hits, stopped] = [
    above(payments),
    above(frauds),
    above(fraudAmount),
  ];
  return [
    fact("Alerts per day", count(alerts / days)),
    fact("Of them frauds (precision)", percent(hits / alerts)),
    fact("Frauds found (recall)", percent(hits / all(frauds))),
    fact("Money stopped per day", shortMoney(stopped / days)),
    fact(
      "Money missed per day",
      shortMoney((all(fraudAmount) - stopped) / days),
    ),
    fact("False alerts per day", count((alerts - hits) / days)),
  ];
}
