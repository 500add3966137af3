/** The section on a model: its curves over payments that it has not learned from. */
import type { Figure, Section, Table } from "./content.ts";
import { drawLines } from "./line_chart.ts";
import type { ModelCurves } from "./model_curves.ts";
import { amountOf, grouped, percent, roundTicks } from "./scale.ts";

const PLOT_HEIGHT = 240;

const NO_CURVE = "No curve: both genuine payments and frauds are needed.";

/** The section. */
export function modelSection(model: ModelCurves): Section {
  return {
    id: "model",
    heading: "The model",
    blocks: [
      { kind: "text", text: `${model.name}, judged by ${model.period}.` },
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
      { kind: "table", table: thresholdsTable(model) },
    ],
  };
}

const asPercent = (value: number): string => percent(value, 0);

function rateAxis(title: string, wanted: number) {
  const ticks = roundTicks(0, 1, wanted, asPercent);
  return { title, range: [0, 1] as const, ticks };
}

function rocFigure({ roc, aucRoc }: ModelCurves): Figure {
  return {
    id: "roc",
    title: "Receiver operating characteristic",
    description: `Share of frauds alerted over share of genuine payments ` +
      `alerted. The area under the curve is ${
        grouped(aucRoc, 3)
      }; the dashed ` +
      "line is chance.",
    draw: (width) =>
      drawLines(
        {
          axes: {
            x: rateAxis("false positive rate: genuine payments alerted", 5),
            y: rateAxis("true positive rate: frauds alerted", 5),
          },
          lines: [{ name: "model", ...roc }],
          guides: [[0, 0, 1, 1]],
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
    description: "Share of frauds among the alerts over share of frauds " +
      `alerted. Average precision is ${grouped(averagePrecision, 3)}; the ` +
      `dashed line is chance, ${percent(chance)}.`,
    draw: (width) =>
      drawLines(
        {
          axes: {
            x: rateAxis("recall: frauds alerted", 5),
            y: rateAxis("precision: alerts that are frauds", 5),
          },
          lines: [{ name: "model", ...precisionRecall }],
          guides: [[0, chance, 1, chance]],
          empty: NO_CURVE,
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

function thresholdFigure({ thresholds, rows }: ModelCurves): Figure {
  const x = thresholds.map(({ threshold }) => threshold);
  return {
    id: "thresholds",
    title: "What a threshold would do",
    description: "Recall, precision and share of payments alerted for " +
      "thresholds from 0 to 1.",
    draw: (width) =>
      drawLines(
        {
          axes: {
            x: {
              title: "threshold: alerts from this score on",
              range: [0, 1],
              ticks: roundTicks(0, 1, 5),
            },
            y: rateAxis("share", 5),
          },
          lines: [
            {
              name: "recall",
              x,
              y: thresholds.map((row) => row.truePositiveRate),
            },
            { name: "precision", x, y: thresholds.map((row) => row.precision) },
            {
              name: "payments alerted",
              x,
              y: thresholds.map(({ alerts }) => alerts / rows),
            },
          ],
          empty: NO_CURVE,
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

function thresholdsTable({ usual, days }: ModelCurves): Table {
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
      amountOf(100 * row.stoppedAmount),
      amountOf(100 * row.missedAmount),
    ]),
  };
}
