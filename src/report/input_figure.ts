/** How the values of an input lie: the histogram of both classes, or of all payments where no outcome is known. */
import { formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { dayTicks, percent, type Tick } from "../dashboard/page/scale.js";
import type { Figure } from "./content.ts";
import type { FeatureStatistics } from "./feature_statistics.ts";
import { coarseWidth, type Histogram } from "./histogram.ts";
import { drawHistogram } from "./histogram_chart.ts";
import { threeDigits } from "./numbers.ts";

const PLOT_HEIGHT = 130;
const BINS = 24;
const TIME_TICKS = 8;

/** Below this, numbers far from 0 are written without a comma, as years are. */
const PLAIN_MAX = 10_000;

/** Share of each class's values that the axis covers on either side. */
const COVERED = 0.995;

/** From this share on, zeros are described in words, since their bar would hide all others. */
const ZEROS_APART = 0.5;

const EMPTY = "There are no payments.";

/** What is said about an input, and how it is shown. */
export interface InputWords {
  /** Id of the figure. */
  readonly id: string;
  /** Title. */
  readonly title: string;
  /** The name in the data, where the title is not it. */
  readonly name?: string;
  /** What the values are, with the unit. */
  readonly unit: string;
  /** What the values are: times in seconds since 1970, flags 0 or 1. */
  readonly type: "number" | "flag" | "time";
  /** Whether the axis has 0 even where no value is near it. */
  readonly fromZero: boolean;
  /** Whether outcomes are known. */
  readonly known: boolean;
  /** What else there is to say. */
  readonly note?: string;
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

/** The figure of an input. */
export function inputFigure(
  feature: FeatureStatistics,
  { id, title, name, unit, type, fromZero, known, note = "" }: InputWords,
): Figure {
  const { values, moments: [genuine, fraud] } = feature;
  const isEmpty = genuine.count + fraud.count === 0;
  const nouns = known ? ["genuine payments", "frauds"] : ["payments"];
  const shown = type === "flag"
    ? flagBins(feature, nouns)
    : valueBins(feature, nouns, fromZero);
  const means = meansOf(feature, { type, known });
  return {
    id,
    title,
    ...name !== undefined && { name },
    description: isEmpty ? EMPTY : `${means}${shown.note}${note}`,
    leftOut: isEmpty ? undefined : shown.leftOut,
    small: true,
    draw: (width) =>
      drawHistogram(
        {
          xTitle: unit,
          yTitle: known
            ? "share of each class in each bin"
            : "share of the payments in each bin",
          from: shown.from + feature.origin,
          binWidth: shown.width,
          series: [
            {
              name: known ? "genuine" : "payments",
              heights: shown.heights[0],
            },
            ...values[1].count > 0
              ? [{ name: "fraud", heights: shown.heights[1] }]
              : [],
          ],
          ...type === "flag" && { ticks: FLAG_TICKS },
          ...type === "time" && {
            ticks: timeTicks(shown, feature.origin),
          },
          ...isPlain(feature) && { write: plainNumber },
          shares: true,
          empty: isEmpty ? EMPTY : "All values are 0.",
        },
        width,
        PLOT_HEIGHT,
      ),
  };
}

const FLAG_TICKS: readonly Tick[] = [
  { value: 0.5, text: "no (0)" },
  { value: 1.5, text: "yes (1)" },
];

/** Days, where the values are seconds since 1970. */
function timeTicks({ from, width, bins }: Shown, origin: number): Tick[] {
  const day = (seconds: number) => Math.floor(seconds / DAY_SECONDS);
  const first = day(from + origin);
  const last = day(from + origin + bins * width);
  return dayTicks(0, first, last, TIME_TICKS).map(({ value, text }) => {
    return { value: value * DAY_SECONDS, text };
  });
}

/** Whether the values are like years: far from 0, and of few digits. */
function isPlain({ values, origin }: FeatureStatistics): boolean {
  return origin > 0 &&
    values.every(({ max }) => !(max + origin >= PLAIN_MAX));
}

function plainNumber(value: number, decimals: number): string {
  return value.toFixed(decimals);
}

/** Means of both classes, in a sentence; of times, the times in the middle. */
function meansOf(
  feature: FeatureStatistics,
  { type, known }: Pick<InputWords, "type" | "known">,
): string {
  const { values, moments, origin } = feature;
  const write = isPlain(feature) ? plainNumber : threeDigits;
  const [genuine, fraud] = moments.map(({ mean }, at) => {
    if (type !== "time") return write(mean, 1);
    const median = values[at].quantile(0.5) + origin;
    return Number.isNaN(median) ? "none" : formatDate(median);
  });
  const which = type === "time" ? "Median" : "Mean";
  if (!known) return `${which} ${genuine}.`;
  return moments[1].count === 0
    ? `${which} ${genuine}; there are no frauds.`
    : `${which} ${genuine} for genuine payments, ${fraud} for frauds.`;
}

function flagBins(
  { values }: FeatureStatistics,
  nouns: readonly string[],
): Shown {
  const heights = values.map((one) => {
    return shares(one.coarse(0, 1, 2).counts, one.count);
  }) as [Float64Array, Float64Array];
  const [genuine, fraud] = heights;
  const frauds = values[1].count === 0
    ? ""
    : `, ${percent(fraud[1], 1)} of the frauds`;
  const note = ` Yes for ${percent(genuine[1], 1)} of the ${
    nouns[0]
  }${frauds}.`;
  return { from: 0, width: 1, bins: 2, heights, note, leftOut: undefined };
}

function valueBins(
  { values, origin }: FeatureStatistics,
  nouns: readonly string[],
  fromZero: boolean,
): Shown {
  const present = values.filter(({ count }) => count > 0);
  const zeros = values.map((one) => {
    return one.bins().find(({ value }) => value === 0)?.count ?? 0;
  });
  const [low, high] = shownRange(present, {
    always: fromZero,
    never: origin !== 0,
  });
  const width = Math.max(coarseWidth(low, high, BINS), wholeWidth(values));
  const from = Math.floor(low / width) * width;
  const bins = Math.max(1, Math.floor((high - from) / width) + 1);
  const coarse = values.map((one) => one.coarse(from, width, bins));
  // Zeros would dwarf the rest wherever they are the rule.
  const apart = origin === 0 && present.length > 0 && values.some((one, at) => {
    return one.count > 0 && zeros[at] / one.count >= ZEROS_APART;
  });
  const heights = coarse.map(({ counts }, at) => {
    if (apart) counts[-from / width] -= zeros[at];
    return shares(counts, values[at].count);
  }) as [Float64Array, Float64Array];
  const counted = (counts: readonly number[]) => {
    const parts = nouns.flatMap((noun, at) => {
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

/** What the axis covers: 0 too, if it must or is near the values. */
function shownRange(
  present: readonly Histogram[],
  zero: { readonly always: boolean; readonly never: boolean },
): [low: number, high: number] {
  if (present.length === 0) return [0, 0];
  const low = Math.min(...present.map((one) => one.quantile(1 - COVERED)));
  const high = Math.max(...present.map((one) => one.quantile(COVERED)));
  const nearest = low > 0 ? low : high < 0 ? -high : 0;
  const isNear = !zero.never && nearest <= (high - low) / 2;
  return zero.always || isNear
    ? [Math.min(0, low), Math.max(0, high)]
    : [low, high];
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
