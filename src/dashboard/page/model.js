/** The view of the models: how they do, what another threshold would do, which one counts. */
import { lineChart } from "./chart.js";
import {
  ask,
  count,
  every,
  h,
  heading,
  mark,
  messageOf,
  panel,
  percent,
  setText,
  svg,
  table,
  wholePercent,
} from "./dom.js";
import { showRegistry } from "./registry.js";
import { curveOf, effectOf, pointsOf } from "./threshold.js";

/** @import { Change } from "./registry.js" */
/** @import { LineChart } from "./chart.js" */
/** @import { DriftView, ModelView } from "../views/model_view.ts" */
/** @import { Curve } from "./threshold.js" */

const MODEL_MS = 3000;

/** Opens the view. @param {HTMLElement} root */
export function openModel(root) {
  /** @type {Curve | undefined} */
  let curve;
  const quality = lineChart({
    label: "Quality by event day",
    time: "day",
    series: [
      { label: "Average precision", colour: "accent", text: percent },
      {
        label: "Precision of alerts",
        colour: "ok",
        dash: [6, 4],
        text: percent,
      },
      {
        label: "Recall of alerts",
        colour: "warn",
        dash: [2, 4],
        text: percent,
      },
    ],
    axes: { x: "Day", y: wholePercent },
  });
  const drift = lineChart({
    label: "Mean score by event day: what drifts in the payments moves it",
    time: "day",
    series: [{
      label: "Mean score",
      colour: "accent",
      text: (value) => value.toFixed(4),
    }],
    axes: { x: "Day", y: (value) => value.toFixed(3) },
  });
  const now = h("p", { class: "note", role: "status" });
  const drawing = h("div");
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
  const flag = h("code");
  const applied = h("p", { class: "note", role: "status" });
  const apply = h("button", { type: "button" }, "Apply this threshold");
  apply.addEventListener("click", async () => {
    const threshold = Number(slider.value);
    if (!confirm(`Alert from a score of ${threshold.toFixed(3)} on?`)) return;
    try {
      await ask("/api/model/threshold", {}, { threshold });
      setText(applied, `Applied: alerts from ${threshold.toFixed(3)} on.`);
    } catch (error) {
      setText(applied, messageOf(error));
    }
  });
  let isTouched = false;
  slider.addEventListener("input", () => isTouched = true);
  /** @param {number | undefined} threshold */
  const showApplied = (threshold) => {
    if (threshold === undefined) return;
    setText(applied, `In force: alerts from ${threshold.toFixed(3)} on.`);
    if (!isTouched) slider.value = String(threshold);
  };
  const showEffect = () => {
    const threshold = Number(slider.value);
    setText(value, threshold.toFixed(3));
    slider.setAttribute("aria-valuetext", `threshold ${threshold.toFixed(3)}`);
    setText(flag, `--alert-threshold=${threshold}`);
    if (!curve) return;
    const points = pointsOf(curve);
    drawing.replaceChildren(curveOf(points, threshold));
    effect.replaceChildren(...effectOf(curve, threshold));
  };
  slider.addEventListener("input", showEffect);
  const inputs = h("div", { class: "column" });
  const champion = h("div", { class: "column" });
  const history = h("tbody");
  const changed = h("p", { class: "note", role: "status" });
  root.append(
    heading("Model"),
    now,
    h(
      "div",
      { class: "pair" },
      panel("Quality as labels arrive", quality.element),
      panel("Drift of scores", drift.element),
    ),
    h(
      "div",
      { class: "pair" },
      panel(
        "Precision and recall",
        drawing,
        h("label", { for: "threshold" }, "Threshold of alerts"),
        slider,
        h("p", {}, "Threshold ", value),
      ),
      panel(
        "What this threshold would do",
        effect,
        h(
          "p",
          { class: "note" },
          "Measured on the newest days whose labels are known. Applied, scorers that alert by a threshold take it within a second; at their start they take ",
          flag,
        ),
        apply,
        applied,
        h("h3", {}, "Drift of the inputs"),
        inputs,
      ),
    ),
    panel(
      "Versions",
      champion,
      changed,
      table("History of the registry", [
        ["Event day", "number"],
        ["What"],
        ["Version"],
        ["Champion then"],
        ["Why"],
        ["Change"],
      ], history),
    ),
  );
  /** @type {Change} */
  const change = (path, body, words) => async () => {
    if (!confirm(words)) return;
    try {
      const registry = await ask(path, {}, body);
      setText(
        changed,
        `${registry.champion} is the champion now; the scorer takes it within a second.`,
      );
    } catch (error) {
      setText(changed, messageOf(error));
    }
  };
  const end = every(MODEL_MS, async () => {
    const model = await ask("/api/model");
    ({ curve } = model);
    showApplied(model.threshold);
    showQuality(quality, drift, model);
    setText(
      now,
      model.days.length === 0
        ? "No model is scoring: train one (fraudstream help train) and start the run with --model."
        : `Champion of the newest day: ${model.days.at(-1)?.version}. ${
          count(model.curve.days)
        } days have known labels.`,
    );
    showEffect();
    inputs.replaceChildren(...driftOf(model.drift));
    if (
      history.contains(document.activeElement) ||
      champion.contains(document.activeElement)
    ) return;
    showRegistry(champion, history, model.registry, change);
  });
  return {
    close() {
      end();
      quality.close();
      drift.close();
    },
  };
}

/** @param {LineChart} quality @param {LineChart} drift @param {ModelView} view */
function showQuality(quality, drift, { days }) {
  const last = days.at(-1);
  const labelled = days.filter((day) => day.labelled);
  const newest = labelled.at(-1);
  quality.draw(
    [
      labelled.map(({ day }) => day),
      labelled.map(({ averagePrecision }) => averagePrecision),
      labelled.map(({ hits, alerts }) => alerts ? hits / alerts : null),
      labelled.map(({ hits, frauds }) => frauds ? hits / frauds : null),
    ],
    newest
      ? `Day ${newest.day}: average precision ${
        percent(newest.averagePrecision ?? NaN)
      }`
      : "No labels yet",
  );
  drift.draw(
    [days.map(({ day }) => day), days.map(({ meanScore }) => meanScore)],
    last ? `Day ${last.day}: ${last.meanScore.toFixed(4)}` : "No scores yet",
  );
}

const DRIFT_MAX = 8;

/**
 * The inputs that have moved most since the training, as bars up to a clear shift.
 * @param {DriftView | undefined} drift
 */
function driftOf(drift) {
  if (!drift) {
    return [
      h(
        "p",
        { class: "note" },
        "The trainer (--retrain) measures it, day by day as labels arrive.",
      ),
    ];
  }
  /** @param {number} psi */
  const word = (psi) =>
    psi > 0.25
      ? mark("warn", "shift")
      : psi > 0.1
      ? mark("unknown", "moves")
      : mark("genuine", "stable");
  return [
    h(
      "p",
      { class: "note" },
      `Population stability index of day ${drift.day} against the seven days before; a week's own rhythm is left out`,
    ),
    h(
      "div",
      { class: "bars" },
      drift.inputs.slice(0, DRIFT_MAX).map(({ name, psi }) => [
        h("span", {}, name),
        svg(
          "svg",
          {
            viewBox: "0 0 100 10",
            preserveAspectRatio: "none",
            "aria-hidden": "true",
          },
          svg("rect", {
            class: psi > 0.25 ? "up" : "down",
            x: 0,
            y: 2,
            width: Math.min(100, psi * 200),
            height: 6,
          }),
        ),
        h("span", {}, `${psi.toFixed(3)} `, word(psi)),
      ]),
    ),
  ];
}
