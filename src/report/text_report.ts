/** A report for the terminal, or a pipe: plain text of at most 80 columns, with charts of block characters. */
import { textLines } from "../base/text_table.ts";
import { backtestRows, type RulesTried } from "./backtest_sections.ts";
import type { KeyFigure, ReportData } from "./content.ts";
import {
  type DataStatistics,
  FIRST_DAYS,
  TIME_BINS,
} from "./data_statistics.ts";
import { fraudShare, hasFields, shownFields } from "./field_section.ts";
import type { ModelCurves } from "./model_curves.ts";
import {
  amountBins,
  distinctText,
  hasDayLines,
  hasScenarios,
  ifKnown,
  knowsOutcomes,
  overviewSection,
  partialNotes,
  scenarioName,
  unknownNotes,
} from "./payment_sections.ts";
import { isInReach } from "./plane_chart.ts";
import { shownCustomer } from "./people_section.ts";
import {
  countOf,
  dayTicks,
  grouped,
  numberTicks,
  percent,
} from "../dashboard/page/scale.js";
import {
  type AmountForm,
  shortened,
  signed,
  TABLE_DECIMALS,
  threeDigits,
} from "./numbers.ts";

/** Width of the text. */
export const TEXT_COLUMNS = 80;

/** Values of a field that are listed. */
const VALUES_LISTED = 8;

const LABEL_COLUMNS = 10;
const CHART_COLUMNS = 64;
const EIGHTHS = " ▁▂▃▄▅▆▇█";
const EIGHTHS_ACROSS = " ▏▎▍▌▋▊▉█";

/** The report as text, ending with a line end. */
export function textReport(title: string, data: ReportData): string {
  const { statistics, model } = data;
  const parts = [
    [title, "=".repeat(title.length)],
    overview(data),
    reach(data),
    dayCharts(data),
    amounts(statistics),
    times(statistics),
    hasScenarios(data) ? scenarios(statistics) : [],
    features(statistics),
    hasFields(data) ? fields(data) : [],
    ...data.rules ? [rulesLines(data.rules, data.amounts)] : [],
    ...model ? [modelLines(model)] : [],
  ];
  const text = parts.filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n") + "\n").join("\n");
  return text.replaceAll("\u00a0", " ").replaceAll(/ +$/gm, "");
}

/** Lines of at most `columns` characters, broken between words; a longer word is cut. */
export function wrapped(text: string, columns = TEXT_COLUMNS): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const cut = fitted(word, columns);
    if (line !== "" && line.length + 1 + cut.length > columns) {
      lines.push(line);
      line = cut;
    } else line = line === "" ? cut : `${line} ${cut}`;
  }
  return [...lines, line];
}

/** A text of at most `columns` characters, without anything that a terminal would obey. */
function fitted(text: string, columns: number): string {
  const plain = [...text.replaceAll(/\p{Cc}/gu, "\ufffd")];
  if (plain.length <= columns) return plain.join("");
  return plain.slice(0, columns - 1).join("") + "…";
}

function overview(data: ReportData): string[] {
  const { blocks } = overviewSection(data);
  return blocks.flatMap((block) => {
    if (block.kind === "text") return [...wrapped(block.text), ""];
    return block.kind === "numbers" ? numberLines(block.numbers) : [];
  });
}

/** A table without heading, its lines cut where they are too long. */
function fittedLines(
  rows: readonly (readonly string[])[],
  numbers: readonly number[],
): string[] {
  return textLines(rows, numbers).map((line) => fitted(line, TEXT_COLUMNS));
}

function numberLines(numbers: readonly KeyFigure[]): string[] {
  const rows = numbers.map(({ name, value, note = "" }) => [name, value, note]);
  return fittedLines(rows, [1]);
}

function reach(data: ReportData): string[] {
  const { terminals, radius } = data;
  const customer = shownCustomer(data);
  if (!customer || !terminals) return [];
  const count = terminals.filter((terminal) => {
    return isInReach({ customer, radius }, terminal);
  }).length;
  return wrapped(
    `Customer ${customer.customerId} at (${grouped(customer.x, 1)}, ` +
      `${grouped(customer.y, 1)}) has ${grouped(count)} of ` +
      `${grouped(terminals.length)} terminals within radius ${radius}.`,
  );
}

function dayCharts(data: ReportData): string[] {
  const { statistics } = data;
  const { days, startSeconds = 0 } = statistics;
  if (!hasDayLines(data)) return [];
  const step = Math.ceil(days.length / CHART_COLUMNS);
  const means = (of: (day: typeof days[number]) => number) =>
    Array.from({ length: Math.ceil(days.length / step) }, (_, at) => {
      const some = days.slice(at * step, (at + 1) * step);
      return some.reduce((sum, day) => sum + of(day), 0) / some.length || 0;
    });
  const note = step > 1 ? `, mean of ${step} days per column` : "";
  const first = days[0].day;
  const last = days[days.length - 1].day;
  const withFrauds = knowsOutcomes(statistics);
  const axis = dayTicks(startSeconds, first, last, 5).map((tick) => {
    return { column: Math.floor((tick.value - first) / step), text: tick.text };
  });
  return [
    `Payments per day${note}`,
    ...columnChart(means((day) => day.payments), 4),
    ...withFrauds
      ? [
        `Frauds per day${note}`,
        ...columnChart(means(ifKnown((day) => day.frauds)), 4),
      ]
      : [],
    axisLine(axis),
    ...[...partialNotes(statistics), ...unknownNotes(statistics)]
      .flatMap((note) => wrapped(note)),
  ];
}

function amounts(statistics: DataStatistics): string[] {
  const { amounts } = statistics;
  if (amounts.count === 0) return [];
  const { from, width, counts, below, above } = amountBins(
    amounts,
    CHART_COLUMNS / 2,
  );
  const to = from + counts.length * width;
  const axis = numberTicks(from, to, 4).map(({ value, text }) => {
    return { column: Math.floor((value - from) / width), text };
  });
  const beyond = [
    ...below > 0
      ? [`${countOf(below, "payment")} of less than ${threeDigits(from)}`]
      : [],
    ...above > 0
      ? [`${countOf(above, "payment")} of ${threeDigits(to)} or more`]
      : [],
  ];
  return [
    ...wrapped(
      `Payments by amount${firstDays(statistics)}, ` +
        `${threeDigits(width)} per column` +
        (beyond.length > 0 ? `; not drawn: ${beyond.join(", ")}` : ""),
    ),
    ...columnChart([...counts], 5),
    axisLine(axis),
  ];
}

/** ", first day", or ", first 10 days"; nothing for all. */
function firstDays({ days, firstDaysOnly }: DataStatistics): string {
  if (!firstDaysOnly) return "";
  const { length } = days;
  return `, first ${
    length === 1 ? "day" : `${Math.min(FIRST_DAYS, length)} days`
  }`;
}

function times(statistics: DataStatistics): string[] {
  const { times, amounts } = statistics;
  if (amounts.count === 0) return [];
  const halves = Array.from({ length: TIME_BINS / 2 }, (_, at) => {
    return times[2 * at] + times[2 * at + 1];
  });
  const axis = [0, 4, 8, 12, 16, 20].map((hour) => {
    return { column: 2 * hour, text: `${hour}:00` };
  });
  return [
    `Payments by time of day${firstDays(statistics)}, ` +
    "half an hour per column",
    ...columnChart(halves, 5),
    axisLine(axis),
  ];
}

function scenarios(
  { scenarios, frauds, payments }: DataStatistics,
): string[] {
  if (payments === 0) return ["There are no payments."];
  if (scenarios.length === 0) return ["There are no frauds."];
  const most = Math.max(...scenarios.map((one) => one.frauds));
  return [
    "Frauds by scenario",
    ...fittedLines(
      scenarios.map((one) => [
        fitted(scenarioName(one.scenario), 26),
        grouped(one.frauds),
        percent(one.frauds / frauds, 1),
        barOf(one.frauds / most, 30),
      ]),
      [1, 2],
    ),
  ];
}

function features(statistics: DataStatistics): string[] {
  const { payments, kept } = statistics;
  if (payments === 0) return [];
  const features = [
    ...statistics.features,
    ...kept.flatMap((field) => {
      return field.type === "number" || field.type === "flag"
        ? [field.values]
        : [];
    }),
  ];
  if (!knowsOutcomes(statistics)) {
    return [
      "Means",
      ...fittedLines(
        features.map(({ name, moments: [all] }) => [
          fitted(name, 35),
          grouped(all.count === 0 ? NaN : all.mean, TABLE_DECIMALS),
        ]),
        [1],
      ),
    ];
  }
  const most = Math.max(
    ...features.map(({ correlation }) => Math.abs(correlation) || 0),
    1e-9,
  );
  return [
    "Means by class, and correlation with fraud",
    ...fittedLines([
      ["", "genuine", "fraud", "corr."],
      ...features.map(({ name, moments: [genuine, fraud], correlation }) => [
        fitted(name, 35),
        ...[genuine, fraud].map(({ count, mean }) => {
          return grouped(count === 0 ? NaN : mean, TABLE_DECIMALS);
        }),
        signed(correlation),
        barOf((Math.abs(correlation) || 0) / most, 12),
      ]),
    ], [1, 2, 3]),
  ];
}

/** Terminals and kept fields: the most frequent texts, and the means of numbers. */
function fields(data: ReportData): string[] {
  const { statistics } = data;
  const { terminals, payments } = statistics;
  const known = knowsOutcomes(statistics);
  const shown = shownFields(data);
  const texts = [terminals, ...shown].filter((field) => field?.type === "text");
  return texts.flatMap((field) => {
    const values = field.values.slice(0, VALUES_LISTED);
    const most = values[0]?.payments ?? 0;
    return [
      "",
      ...wrapped(`${field.name}, ${distinctText(field.distinct)} different`),
      ...fittedLines(
        [
          ...known ? [["", "payments", "frauds", ""]] : [],
          ...values.map((one) => [
            shortened(one.value, 36),
            percent(one.payments / payments, 1),
            ...known ? [fraudShare(one)] : [],
            barOf(one.payments / most, 20),
          ]),
        ],
        known ? [1, 2] : [1],
      ),
    ];
  }).slice(1);
}

function rulesLines(tried: RulesTried, amounts: AmountForm): string[] {
  const { total, rules, findings } = backtestRows(tried, amounts);
  return [
    ...wrapped(
      "What the rules would decide; an alert is a payment that is not approved",
    ),
    ...fittedLines(total, [1, 2]),
    ...rules.length > 0 ? ["", ...fittedLines(rules, [2, 3, 4, 5])] : [],
    ...findings.length > 0 ? [""] : [],
    ...findings.flatMap((finding) => wrapped(finding)),
  ];
}

function modelLines(model: ModelCurves): string[] {
  const { usual, days, rows, frauds } = model;
  return [
    ...wrapped(
      `${model.name}, judged by ${model.period}: ${
        countOf(rows, "payment")
      }, ` +
        `${countOf(frauds, "fraud")}`,
    ),
    `AUC ROC ${grouped(model.aucRoc, 3)}, average precision ` +
    grouped(model.averagePrecision, 3),
    "",
    ...textLines([
      ["threshold", "alerts per day", "recall", "precision"],
      ...usual.map((row) => [
        row.threshold.toFixed(1),
        grouped(row.alerts / days, 1),
        percent(row.truePositiveRate, 1),
        percent(row.precision, 1),
      ]),
    ], [0, 1, 2, 3]),
  ];
}

/** Columns of the given heights, `lines` lines high, with the greatest number beside the top. */
export function columnChart(
  heights: readonly number[],
  lines: number,
): string[] {
  const most = Math.max(...heights, 0);
  return Array.from({ length: lines }, (_, at) => {
    const floor = 8 * (lines - 1 - at);
    const cells = heights.map((height) => {
      const eighths = most > 0 ? Math.round(8 * lines * height / most) : 0;
      // What is there is seen, however little.
      const shown = height > 0 ? Math.max(1, eighths) : 0;
      return EIGHTHS[Math.min(8, Math.max(0, shown - floor))];
    });
    const text = at === 0 ? threeDigits(most) : at === lines - 1 ? "0" : "";
    return `${text.padStart(LABEL_COLUMNS)} ${cells.join("")}`;
  });
}

/** A bar of at most `columns` characters. */
function barOf(share: number, columns: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(8 * columns * share));
  const full = EIGHTHS_ACROSS[8].repeat(Math.floor(eighths / 8));
  return eighths % 8 === 0 ? full : full + EIGHTHS_ACROSS[eighths % 8];
}

/** Texts under a chart, each beginning at its column; one that would touch the one before is left out. */
function axisLine(
  ticks: readonly { readonly column: number; readonly text: string }[],
): string {
  let line = " ".repeat(LABEL_COLUMNS + 1);
  let begun = false;
  for (const { column, text } of ticks) {
    const at = LABEL_COLUMNS + 1 + column;
    const touches = begun && line.length + 1 > at;
    if (touches || at + text.length > TEXT_COLUMNS) continue;
    line = line.padEnd(at) + text;
    begun = true;
  }
  return line;
}
