/** The section on a model: its curves over payments that it has not learned from. */
import type { Figure, Section, Table } from "./content.ts";
import { numberAxis, shareAxis } from "../dashboard/page/frame.js";
import { drawLines } from "../dashboard/page/lines.js";
import { grouped, percent } from "../dashboard/page/scale.js";
import type { ThresholdRow } from "../learning/judge/thresholds.ts";
import type { ModelCurves } from "./model_curves.ts";
import { type AmountForm, amountOf } from "./numbers.ts";

const PLOT_HEIGHT = 240;
const PANEL_HEIGHT = 130;

const NO_CURVE = "No curve: both genuine payments and frauds are needed.";

/** The section. */
export function modelSection(
  model: ModelCurves,
  amounts: AmountForm,
): Section {
  return {
    id: "model",
    heading: "The model",
    blocks: [
      { kind: "text", text: `${judged(model)}.` },
      {
        kind: "numbers",
        numbers: [
          { name: "payments scored", value: grouped(model.rows) },
          {
            name: "frauds among them",
            value: grouped(model.frauds),
            note: percent(model.frauds / model.rows),
          },
          {
            name: "AUC ROC",
            value: grouped(model.aucRoc, 3),
            note: "0.5 by chance, 1 at best",
          },
          {
            name: "average precision",
            value: grouped(model.averagePrecision, 3),
            note: `${grouped(model.frauds / model.rows, 3)} by chance`,
          },
        ],
      },
      {
        kind: "figures",
        figures: [
          rocFigure(model),
          precisionFigure(model),
          thresholdFigure(model),
        ],
      },
      { kind: "table", table: thresholdsTable(model, amounts) },
    ],
  };
}

/** Which model a figure is about, and which payments. */
function judged({ name, period }: ModelCurves): string {
  return `${name}, judged by ${period}`;
}

function rocFigure(model: ModelCurves): Figure {
  const { roc, aucRoc } = model;
  return {
    id: "roc",
    title: "Receiver operating characteristic",
    name: judged(model),
    description: `Share of frauds alerted over share of genuine payments ` +
      `alerted. The area under the curve is ${
        grouped(aucRoc, 3)
      }; the dashed ` +
      "line is chance.",
    draw: (width) =>
      drawLines(
        {
          x: shareAxis("false positive rate: genuine payments alerted"),
          panels: [{
            y: shareAxis("true positive rate: frauds alerted"),
            lines: [{ name: "model", ...roc }],
          }],
          guide: { from: [0, 0], to: [1, 1], text: "by chance" },
          empty: NO_CURVE,
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

function precisionFigure(model: ModelCurves): Figure {
  const { precisionRecall, averagePrecision, frauds, rows } = model;
  const chance = frauds / rows;
  return {
    id: "precision_recall",
    title: "Precision over recall",
    name: judged(model),
    description: "Share of frauds among the alerts over share of frauds " +
      `alerted. Average precision is ${grouped(averagePrecision, 3)}; the ` +
      `dashed line is chance, ${percent(chance)}.`,
    draw: (width) =>
      drawLines(
        {
          x: shareAxis("recall: frauds alerted"),
          panels: [{
            y: shareAxis("precision: alerts that are frauds"),
            lines: [{ name: "model", ...precisionRecall }],
          }],
          guide: {
            from: [0, chance],
            to: [1, chance],
            text: `by chance, ${percent(chance)}`,
          },
          empty: NO_CURVE,
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

function thresholdFigure(model: ModelCurves): Figure {
  const { thresholds, rows } = model;
  const x = thresholds.map(({ threshold }) => threshold);
  const line = (name: string, of: (row: ThresholdRow) => number) => {
    return { name, x, y: thresholds.map(of) };
  };
  // At a threshold of 0 every payment is an alert, which would dwarf the rest.
  const most = Math.max(...thresholds.slice(1).map(({ alerts }) => alerts));
  return {
    id: "thresholds",
    title: "What a threshold would do",
    name: judged(model),
    description: "Recall, precision and share of payments alerted for " +
      "thresholds from 0 to 1.",
    leftOut: "Not drawn: at a threshold of 0, every payment is an alert.",
    draw: (width) =>
      drawLines(
        {
          x: numberAxis("threshold: alerts from this score on", [0, 1]),
          panels: [{
            y: shareAxis("recall and precision"),
            lines: [
              line("recall", (row) => row.truePositiveRate),
              line("precision", (row) => row.precision),
            ],
          }, {
            y: shareAxis("payments alerted", most / rows),
            lines: [
              line("payments alerted", ({ threshold, alerts }) => {
                return threshold > 0 ? alerts / rows : NaN;
              }),
            ],
          }],
          empty: NO_CURVE,
        },
        width,
        PANEL_HEIGHT,
      ),
  };
}

function thresholdsTable(
  { usual, days }: ModelCurves,
  amounts: AmountForm,
): Table {
  return {
    caption: "What a threshold would do",
    header: [
      "threshold",
      "alerts",
      "alerts per day",
      "frauds found",
      "recall",
      "precision",
      "amount stopped",
      "amount missed",
    ],
    rows: usual.map((row) => [
      row.threshold.toFixed(1),
      grouped(row.alerts),
      grouped(row.alerts / days, 1),
      grouped(row.hits),
      percent(row.truePositiveRate, 1),
      percent(row.precision, 1),
      amountOf(row.stoppedAmount, amounts),
      amountOf(row.missedAmount, amounts),
    ]),
  };
}
