/** The view of the models: how they do, what another threshold would do, which one counts. */
import { lineChart } from "./chart.js";
import {
  ask,
  count,
  countOf,
  every,
  h,
  heading,
  mark,
  messageOf,
  panel,
  percent,
  setText,
  shownShape,
  svg,
  table,
} from "./dom.js";
import { outcomeWords, waitingChanges } from "./proposals.js";
import { registryOf, thresholdsOf } from "./registry.js";
import { isoDay } from "./scale.js";
import { thresholdPart } from "./threshold.js";

/** @import { Change } from "./registry.js" */
/** @import { LineChart } from "./chart.js" */
/** @import { DriftView, ModelView } from "../views/model_view.ts" */
/** @import { KnownResult } from "../views/score_counts.ts" */

const MODEL_MS = 3000;

/** Opens the view. @param {HTMLElement} root */
export function openModel(root) {
  const quality = lineChart({
    label: "Quality by event day",
    time: "day",
    empty: "No labels are known yet.",
    panels: [{
      title: "quality of scores and alerts",
      measure: "share",
      lines: ["average precision", "precision of alerts", "recall of alerts"],
    }],
  });
  const scores = lineChart({
    label: "Scores and alerts by event day",
    time: "day",
    empty: "No payment has been scored yet.",
    panels: [
      { title: "mean score, 0 to 1", measure: "score", lines: ["mean score"] },
      { title: "alerts per day", measure: "count", lines: ["alerts"] },
    ],
  });
  const now = h("p", { class: "note", role: "status" }, "Loading…");
  const waiting = waitingChanges();
  const threshold = thresholdPart();
  const inputs = h("div", { class: "column" });
  const shadows = h("div", { class: "column" });
  const versions = h("div", { class: "column" });
  const changed = h("p", { class: "note", role: "status" });
  root.append(
    heading("Model"),
    now,
    waiting.element,
    h(
      "div",
      { class: "pair" },
      panel("Quality as labels arrive", quality.element),
      panel("Scores and alerts", scores.element),
    ),
    h("div", { class: "pair" }, threshold.elements),
    panel("Shadow models", shadows),
    panel("Drift of the inputs", inputs),
    panel("Versions", changed, versions),
  );
  /** @type {Change} */
  const change = (path, body, words) => async () => {
    if (!confirm(words)) return;
    try {
      const { status, champion } = await ask(path, {}, body);
      setText(
        changed,
        status === "changed"
          ? `${champion} is the champion now; the scorer uses it within a second.`
          : outcomeWords(status),
      );
      await waiting.look();
    } catch (error) {
      setText(changed, messageOf(error));
    }
  };
  const end = every(MODEL_MS, async () => {
    const model = await ask("/api/model");
    await waiting.look();
    showQuality(quality, model);
    showScores(scores, model);
    setText(now, stateOf(model));
    threshold.show(model);
    inputs.replaceChildren(...driftOf(model));
    // A table that has the focus is being scrolled.
    if (!shadows.contains(document.activeElement)) {
      shadows.replaceChildren(...shadowsOf(model));
    }
    // A button that has the focus stays where it is.
    if (versions.contains(document.activeElement)) return;
    versions.replaceChildren(
      ...registryOf(model.registry, model.startSeconds, change),
      ...thresholdsOf(model),
    );
  });
  return {
    close() {
      end();
      quality.close();
      scores.close();
      threshold.close();
    },
  };
}

/** What scores the stream, and how much is known of it. @param {ModelView} model */
function stateOf({ days, curve, delayDays, later, missed }) {
  const newest = days.at(-1);
  if (!newest) {
    return shownShape().isOwn
      ? "No model has scored a payment of this stream. The command train makes one from your files, and a run with --model=FILE uses it."
      : "No model has scored a payment of this stream. To score it, start the run with --model=built-in, or with a file that the command train writes.";
  }
  const scored =
    `Version ${newest.version} scored most payments of the newest day.`;
  const age = delayDays === 1 ? "one day" : `${count(delayDays)} days`;
  if (later && !later.hasLabels) {
    return `${scored} No label has come yet, so nothing is known of the quality of the scores. Labels come from files, by the command label, from label_topic, and from verdicts.`;
  }
  if (later) {
    const late = missed === 0
      ? ""
      : ` ${
        countOf(missed, "fraud")
      } became known too late to be counted here; their days are left out.`;
    return `${scored} Labels arrive later: a day is judged once it is older than ${age}, and again with each label that comes. ${
      countOf(later.pending, "outcome")
    } pending.${late}`;
  }
  const known = curve.days === 0
    ? `No labels are known yet: a label is known ${age} after its payment.`
    : curve.days === 1
    ? "The labels of one day are known."
    : `The labels of ${count(curve.days)} days are known.`;
  return `${scored} ${known}`;
}

/** @param {LineChart} chart @param {ModelView} model */
function showQuality(chart, { days, startSeconds, events }) {
  const labelled = days.filter((day) => day.labelled);
  const newest = labelled.at(-1);
  chart.draw(
    {
      x: labelled.map(({ day }) => day),
      columns: [
        labelled.map(({ averagePrecision }) => averagePrecision),
        labelled.map(({ hits, alerts }) => alerts ? hits / alerts : null),
        labelled.map(({ hits, frauds }) => frauds ? hits / frauds : null),
      ],
      startSeconds,
      marks: events,
    },
    newest
      ? `${isoDay(startSeconds, newest.day)}: average precision ${
        percent(newest.averagePrecision ?? NaN)
      }`
      : "No labels yet",
  );
}

/** @param {LineChart} chart @param {ModelView} model */
function showScores(chart, { days, startSeconds, events }) {
  const last = days.at(-1);
  chart.draw(
    {
      x: days.map(({ day }) => day),
      columns: [
        days.map(({ meanScore }) => meanScore),
        days.map(({ alerts }) => alerts),
      ],
      partial: days.filter((day) => !day.complete).map(({ day }) => day),
      startSeconds,
      marks: events,
    },
    last
      ? `${isoDay(startSeconds, last.day)}: mean score ${
        last.meanScore.toFixed(4)
      }`
      : "No scores yet",
  );
}

/**
 * The shadow models beside the live one, which decides alone.
 * @param {ModelView} model
 */
function shadowsOf({ shadows: { threshold, models } }) {
  if (models.length === 0) {
    return [
      h(
        "p",
        { class: "note" },
        "None. A run with ",
        h("code", {}, "--shadow-model=FILE"),
        " scores every payment with that model, too, shows here what it would do, and changes nothing.",
      ),
    ];
  }
  /** @param {KnownResult} result */
  const precision = ({ known, frauds }) =>
    known ? percent(frauds / known) : "–";
  return [
    table(
      "Shadow models",
      [
        ["Model"],
        ["Payments", "number"],
        ["Alerts, live", "number"],
        ["precision", "number"],
        ["Alerts, shadow", "number"],
        ["precision", "number"],
        ["Gained", "number"],
        ["precision", "number"],
        ["Lost", "number"],
        ["precision", "number"],
      ],
      h(
        "tbody",
        {},
        models.map(({ version, all, live, shadow, gained, lost }) =>
          h(
            "tr",
            {},
            h("td", {}, h("code", {}, version)),
            h("td", { class: "number" }, count(all.payments)),
            [live, shadow, gained, lost].flatMap((result) => [
              h("td", { class: "number" }, count(result.payments)),
              h("td", { class: "number" }, precision(result)),
            ]),
          )
        ),
      ),
    ),
    h(
      "p",
      { class: "note" },
      `Of the days above. A shadow model would raise alerts from a score of ${threshold} on. Gained: alerts that it alone would raise; lost: those that only the live model raises. Precision: the share of frauds on days whose labels are known.`,
    ),
  ];
}

const DRIFT_MAX = 8;
/** From this index on an input has shifted. */
const SHIFT = 0.25;

/** A name that may be broken after its underscores. @param {string} name */
const breakable = (name) =>
  name.split(/(?<=_)/).flatMap((part) => [part, h("wbr")]);

/**
 * The inputs that have moved most, as bars.
 * @param {ModelView} model
 */
function driftOf({ drift, startSeconds }) {
  if (!drift) {
    return [
      h(
        "p",
        { class: "note" },
        "The trainer measures drift, day by day as labels arrive. Start the run with --retrain to see it.",
      ),
    ];
  }
  const widest = Math.max(SHIFT, ...drift.inputs.map(({ psi }) => psi));
  /** @param {number} psi */
  const word = (psi) =>
    psi > SHIFT
      ? mark("warn", "shift")
      : psi > 0.1
      ? mark("unknown", "moves")
      : mark("genuine", "stable");
  return [
    h(
      "p",
      { class: "note" },
      `Population stability index of ${
        isoDay(startSeconds, drift.day)
      } against the seven days before: below 0.1 is stable, above 0.25 is a shift. Inputs that follow the week are left out.`,
    ),
    h(
      "div",
      { class: "bars" },
      drift.inputs.slice(0, DRIFT_MAX).map(({ name, psi }) => [
        h("span", {}, breakable(name)),
        svg(
          "svg",
          {
            viewBox: "0 0 100 10",
            preserveAspectRatio: "none",
            "aria-hidden": "true",
          },
          svg("rect", {
            class: psi > SHIFT ? "up" : "down",
            x: 0,
            y: 2,
            width: 100 * psi / widest,
            height: 6,
          }),
        ),
        h("span", {}, `${psi.toFixed(3)} `, word(psi)),
      ]),
    ),
  ];
}
