/** The view of the models: how they do, what another threshold would do, which one counts. */
import { lineChart } from "./chart.js";
import {
  ask,
  count,
  every,
  h,
  heading,
  mark,
  panel,
  percent,
  setText,
  shortMoney,
  svg,
  table,
  wholePercent,
} from "./dom.js";

const MODEL_MS = 3000;

/** Opens the view. */
export function openModel(root) {
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
      await ask("/api/model/threshold", { threshold });
      setText(applied, `Applied: alerts from ${threshold.toFixed(3)} on.`);
    } catch (error) {
      setText(applied, error.message);
    }
  });
  let isTouched = false;
  slider.addEventListener("input", () => isTouched = true);
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
  const change = (path, body, words) => async () => {
    if (!confirm(words)) return;
    try {
      const registry = await ask(path, body);
      setText(
        changed,
        `${registry.champion} is the champion now; the scorer takes it within a second.`,
      );
    } catch (error) {
      setText(changed, error.message);
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
        : `Champion of the newest day: ${model.days.at(-1).version}. ${
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

function showQuality(quality, drift, { days }) {
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
    days.length
      ? `Day ${days.at(-1).day}: ${days.at(-1).meanScore.toFixed(4)}`
      : "No scores yet",
  );
}

/** Precision and recall at the lower edge of each bin, highest first. */
function pointsOf({ payments, frauds }) {
  const all = frauds.reduce((sum, n) => sum + n, 0);
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

function curveOf(points, threshold) {
  const x = (recall) => EDGE + recall * (SIZE - EDGE - 24);
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

function effectOf({ days, payments, frauds, fraudAmount }, threshold) {
  const from = Math.min(
    payments.length - 1,
    Math.round(threshold * payments.length),
  );
  const above = (values) => values.slice(from).reduce((sum, n) => sum + n, 0);
  const all = (values) => values.reduce((sum, n) => sum + n, 0);
  const fact = (name, value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  if (days === 0) return [fact("Alerts a day", "not known yet")];
  const [alerts, hits, stopped] = [
    above(payments),
    above(frauds),
    above(fraudAmount),
  ];
  return [
    fact("Alerts a day", count(alerts / days)),
    fact("Of them frauds (precision)", percent(hits / alerts)),
    fact("Frauds found (recall)", percent(hits / all(frauds))),
    fact("Money stopped a day", shortMoney(stopped / days)),
    fact("Money missed a day", shortMoney((all(fraudAmount) - stopped) / days)),
    fact("False alerts a day", count((alerts - hits) / days)),
  ];
}

const DRIFT_MAX = 8;

/** The inputs that have moved most since the training, as bars up to a clear shift. */
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

function showRegistry(champion, history, registry, change) {
  if (!registry) {
    champion.replaceChildren(
      h(
        "p",
        { class: "note" },
        "There is no registry: it comes with the trainer (--retrain) or the first model that is kept.",
      ),
    );
    history.replaceChildren();
    return;
  }
  const challenger = registry.history.findLast(({ action }) =>
    action === "kept"
  );
  champion.replaceChildren(
    h(
      "div",
      { class: "row" },
      mark("genuine", `Champion ${registry.champion}`),
      challenger && mark("unknown", `last challenger ${challenger.version}`),
      h("button", {
        type: "button",
        class: "quiet",
        onclick: change(
          "/api/model/roll-back",
          {},
          "Go back to the champion before this one?",
        ),
      }, "Roll back"),
    ),
  );
  history.replaceChildren(
    ...registry.history.toReversed().map((entry) =>
      h(
        "tr",
        {},
        h("td", { class: "number" }, count(entry.day)),
        h("td", {}, entry.action),
        h("td", {}, h("code", {}, entry.version)),
        h("td", {}, h("code", {}, entry.champion)),
        h("td", {}, entry.reason),
        h(
          "td",
          {},
          entry.version === registry.champion ? "–" : h("button", {
            type: "button",
            class: "quiet",
            "aria-label": `Promote ${entry.version}`,
            onclick: change(
              "/api/model/promote",
              { version: entry.version },
              `Make ${entry.version} the champion?`,
            ),
          }, "Promote"),
        ),
      )
    ),
  );
}
