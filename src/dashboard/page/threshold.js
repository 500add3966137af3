/** What a threshold would do: precision and recall as curves, and its effect in numbers. */
import { chart, suitedHeight } from "./chart.js";
import {
  ask,
  count,
  h,
  messageOf,
  panel,
  percent,
  setText,
  shortMoney,
} from "./dom.js";
import { numberAxis, shareAxis } from "./frame.js";
import { drawLines } from "./lines.js";
import { outcomeWords } from "./proposals.js";

/** @import { ModelView } from "../views/model_view.ts" */
/** @typedef {ModelView["curve"]} Curve */
/** @typedef {{ threshold: number, precision: number, recall: number }} Point */

/** What is said before there are labels. */
const EMPTY = "No scored payment has a known label yet.";

/**
 * Precision and recall at the lower edge of each bin, highest first.
 * @param {Curve} curve
 */
function pointsOf({ payments, frauds }) {
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

/** The curves, the slider, and what the threshold would do. */
export function thresholdPart() {
  const charts = thresholdCharts();
  const slider = h("input", {
    id: "threshold",
    type: "range",
    min: "0",
    max: "1",
    step: "0.005",
    value: "0.5",
  });
  const value = h("output", { for: "threshold" }, "0.500");
  const effect = h("dl", { class: "facts" });
  const basis = h("p", { class: "note" });
  const applying = applyPart(slider);
  /** @type {Curve | undefined} */
  let curve;
  let isTouched = false;
  const showEffect = () => {
    const threshold = Number(slider.value);
    setText(value, threshold.toFixed(3));
    slider.setAttribute("aria-valuetext", `threshold ${threshold.toFixed(3)}`);
    applying.show(threshold);
    if (!curve) return;
    charts.show(curve, threshold);
    effect.replaceChildren(...effectOf(curve, threshold));
  };
  slider.addEventListener("input", () => {
    isTouched = true;
    showEffect();
  });
  return {
    elements: [
      panel(
        "Precision and recall",
        charts.precision,
        h(
          "label",
          { for: "threshold" },
          "Threshold: alerts from this score on",
        ),
        slider,
        h("p", {}, "Threshold ", value),
        ...applying.elements,
      ),
      panel("What this threshold would do", charts.both, effect, basis),
    ],
    /** @param {ModelView} model */
    show(model) {
      ({ curve } = model);
      setText(basis, basisOf(curve));
      const { threshold, days } = model;
      applying.showState(threshold, days.length > 0);
      if (threshold !== undefined && !isTouched) {
        slider.value = String(threshold);
      }
      showEffect();
    },
    close: charts.close,
  };
}

/** What the effect was measured on. @param {Curve} curve */
function basisOf({ days }) {
  if (days === 0) return "Its effect is known once labels are.";
  const newest = days === 1 ? "day" : `${count(days)} days`;
  return `Measured on the newest ${newest} whose labels are known.`;
}

/** The button that applies the slider's threshold, and what it does. @param {HTMLInputElement} slider */
function applyPart(slider) {
  const flag = h("code");
  const applied = h("p", { class: "note", role: "status" });
  const said = h("p", { class: "note", role: "status" });
  const apply = h("button", {
    type: "button",
    onclick: async () => {
      const threshold = Number(slider.value);
      const from = `from a score of ${threshold.toFixed(3)} on`;
      if (!confirm(`Raise alerts ${from}?`)) return;
      try {
        const { status } = await ask("/api/model/threshold", {}, { threshold });
        const isApplied = status === "changed";
        setText(said, isApplied ? "" : outcomeWords(status));
        if (isApplied) setText(applied, `Applied: alerts ${from}.`);
      } catch (error) {
        setText(said, messageOf(error));
      }
    },
  }, "Apply this threshold");
  return {
    elements: [
      apply,
      said,
      applied,
      h(
        "p",
        { class: "note" },
        "A running scorer that alerts by a threshold uses the new one within a second. To start a run with it, add ",
        flag,
        ".",
      ),
    ],
    /** @param {number} threshold */
    show(threshold) {
      setText(flag, `--alert-threshold=${threshold}`);
    },
    /** @param {number | undefined} threshold the one in force @param {boolean} isScored */
    showState(threshold, isScored) {
      // Without a model nothing would use it.
      apply.disabled = !isScored;
      if (threshold === undefined) return;
      setText(
        applied,
        `In force: alerts from a score of ${threshold.toFixed(3)} on.`,
      );
    },
  };
}

/** The two charts: precision over recall, and both over the threshold. */
function thresholdCharts() {
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

/** A mean of counts: whole from 10 on, since few alerts per day are not none. @param {number} value */
const mean = (value) => value < 10 ? value.toFixed(1) : count(value);

/**
 * What alerts from a threshold on would have found, as facts.
 * @param {Curve} curve
 * @param {number} threshold
 */
function effectOf({ days, payments, frauds, fraudAmount }, threshold) {
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
    fact("Alerts per day", mean(alerts / days)),
    fact("False alerts per day", mean((alerts - hits) / days)),
    fact("Precision: alerts that are frauds", percent(hits / alerts)),
    fact("Recall: frauds that are alerts", percent(hits / all(frauds))),
    fact("Fraud amount in alerts per day", shortMoney(found / days)),
    fact(
      "Fraud amount missed per day",
      shortMoney((all(fraudAmount) - found) / days),
    ),
  ];
}
