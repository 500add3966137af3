/**
 * The results of a selection as pictures: an SVG with one panel per metric, and
 * a chart of characters for the terminal. Means and standard deviations of the
 * validation folds stand beside those of the test folds.
 */
import { type Metric, METRICS } from "../../learning/judge/judgement.ts";
import type {
  CandidateResult,
  Spread,
} from "../../learning/judge/selection.ts";
import { decimals } from "../../base/text_table.ts";
import { FONT_SIZE, LIGHT } from "../../dashboard/page/palette.js";

/** A candidate with its name. */
export interface NamedResult extends CandidateResult {
  /** Its name on the command line. */
  readonly name: string;
}

/** Display names of the metrics. */
export const METRIC_TITLES: Readonly<Record<Metric, string>> = {
  "auc_roc": "AUC ROC",
  "average_precision": "average precision",
  "card_precision_100": "card precision@100",
};

/** The two kinds of folds and how they are drawn, in the colours of all charts. */
const SERIES = [
  { key: "validation", colour: LIGHT.series[0], shift: -3 },
  { key: "test", colour: LIGHT.series[1], shift: 3 },
] as const;

const CHART_COLUMNS = 50;

const STEP_PX = 26;
const PANEL_PX = 210;
const LEFT_PX = 64;
const RIGHT_PX = 24;
const TOP_PX = 48;
const NAMES_PX = 250;
const GRID_LINES = 4;

/** A chart of one metric: one line per candidate, o for validation and x for test, * where both fall together. */
export function selectionChart(
  results: readonly NamedResult[],
  metric: Metric,
): string {
  const { low, high } = rangeOf(results, metric);
  const width = Math.max(0, ...results.map(({ name }) => name.length));
  const place = (value: number) => {
    const share = (value - low) / (high - low);
    return Math.round(share * (CHART_COLUMNS - 1));
  };
  const lines = results.map(({ name, validation, test }) => {
    const cells = new Array<string>(CHART_COLUMNS).fill(" ");
    const marks: [number, string][] = [
      [place(validation[metric].mean), "o"],
      [place(test[metric].mean), "x"],
    ];
    for (const [at, mark] of marks) {
      if (cells[at] !== undefined) cells[at] = cells[at] === " " ? mark : "*";
    }
    return `${name.padEnd(width)} |${cells.join("").trimEnd()}`;
  });
  const scale = decimals(low) +
    decimals(high).padStart(CHART_COLUMNS - decimals(low).length);
  return `${METRIC_TITLES[metric]}: o validation, x test\n` +
    `${lines.join("\n")}\n${" ".repeat(width)}  ${scale}\n`;
}

/** The whole selection as an SVG picture. */
export function selectionSvg(results: readonly NamedResult[]): string {
  const width = LEFT_PX + RIGHT_PX + STEP_PX * results.length;
  const height = TOP_PX + METRICS.length * PANEL_PX + NAMES_PX;
  const panels = METRICS.map((metric, at) => {
    return panelSvg(results, metric, TOP_PX + at * PANEL_PX);
  });
  const bottom = TOP_PX + METRICS.length * PANEL_PX - 30;
  const names = results.map(({ name }, at) => {
    const x = xOf(at);
    return `<text x="${x}" y="${bottom}" text-anchor="end" ` +
      `transform="rotate(-60 ${x} ${bottom})">${escapeXml(name)}</text>`;
  });
  const legend = SERIES.map(({ key, colour }, at) => {
    const x = LEFT_PX + at * 110;
    return `<circle cx="${x}" cy="16" r="4" fill="${colour}"/>` +
      `<text x="${x + 9}" y="20">${key} folds</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${
    Math.max(width, 320)
  }" height="${height}" font-family="system-ui, sans-serif" font-size="${FONT_SIZE}" ` +
    `fill="${LIGHT.ink}">\n` +
    `<title>Prequential selection: mean and standard deviation</title>\n` +
    `<rect width="100%" height="100%" fill="${LIGHT.panel}"/>\n` +
    `${[...legend, ...panels, ...names].join("\n")}\n</svg>\n`;
}

function panelSvg(
  results: readonly NamedResult[],
  metric: Metric,
  top: number,
): string {
  const { low, high } = rangeOf(results, metric);
  const inner = PANEL_PX - 60;
  const yOf = (value: number) =>
    round(top + inner * (1 - (value - low) / (high - low)));
  const right = LEFT_PX + STEP_PX * results.length;
  const parts = [
    `<text x="${LEFT_PX}" y="${top - 8}" font-weight="bold">${
      METRIC_TITLES[metric]
    }</text>`,
  ];
  for (let line = 0; line <= GRID_LINES; line++) {
    const value = low + (high - low) * line / GRID_LINES;
    const y = yOf(value);
    parts.push(
      `<path d="M${LEFT_PX} ${y}H${right}" stroke="${LIGHT.line}"/>` +
        `<text x="${LEFT_PX - 6}" y="${y + 4}" text-anchor="end">` +
        `${decimals(value)}</text>`,
    );
  }
  for (const { key, colour, shift } of SERIES) {
    results.forEach((result, at) => {
      const { mean, deviation } = result[key][metric];
      if (!Number.isFinite(mean)) return;
      const x = xOf(at) + shift;
      parts.push(
        `<path d="M${x} ${yOf(mean - deviation)}V${
          yOf(mean + deviation)
        }" stroke="${colour}"/>` +
          `<circle cx="${x}" cy="${yOf(mean)}" r="3.5" fill="${colour}">` +
          `<title>${escapeXml(result.name)}, ${key}: ${decimals(mean)} ± ` +
          `${decimals(deviation)}</title></circle>`,
      );
    });
  }
  return parts.join("\n");
}

function xOf(at: number): number {
  return LEFT_PX + STEP_PX * at + STEP_PX / 2;
}

/** From the least to the greatest value that is drawn; never empty. */
function rangeOf(
  results: readonly NamedResult[],
  metric: Metric,
): { low: number; high: number } {
  const ends = ({ mean, deviation }: Spread) => [
    mean - deviation,
    mean + deviation,
  ];
  const values = results.flatMap(({ validation, test }) => [
    ...ends(validation[metric]),
    ...ends(test[metric]),
  ]).filter((value) => Number.isFinite(value));
  const low = Math.min(...values, 1);
  const high = Math.max(...values, low);
  return high > low ? { low, high } : { low: low - 0.5, high: low + 0.5 };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
