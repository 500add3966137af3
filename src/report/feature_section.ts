/** The section on features: how their values lie for genuine payments and for frauds, and how they go with fraud. */
import { drawBars } from "./bar_chart.ts";
import type { Figure, ReportData, Section, Table } from "./content.ts";
import type { FeatureStatistics } from "./data_statistics.ts";
import { coarseWidth } from "./histogram.ts";
import { drawHistogram } from "./histogram_chart.ts";
import { countOf, grouped, percent } from "../dashboard/page/scale.js";
import { featureWords } from "./feature_words.ts";
import type { Moments } from "./moments.ts";
import { signed, TABLE_DECIMALS, threeDigits } from "./numbers.ts";

const PLOT_HEIGHT = 130;
const BINS = 24;

/** Share of each class's values that the axis covers on either side. */
const COVERED = 0.995;

/** From this share on, zeros are described in words, since their bar would hide all others. */
const ZEROS_APART = 0.5;

const EMPTY = "There are no payments.";

/** The section. */
export function featureSection(
  { statistics, currency }: ReportData,
): Section {
  const { features } = statistics;
  const heading = "Features of genuine and fraudulent payments";
  if (statistics.payments === 0) {
    return { id: "features", heading, blocks: [{ kind: "text", text: EMPTY }] };
  }
  return {
    id: "features",
    heading,
    blocks: [
      {
        kind: "text",
        text:
          "Each figure shows how the values of both classes are spread: the " +
          "filled area is the share of the genuine payments in each bin, the " +
          "line the share of the frauds. Values far out are not drawn; the " +
          "text under the figure says how many. The windows of a terminal " +
          "end before the label delay, since later labels are not known yet.",
      },
      {
        kind: "figures",
        figures: features.map((feature) => {
          return featureFigure(feature, currency);
        }),
      },
      { kind: "figures", figures: [correlationFigure(features)] },
      { kind: "table", table: featureTable(features) },
    ],
  };
}

/** What is drawn of a feature. */
interface Shown {
  readonly from: number;
  readonly width: number;
  readonly bins: number;
  /** Share of each class in each bin. */
  readonly heights: readonly [Float64Array, Float64Array];
  /** More of what is seen. */
  readonly note: string;
  /** What is not drawn; undefined for nothing. */
  readonly leftOut: string | undefined;
}

function featureFigure(
  feature: FeatureStatistics,
  currency: string | undefined,
): Figure {
  const { name, values, moments } = feature;
  const [genuine, fraud] = moments;
  const flag = isFlag(feature);
  const shown = flag ? flagBins(feature) : valueBins(feature);
  const { unit } = featureWords(name, currency);
  const means = fraud.count === 0
    ? `Mean ${threeDigits(genuine.mean)}; there are no frauds.`
    : `Mean ${threeDigits(genuine.mean)} for genuine payments, ` +
      `${threeDigits(fraud.mean)} for frauds.`;
  const isEmpty = genuine.count + fraud.count === 0;
  return {
    id: `feature_${name}`,
    ...namedWords(name),
    description: isEmpty ? EMPTY : `${means}${shown.note}`,
    leftOut: isEmpty ? undefined : shown.leftOut,
    small: true,
    draw: (width) =>
      drawHistogram(
        {
          xTitle: unit,
          yTitle: "share of each class in each bin",
          from: shown.from,
          binWidth: shown.width,
          series: [
            { name: "genuine", heights: shown.heights[0] },
            ...values[1].count > 0
              ? [{ name: "fraud", heights: shown.heights[1] }]
              : [],
          ],
          ...flag && {
            ticks: [
              { value: 0.5, text: "no (0)" },
              { value: 1.5, text: "yes (1)" },
            ],
          },
          shares: true,
          empty: isEmpty ? EMPTY : "All values are 0.",
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

/** Whether a feature is 0 or 1 and nothing between. */
function isFlag({ name, values }: FeatureStatistics): boolean {
  return name.startsWith("TX_DURING_") && values.every((one) => {
    return one.bins().every(({ value }) => value === 0 || value === 1);
  });
}

function flagBins({ values }: FeatureStatistics): Shown {
  const heights = values.map((one) => {
    return shares(one.coarse(0, 1, 2).counts, one.count);
  }) as [Float64Array, Float64Array];
  const [genuine, fraud] = heights;
  const frauds = values[1].count === 0
    ? ""
    : `, ${percent(fraud[1], 1)} of the frauds`;
  const note = ` Yes for ${
    percent(genuine[1], 1)
  } of the genuine payments${frauds}.`;
  return { from: 0, width: 1, bins: 2, heights, note, leftOut: undefined };
}

function valueBins({ values }: FeatureStatistics): Shown {
  const present = values.filter(({ count }) => count > 0);
  const zeros = values.map((one) => {
    return one.bins().find(({ value }) => value === 0)?.count ?? 0;
  });
  const high = Math.max(0, ...present.map((one) => one.quantile(COVERED)));
  const low = Math.min(0, ...present.map((one) => one.quantile(1 - COVERED)));
  const width = Math.max(coarseWidth(low, high, BINS), wholeWidth(values));
  const from = Math.floor(low / width) * width;
  const bins = Math.max(1, Math.floor((high - from) / width) + 1);
  const coarse = values.map((one) => one.coarse(from, width, bins));
  // Zeros would dwarf the rest wherever they are the rule.
  const apart = present.length > 0 && values.some((one, at) => {
    return one.count > 0 && zeros[at] / one.count >= ZEROS_APART;
  });
  const heights = coarse.map(({ counts }, at) => {
    if (apart) counts[-from / width] -= zeros[at];
    return shares(counts, values[at].count);
  }) as [Float64Array, Float64Array];
  const counted = (counts: readonly number[]) => {
    const parts = ["genuine payments", "frauds"].flatMap((noun, at) => {
      const share = counts[at] / values[at].count;
      if (!(share > 0)) return [];
      const text = share < 0.0005 ? "less than 0.1\u00a0%" : percent(share, 1);
      return [`${text} of the ${noun}`];
    });
    return parts.join(" and ");
  };
  const out = coarse.map(({ below, above }) => below + above);
  const cut = out.some((count) => count > 0);
  const leftOut = [
    ...apart ? [`Not drawn: values of exactly 0, ${counted(zeros)}.`] : [],
    ...cut ? [`Cut off: values farther out, ${counted(out)}.`] : [],
  ].join(" ");
  return {
    from,
    width,
    bins,
    heights,
    note: "",
    leftOut: leftOut || undefined,
  };
}

/** 1 where all numbers are whole, so that no bin stays empty between them. */
function wholeWidth(values: FeatureStatistics["values"]): number {
  const whole = values.every((one) => {
    return one.bins().every(({ value }) => Number.isInteger(value));
  });
  return whole && values.some(({ max }) => max > 1) ? 1 : 0;
}

function shares(counts: Float64Array, all: number): Float64Array {
  return counts.map((count) => all === 0 ? 0 : count / all);
}

/** A feature's title, and its name where that is another. */
function namedWords(name: string): { title: string; name?: string } {
  const { title } = featureWords(name, undefined);
  return title === name ? { title } : { title, name };
}

function correlationFigure(features: readonly FeatureStatistics[]): Figure {
  const known = features.filter(({ correlation }) => !Number.isNaN(correlation))
    .toSorted((a, b) => b.correlation - a.correlation);
  const left = features.length - known.length;
  const strongest = known.toSorted((a, b) => {
    return Math.abs(b.correlation) - Math.abs(a.correlation);
  })[0];
  const none =
    "No correlation is defined: both classes and varying values are needed.";
  return {
    id: "correlation",
    title: "Correlation of the features with fraud",
    name: "TX_FRAUD",
    description: strongest
      ? `The strongest is ${signed(strongest.correlation)}: ` +
        `${namedWords(strongest.name).title}.`
      : none,
    leftOut: strongest && left > 0
      ? `Not drawn: ${countOf(left, "constant feature")}, which ` +
        `${left === 1 ? "has" : "have"} no correlation.`
      : undefined,
    draw: (width) =>
      drawBars(
        known.map(({ name, correlation }) => ({
          name: namedWords(name).title,
          under: namedWords(name).name,
          value: correlation,
          text: signed(correlation),
          series: correlation < 0 ? 0 : 1,
        })),
        width,
        "There is no correlation.",
        "Pearson's correlation with TX_FRAUD, −1 to 1",
      ),
  };
}

function featureTable(features: readonly FeatureStatistics[]): Table {
  const spread = ({ count, mean, deviation }: Moments) => {
    return [mean, deviation].map((value) => {
      return grouped(count === 0 ? NaN : value, TABLE_DECIMALS);
    });
  };
  return {
    caption: "Features by class. AUC is the probability that a fraud has a " +
      "greater value than a genuine payment",
    header: [
      "feature",
      "mean, genuine",
      "deviation, genuine",
      "mean, fraud",
      "deviation, fraud",
      "correlation with fraud",
      "AUC alone",
    ],
    named: true,
    names: features.map(({ name }) => namedWords(name).name),
    rows: features.map(({ name, moments, correlation, auc }) => [
      namedWords(name).title,
      ...moments.flatMap(spread),
      signed(correlation),
      grouped(auc, 3),
    ]),
  };
}
